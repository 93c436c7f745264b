"""Checks the text of one file: parse the parts that matter, build the model, run the rules, and locate their findings."""
