"""Temporal models: factors that depend on time, averaged over good time intervals."""
