"""The version of gm, which results record."""

__version__ = "0.1.0"
