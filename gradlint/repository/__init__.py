"""The files around a file: which of them it imports, and which import it, told from their text alone."""
