"""Metrics, each a function of per-example statistics that add up."""
