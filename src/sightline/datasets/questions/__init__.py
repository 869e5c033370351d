"""Benchmarks and training files that bring their own questions."""
