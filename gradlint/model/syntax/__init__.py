"""Reading LibCST: expressions, the statements of a file, and the decisions on the way to each."""
