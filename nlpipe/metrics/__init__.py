"""Metrics, each a function of summed per-example statistics."""
