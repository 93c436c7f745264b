"""`gradlint show`: what the model saw of each training loop, in words and as a picture."""
