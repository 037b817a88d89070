"""The joint fit."""

TABLES = "fit.fits"
"""The file beside ``fit.yaml`` with what is too long for a document."""
