"""Positions of sources."""
