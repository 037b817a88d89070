"""Axes of any quantity: nodes, edges and the coordinate between them, as Gammapy defines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.maps.axes import EnergyAxis, NodeAxis

SCALES = st.sampled_from(["lin", "log", "sqrt"])
VALUES = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=9, unique=True).map(sorted)


def spread(values: list[float]) -> bool:
    return bool((np.diff(values) > 1e-9 * np.array(values[1:])).all())


@given(VALUES.filter(spread), SCALES)
def test_edges_are_half_way_between_nodes(values: list[float], interp: str) -> None:
    axis = NodeAxis.from_edges("rad", values, "deg", interp)
    assert axis.n_bins == len(values) - 1
    assert np.allclose(axis.pixel(axis.edges), np.arange(len(values)) - 0.5, atol=1e-6)
    assert np.allclose(axis.pixel(axis.center), np.arange(axis.n_bins), atol=1e-6)
    nodes = NodeAxis.from_nodes("rad", values, "deg", interp)
    assert np.allclose(nodes.pixel(nodes.center), np.arange(len(values)), atol=1e-6)
    assert (nodes.edges[1:-1] > nodes.center[:-1]).all()
    assert (nodes.edges[1:-1] < nodes.center[1:]).all()


def test_values_that_gammapy_gives() -> None:
    # MapAxis.from_nodes([1, 10, 100], interp="log").edges and .coord_to_pix([0.1, 3, 1000])
    axis = NodeAxis.from_nodes("energy_true", [1.0, 10.0, 100.0], "TeV", "log")
    assert axis.edges == pytest.approx([10**-0.5, 10**0.5, 10**1.5, 10**2.5])
    assert axis.pixel([0.1, 3.0, 1000.0]) == pytest.approx([-1.0, np.log10(3.0), 3.0])
    # MapAxis.from_edges([1, 10, 100], interp="log").coord_to_pix([1, 10, 31.6227766])
    energy = EnergyAxis(np.array([1.0, 10.0, 100.0]))
    assert energy.pixel([1.0, 10.0, 10**1.5]) == pytest.approx([-0.5, 0.5, 1.0])
    assert NodeAxis.from_nodes("rad", [0.2], "deg").pixel([0.1, 0.2]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("values", "interp", "match"),
    [
        ([1.0, 1.0], "lin", "must increase"),
        ([2.0, 1.0], "lin", "must increase"),
        ([0.0, 1.0], "log", "scale of type log"),
        ([-1.0, 1.0], "sqrt", "scale of type sqrt"),
        ([1.0, np.nan], "lin", "finite"),
        ([1.0], "lin", "at least 2"),
        ([1.0, 2.0], "cubic", "'cubic', expected one of lin, log, sqrt"),
    ],
)
def test_axes_that_are_none(values: list[float], interp: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        NodeAxis.from_edges("migra", values, "", interp)


def test_same() -> None:
    axis = NodeAxis.from_edges("rad", [0.0, 1.0, 2.0], "deg")
    assert axis.same_as(NodeAxis.from_edges("rad", [0.0, 1.0, 2.0], "deg"))
    assert not axis.same_as(NodeAxis.from_nodes("rad", [0.5, 1.5], "deg"))
    assert not axis.same_as(EnergyAxis(np.array([1.0, 2.0, 3.0])))
