"""Measurements against the rivals; each writes benchmarks/results/NAME.json."""
