"""Runs training code abstractly, in a few small worlds, and records what it would do. Nothing of the code runs natively."""
