"""Saved models answer over HTTP: ``nlpipe serve``."""
