"""Good time intervals of stacks, from tables that count their times in different ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gm.datasets.operations.times import union
from gm.io.tables import Column, Table

FIRST = {"MJDREFI": 55555, "MJDREFF": 0.5, "TIMESYS": "tt"}


def gti(start: float, stop: float, cards: dict[str, Any], unit: str = "") -> Table:
    return Table("GTI", (Column("START", np.array([start]), unit), Column("STOP", np.array([stop]), unit)), cards)


@pytest.mark.parametrize(
    "other",
    [
        gti(1.0, 2.0, FIRST, "d"),
        gti(1.0, 2.0, FIRST | {"TIMEUNIT": "d"}),
        gti(0.0, 86400.0, {"MJDREF": 55556.5, "TIMESYS": "tt"}),
        gti(32.184, 86432.184, FIRST | {"MJDREFI": 55556, "TIMESYS": "tai"} | {"MJDREFF": 0.5 - 32.184 / 43200}),
    ],
    ids=["days", "days of the table", "one card", "atomic time"],
)
def test_intervals_count_from_the_first_reference(other: Table) -> None:
    joined = union([gti(0.0, 100.0, FIRST), other])
    assert joined is not None
    np.testing.assert_allclose(joined.array("START"), [0.0, 86400.0], atol=1e-3)
    np.testing.assert_allclose(joined.array("STOP"), [100.0, 172800.0], atol=1e-3)


def test_a_leap_second_between_two_references_in_utc() -> None:
    """On 31 December 2016."""
    cards = {"MJDREFF": 0.0, "TIMESYS": "utc"}
    joined = union([gti(0.0, 1.0, cards | {"MJDREFI": 57753}), gti(0.0, 1.0, cards | {"MJDREFI": 57754})])
    assert joined is not None
    np.testing.assert_allclose(joined.array("START"), [0.0, 86401.0], atol=1e-3)
