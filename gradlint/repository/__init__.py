"""The files around a file: those that it imports, and those that import it, found from their text alone."""
