"""The command line: one file per command. Nothing here imports NumPy or astropy before a command needs them."""

from __future__ import annotations

from gm.cli.group import Gm

main = Gm()

__all__ = ["main"]
