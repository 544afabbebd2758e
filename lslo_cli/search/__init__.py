"""From sentences to translations and scores: batches of sources, beam search, metrics."""
