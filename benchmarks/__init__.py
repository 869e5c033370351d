"""Speed, side by side with the plain way in the same run. `make bench`, or `python -m benchmarks NAME`."""
