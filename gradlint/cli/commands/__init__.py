"""The commands, one module each, with their options and help; what a command does is imported when it runs."""
