"""Base models: folders, tokenizers, conversion, shared encoding and incremental decoding."""
