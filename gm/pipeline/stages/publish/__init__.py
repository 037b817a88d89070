"""Likelihoods for others."""
