"""Fixes: the code that several rules share, and the loop that applies fixes until nothing changes."""
