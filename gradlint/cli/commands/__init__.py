"""The commands, one module each, with their options and help. The code that a command needs is imported when it runs."""
