"""What sensitivities have for figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.integral_sensitivity import AboveEnergy
from gm.figures.look import Look
from gm.figures.results import Result
from gm.figures.sed import Sensitivity


def sed(result: Result, look: Look) -> Iterator[Sensitivity]:
    """The smallest flux in each band, among spectra and points."""
    rows = [row for row in result.document["bands"] if row["dnde"] is not None]
    if rows:
        yield Sensitivity(_label(result), *(_numbers(rows, name) for name in ("e_ref", "e_min", "e_max", "dnde")))


def integral(result: Result, look: Look) -> Iterator[AboveEnergy]:
    """The smallest flux above each energy."""
    rows = [row for row in result.document["integral"] if row["flux"] is not None]
    if rows:
        yield AboveEnergy(_label(result), _numbers(rows, "e_min"), _numbers(rows, "flux"))


def _label(result: Result) -> str:
    return f"{result.name} ({result.document['criteria']['sigma']:g} sigma)"


def _numbers(rows: list[Any], name: str) -> Array:
    return np.array([row[name] for row in rows], dtype=np.float64)


PARTS = {"sed": sed, "integral-sensitivity": integral}
