"""The frameworks that own a part of accumulation, a module each."""
