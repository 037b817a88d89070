"""Impacts of nuisances on a parameter."""
