"""Finding, reading, decoding, parsing and writing files, notebooks among them."""
