"""Plain data about a file: the optimizers that it builds, and the settings that it names."""
