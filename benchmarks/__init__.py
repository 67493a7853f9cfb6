"""Speed, memory and accuracy, side by side with peers: `make bench`, or `python -m benchmarks NAME…`."""
