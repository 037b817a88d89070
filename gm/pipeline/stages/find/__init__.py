"""Sources that a model misses."""
