"""Language fusion in adapters (FLARE): source and target are fused in the bottleneck of a LoRA."""
