"""From what a rule proposes to what is written: edits, their text, and the proof that they do what they promise."""
