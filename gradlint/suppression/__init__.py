"""What is found and not reported: comments that silence findings, and baselines."""
