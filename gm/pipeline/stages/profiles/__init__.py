"""Likelihood profiles and surfaces."""
