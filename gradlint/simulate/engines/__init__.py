"""The frameworks that handle part of the accumulation themselves, one per module."""
