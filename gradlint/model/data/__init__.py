"""What is known of a training loop as plain data: its window, its events, its loss, and what the file builds for it."""
