"""The meaning of names: the facts of a file, its constants, and the vocabulary of the field."""
