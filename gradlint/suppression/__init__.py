"""What is found but not reported: comments that silence findings, and baselines."""
