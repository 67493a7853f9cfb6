"""Cards, readers, sources and splits."""
