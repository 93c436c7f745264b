"""One module per output format; reporters see plain diagnostics, never nodes."""
