"""Arrays in groups of a netCDF-4 file, as ArviZ reads them (arviz-devs, "InferenceData schema specification" 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError, UsageError

Group = Mapping[str, tuple[NDArray[np.float64], str]]
"""Arrays (chains, draws) by name, each with its unit."""


def draws_bytes(groups: Mapping[str, Group]) -> bytes:
    """A file of arrays over chains and draws by group; the same arrays, the same bytes. Raises `UsageError` without
    h5netcdf."""
    h5netcdf = _h5netcdf()
    content = BytesIO()
    with h5netcdf.File(content, "w") as file:
        for name, arrays in groups.items():
            group = file.create_group(name)
            shape = next(iter(arrays.values()))[0].shape
            for dimension, n in zip(("chain", "draw"), shape, strict=True):
                group.dimensions[dimension] = n
                group.create_variable(dimension, (dimension,), data=np.arange(n))
            for label, (values, unit) in arrays.items():
                variable = group.create_variable(label, ("chain", "draw"), data=values)
                if unit:
                    variable.attrs["units"] = unit
    return content.getvalue()


def read_draws(path: Path | BytesIO, group: str) -> dict[str, tuple[NDArray[np.float64], str]]:
    """The arrays (n_chains, n_draws) of a group by name, with their units. Raises `DataError` and `UsageError`."""
    h5netcdf = _h5netcdf()
    try:
        with h5netcdf.File(path, "r") as file:
            found = {name: variable for name, variable in file[group].variables.items() if variable.ndim == 2}
            return {
                name: (np.asarray(v[...], dtype=np.float64), str(v.attrs.get("units", ""))) for name, v in found.items()
            }
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: no draws can be read: {error}") from error


def _h5netcdf() -> ModuleType:
    try:
        import h5netcdf
    except ImportError as error:
        raise UsageError('draws are in netCDF files\n    pip install "gamma-global-model[sample]"') from error
    module: ModuleType = h5netcdf
    return module
