"""Benchmarks of speed, memory and accuracy beside comparable software: `make bench` or `python -m benchmarks NAME…`."""
