"""Base models: folders, tokenizers, conversion, encoder and decoder with shared and incremental work."""
