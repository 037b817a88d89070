"""Datasets drawn from models and responses."""
