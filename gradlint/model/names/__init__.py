"""What names mean: the facts of a file, who calls what, which value reaches where, and the vocabulary of the field."""
