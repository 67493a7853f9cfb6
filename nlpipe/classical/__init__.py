"""Shared parts of the classical stages: n-gram counts, word vectors, n-gram language models, alignment, calibration."""
