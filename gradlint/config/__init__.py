"""Settings: their files and keys, the rules they select, and path patterns."""
