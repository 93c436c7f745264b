"""Settings: their files and keys, which rules they choose, and the patterns of paths."""
