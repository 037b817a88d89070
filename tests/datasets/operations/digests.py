"""What both sides of the comparison with Gammapy look at."""

from __future__ import annotations

from typing import Any

import numpy as np

KEYS = ("counts", "background", "exposure", "mask_safe", "mask_fit", "counts_off", "acceptance", "acceptance_off")


def digest(values: Any) -> list[Any]:
    """Shape, sum, and sum with fixed weights, so that no bin can move unnoticed."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    weights = np.sin(np.arange(values.size) * 0.7 + 0.3).reshape(values.shape)
    return [list(values.shape), float(values.sum()), float((values * weights).sum())]
