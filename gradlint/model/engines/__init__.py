"""Libraries that accumulate on their own: how they are configured, and what they leave to the script."""
