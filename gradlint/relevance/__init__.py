"""Decides cheaply which files, functions and statements can matter, without LibCST and without running the rules."""
