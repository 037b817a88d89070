"""Responses of several datasets as one: averages weighted with the exposure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gm.arrays import BoolArray
from gm.errors import DataError
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap
from gm.irf.psf import PsfMap

Response = TypeVar("Response", PsfMap, EdispKernelMap, EdispMigraMap)


def add_response(total: Response, other: Response, weights: BoolArray, part: tuple[slice, slice]) -> Response:
    r"""The response of two datasets: :math:`(R_1 X_1 + w R_2 X_2) / (X_1 + w_X X_2)`, 0 without exposure.

    weights : which of the other's values count, (n_y, n_x), or (n, n_y, n_x) along the response's second axis; the
    exposure counts where any of them does. part : rows and columns of ``total`` that are the pixels of ``other``.
    Raises `DataError` when an exposure is missing or a PSF is one of reconstructed energy.
    Source: Gammapy 2.1, ``IRFMap.stack``.
    """
    if total.exposure is None or other.exposure is None:
        raise DataError("responses without their exposure cannot be stacked")
    if isinstance(total, PsfMap) and total.is_reco:
        raise DataError("PSFs in reconstructed energy cannot be stacked: there is no exposure in that energy")
    any_weight = weights.any(axis=0) if weights.ndim == 3 else weights
    exposure: NDArray[Any] = total.exposure.copy()
    here = (..., *part)
    exposure[here] += np.nan_to_num(other.exposure * any_weight).astype(exposure.dtype)
    folded = total.data[here] * total.exposure[here][:, None] + other.data * other.exposure[:, None] * weights
    below = exposure[here][:, None]
    data: NDArray[Any] = total.data.copy()
    data[here] = np.divide(folded, below, out=np.zeros_like(folded), where=below > 0)
    return replace(total, data=np.nan_to_num(data), exposure=exposure)
