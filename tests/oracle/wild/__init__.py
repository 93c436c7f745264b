"""Training programs of another build than `write/` makes: spellings, containers and shares of code that no model has by heart."""
