"""When the window of N micro-batches closes, and how often everything else runs."""
