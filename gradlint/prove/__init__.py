"""Writes the skeleton of a test that a training loop equals the large batch."""
