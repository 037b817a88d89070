"""Sizes of sources."""
