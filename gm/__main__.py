"""``python -m gm``: the command line."""

from __future__ import annotations

from gm.cli import main

if __name__ == "__main__":
    main()
