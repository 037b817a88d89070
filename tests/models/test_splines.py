"""B-splines and cardinal splines: what they add up to, and what they interpolate."""

from __future__ import annotations

import numpy as np
import pytest

from gm.models.spatial.splines import TAPS, cardinal, spread

SIZE = (40, 44)
PLACES = np.random.default_rng(1).uniform(TAPS + 4, 40 - TAPS - 4, (2, 30))


def test_b_splines_add_up_to_one_and_keep_the_place() -> None:
    matrix = spread(PLACES, SIZE, slopes=True)
    values, by_x, by_y = np.split(matrix.toarray(), 3)
    y, x = np.indices(SIZE).reshape(2, -1)
    np.testing.assert_allclose(values.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose([values @ x, values @ y], PLACES, rtol=1e-13)
    for slopes, along, across in ((by_x, x, y), (by_y, y, x)):
        np.testing.assert_allclose(slopes.sum(axis=1), 0.0, atol=1e-13)
        np.testing.assert_allclose(slopes @ along, 1.0, rtol=1e-12)
        np.testing.assert_allclose(slopes @ across, 0.0, atol=1e-11)


def test_slopes_are_those_of_differences() -> None:
    step = 1e-5
    matrix = spread(PLACES, SIZE, slopes=True).toarray()
    for k, slopes in enumerate(np.split(matrix, 3)[1:]):
        shift = step * np.eye(2)[k][:, None]
        up, down = (spread(PLACES + sign * shift, SIZE, slopes=False).toarray() for sign in (1, -1))
        np.testing.assert_allclose(slopes, (up - down) / (2 * step), rtol=0, atol=1e-9)


def test_cardinal_splines_are_one_at_their_own_node() -> None:
    """And 0 at all others."""
    place = np.array([[20.0], [17.0]])
    weights = cardinal(spread(place, SIZE, slopes=False).toarray().reshape(1, *SIZE))[0]
    expected = np.zeros(SIZE)
    expected[17, 20] = 1.0
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("width", "tolerance"), [(1.4, 2e-4), (2.0, 4e-6), (3.0, 1e-7)])
def test_interpolation_of_a_gaussian(width: float, tolerance: float) -> None:
    """Weights times the values at the nodes are the values in between, of the peak; as narrow as it says [nodes]."""
    y, x = np.indices(SIZE)

    def bell(at_x: object, at_y: object) -> np.ndarray:
        return np.exp(-0.5 * ((np.asarray(at_x) - 21.3) ** 2 + (np.asarray(at_y) - 19.6) ** 2) / width**2)

    weights = cardinal(spread(PLACES, SIZE, slopes=False).toarray().reshape(-1, *SIZE))
    between = np.einsum("nyx,yx->n", weights, bell(x, y))
    np.testing.assert_allclose(between, bell(*PLACES), rtol=0, atol=tolerance)
