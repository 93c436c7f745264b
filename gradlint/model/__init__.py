"""The model of training code that every rule is a question to."""
