"""lslo: language-specific low-rank subspaces for multilingual machine translation."""

__version__ = "0.1.0"
