"""Faults that once went by in silence: bad input says where, what and what instead, or gives the right value."""
