"""Spatial models: shapes on the sky, their integrals over pixels, and all derivatives."""
