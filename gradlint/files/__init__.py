"""Finds, reads, decodes, parses and writes files, including notebooks."""
