"""`gradlint show`: what gradlint made of each training loop, in words and as a picture."""
