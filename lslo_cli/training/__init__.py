"""The training loop and what it needs: examples, sampling, batches, device, callbacks."""
