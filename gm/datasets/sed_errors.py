"""Errors of flux points to one side: which of them are there. Source: gamma-astro-data-formats, flux points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gm.arrays import Array, distinct


def one_sided(errors: Mapping[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Errors (n,) by name, NaN where they are undefined: below 0, unless all of them have a sign (catalogues).

    And what to tell of those that are not used.
    """
    used = {name: _undefined_left_out(values) for name, values in errors.items()}
    undefined = {name: int(((errors[name] < 0) & np.isnan(values)).sum()) for name, values in used.items()}
    told = [f"{n} of {used[name].size} values of {name} are below 0: undefined" for name, n in undefined.items() if n]
    return used, told


def _undefined_left_out(errors: Array) -> Array:
    known = errors[np.isfinite(errors) & (errors != 0)]
    is_signed = bool((known < 0).all()) and distinct(known).size > 1
    return np.abs(errors) if is_signed else np.where(errors < 0, np.nan, errors)
