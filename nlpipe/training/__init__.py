"""What the training loop of ``nlpipe.training.trainer`` is made of: batches, optimizer, device, checkpoint, records."""
