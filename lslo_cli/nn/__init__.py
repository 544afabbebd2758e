"""Torch modules: routed adapters, the index mixture, attaching, pruning masks, the loss."""
