"""The dataset operations."""
