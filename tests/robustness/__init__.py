"""Arbitrary and mutated Python through check and fix: what must hold for any text, and where the texts come from."""
