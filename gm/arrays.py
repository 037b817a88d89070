"""Array types used in signatures, and the values that an array holds."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.intp]
MapArray: TypeAlias = NDArray[np.floating[Any]]  # single or double precision, as the file has it

Scalar = TypeVar("Scalar", bound=np.generic)


def distinct(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """The values that occur in an array of any shape, each once, in increasing order, (n,).

    As `numpy.unique`, which by itself imports masked arrays first: as long as a fit takes.
    """
    found: NDArray[Scalar] = np.unique(values, return_index=True)[0]
    return found


def anywhere(mask: NDArray[Any]) -> bool:
    """Whether any element is true, of any shape: as the method ``any``, which takes several times as long on a few."""
    return bool(np.count_nonzero(mask))


def everywhere(mask: NDArray[Any]) -> bool:
    """Whether all elements are true, of any shape, as the method ``all``: see `anywhere`."""
    return bool(np.count_nonzero(mask) == mask.size)
