"""Repairs: what several rules share, and the loop that applies fixes until nothing changes."""
