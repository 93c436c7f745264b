"""One module per output format. Reporters see plain diagnostics, never syntax nodes."""
