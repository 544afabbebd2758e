"""The paper as arithmetic: no tensors, no files, no printing."""
