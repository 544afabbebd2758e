"""The commands: each reads what it needs, does its work and writes an artifact. Nothing here prints."""
