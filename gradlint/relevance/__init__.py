"""Which files, functions and statements can matter at all, told cheaply: without LibCST and without the rules."""
