"""What the training loop of ``nlpipe.trainer`` is made of: batches, optimizer, device, checkpoint, records."""
