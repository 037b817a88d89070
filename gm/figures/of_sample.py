"""What draws from a posterior have for figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gm.figures.look import Look
from gm.figures.posterior import Draws
from gm.figures.results import Result


def posterior(result: Result, look: Look) -> Iterator[Draws]:
    """The draws of all chains, from the file beside the document."""
    rows = result.document["parameters"]
    draws = result.draws(result.document["file"], "posterior")
    yield Draws(
        result.name,
        tuple(row["name"] for row in rows),
        tuple(row["unit"] for row in rows),
        np.stack([draws[row["name"]][0].ravel() for row in rows]),
        np.array([np.nan if row["best"] is None else row["best"] for row in rows], dtype=np.float64),
    )


PARTS = {"posterior": posterior}
