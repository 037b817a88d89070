"""Spectra and flux points in the likelihood."""
