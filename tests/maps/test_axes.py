"""Energy axes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.maps.axes import EnergyAxis

EDGES = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=30, unique=True).map(lambda edges: np.array(sorted(edges)))


@given(edges=EDGES, e_min=st.floats(1e-3, 1e3), e_max=st.floats(1e-3, 1e3))
def test_a_bin_is_in_when_its_edges_are(edges: np.ndarray, e_min: float, e_max: float) -> None:
    axis = EnergyAxis(edges)
    low, high = e_min * (1 - 1e-6), e_max * (1 + 1e-6)
    assert np.array_equal(axis.mask(e_min, e_max), [lo >= low and hi <= high for lo, hi in pairwise(edges)])
    assert np.array_equal(axis.mask(e_min, e_max), axis.mask(e_min) & axis.mask(None, e_max))
    assert axis.mask().all()
    assert axis.mask(edges[0], edges[-1]).all()
    assert axis.mask(edges[0] * (1 + 5e-7), edges[-1] * (1 - 5e-7)).all()


def test_edges_that_agree_are_equal() -> None:
    """10 GeV in single precision, and 10 TeV as the exponential of its logarithm may be."""
    axis = EnergyAxis(np.array([np.float32(0.01), 0.1, 1.0, np.nextafter(10.0, 11.0)]))
    assert axis.edges[0] < 0.01
    assert axis.edges[-1] > 10.0
    assert axis.mask(0.01, 10.0).all()
    assert axis.mask(0.01 * (1 + 2e-6), 10.0 * (1 - 2e-6)).tolist() == [False, True, False]


@given(edges=EDGES)
def test_bins_tile_the_range(edges: np.ndarray) -> None:
    axis = EnergyAxis(edges)
    assert axis.n_bins == len(edges) - 1 == len(axis.center) == len(axis.width)
    assert axis.width.sum() == pytest.approx(edges[-1] - edges[0], rel=1e-12)
    assert (axis.lo <= axis.center).all()
    assert (axis.center <= axis.hi).all()
    assert axis.same_as(EnergyAxis(edges.copy()))
    assert not axis.same_as(EnergyAxis(edges, "energy_true"))


def test_bounds() -> None:
    np.testing.assert_allclose(EnergyAxis.from_bounds(0.1, 10, n_bins=2).edges, [0.1, 1, 10], rtol=1e-15)
    assert EnergyAxis.from_bounds(0.1, 10, per_decade=4).n_bins == 8
    assert EnergyAxis.from_bounds(0.1, 11, per_decade=4).n_bins == 9
    with pytest.raises(ValueError, match="n_bins or per_decade"):
        EnergyAxis.from_bounds(0.1, 10)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([1.0], "at least two edges"),
        ([0.0, 1.0], "above 0, found 0 TeV"),
        ([1.0, np.nan], "finite"),
        ([1.0, 3.0, 2.0], "found 3 TeV and then 2 TeV"),
        ([1.0, 1.0], "must increase"),
    ],
)
def test_edges_that_are_no_axis(edges: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        EnergyAxis(np.array(edges))


def test_an_axis_of_another_scale() -> None:
    """The centres of Gammapy's ``MapAxis.from_edges``, whose scale is linear unless it is told otherwise."""
    axis = EnergyAxis(np.array([1.0, 3.0, 6.0, 10.0]), interp="lin")
    assert axis.center.tolist() == [2.0, 4.5, 8.0]
    np.testing.assert_allclose(axis.pixel([1.0, 2.0, 3.0, 3.75, 10.0]), [-0.5, 0.0, 0.5, 0.75, 2.5])
    for part in (axis.sliced(slice(1, 3)), axis.joined(np.array([0, 2, 3])), axis.squashed()):
        np.testing.assert_allclose(part.center, 0.5 * (part.lo + part.hi))
    assert not axis.same_as(EnergyAxis(axis.edges))
    with pytest.raises(DataError, match="interpolation 'cubic'"):
        EnergyAxis(np.array([1.0, 2.0]), interp="cubic")
