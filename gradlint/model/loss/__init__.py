"""What the loss was divided by on its way to the backward pass."""
