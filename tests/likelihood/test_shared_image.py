"""The image of a shape that many datasets see: its second derivatives."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.likelihood.maps.sources.shared_image import SharedImage


class Quadratic:
    """Pixels ``values . H . values / 2``, whose derivatives are known."""

    may_be_negative = True

    def __init__(self) -> None:
        half = np.random.default_rng(3).normal(size=(4, 4, 5, 6))
        self.hessian = half + half.swapaxes(0, 1)

    def pixels(self, values: Array) -> Array:
        return np.asarray(np.einsum("i,ijyx,j->yx", values, self.hessian, values) / 2)

    def pixels_gradient(self, values: Array) -> Array:
        return np.asarray(np.einsum("ijyx,j->iyx", self.hessian, values))


def test_second_derivatives_of_the_values_that_move() -> None:
    image, steps = Quadratic(), np.array([0.1, 0.0, 0.02, 3.0])
    rows, columns = (np.array([0, 2, 3])[k] for k in np.triu_indices(3))
    bends = SharedImage(image).bends(np.array([0.3, -1.0, 2.0, 0.7]), steps)
    np.testing.assert_allclose(bends, image.hessian[rows, columns], rtol=1e-10, atol=1e-10)
