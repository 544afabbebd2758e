"""The translation side: corpora, batches, base models and tokenizers, beam search and spBLEU."""
