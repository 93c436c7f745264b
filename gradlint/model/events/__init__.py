"""Which calls matter to training, and what is known of each."""
