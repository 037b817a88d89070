"""Engines whose likelihood terms live in other processes: of this machine, or of a cluster."""
