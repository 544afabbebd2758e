"""Artifacts, which pass results between commands: JSON documents with a result and its provenance."""
