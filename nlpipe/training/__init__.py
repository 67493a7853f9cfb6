"""Training by gradients: the options, the loop, its batches, optimizer, device, checkpoints and records."""
