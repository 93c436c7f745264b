"""One run over many files: the plan, the processes that carry it out, and the cache."""
