"""A run over many files: its plan, the processes that carry it out, and its cache."""
