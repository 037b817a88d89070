"""DL3 observations reduced to datasets."""
