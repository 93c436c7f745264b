"""The model of training code that the rules query."""
