"""Maps of the sky, positions and sizes of sources."""
