"""Draws from the posterior of the global model."""
