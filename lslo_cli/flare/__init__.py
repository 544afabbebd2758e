"""Language fusion in adapters (FLARE): source and target meet in the bottleneck of a LoRA."""
