"""Benchmarks: `python -m benchmarks` reproduces every figure about speed."""
