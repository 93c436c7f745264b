"""Libraries that accumulate by themselves: how they are configured, and what they leave to the script."""
