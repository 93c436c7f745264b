"""Reading LibCST: expressions, and the nodes of a file's statements."""
