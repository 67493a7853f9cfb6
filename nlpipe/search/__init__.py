"""Search over one step function; knows nothing of models."""
