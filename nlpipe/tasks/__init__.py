"""Tasks: their wires, metrics and how their examples read."""
