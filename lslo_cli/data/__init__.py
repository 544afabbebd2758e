"""Parallel text: layouts, readers, checks, downloads."""
