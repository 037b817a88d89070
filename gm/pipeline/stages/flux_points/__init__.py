"""Flux points."""
