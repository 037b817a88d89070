"""Spectral models: differential fluxes, their integrals over energy bins, and all derivatives."""
