"""A map of predicted counts that a component takes from a file."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.models.templates.files import read_template


class CountsTemplate:
    """Counts by reconstructed energy and pixel, read on first use. Raises `DataError` when they are of no use.

    unwritten : the map, where it is not in the file yet; it gets there when the models are written
    """

    def __init__(self, filename: str, unwritten: Map | None = None) -> None:
        self.filename, self.unwritten = filename, unwritten

    @cached_property
    def map(self) -> Map:
        """The map, with one axis ``energy`` of bins."""
        found = read_map(read_template(self.filename)) if self.unwritten is None else self.unwritten
        if found.axis_names != ("energy",) or not isinstance(found.axes[0], EnergyAxis):
            names = ", ".join(found.axis_names) or "none"
            raise DataError(f"{self.filename}: axes {names}\n    expected one axis 'energy' of bins, not of nodes")
        if not isinstance(found.geometry, WcsGeometry):
            raise DataError(f"{self.filename}: expected a map of pixels, as the dataset has them")
        return found

    def remarks(self) -> tuple[str, ...]:
        """How many values are no numbers, and how many are negative."""
        data = self.map.data
        counts = {
            "no numbers, and taken for 0": np.count_nonzero(~np.isfinite(data)),
            "negative": np.count_nonzero(data < 0),
        }
        return tuple(f"{self.filename}: {n} of {data.size} values are {what}" for what, n in counts.items() if n)

    def on(self, geometry: WcsGeometry, energy: EnergyAxis) -> Array:
        """The counts (n_energy, ny, nx) on a dataset's pixels and energies; what is not finite counts as 0."""
        axis, own = self.map.axes[0], self.map.geometry
        if axis.n_bins != energy.n_bins or not np.allclose(axis.edges, energy.edges, rtol=1e-6, atol=0.0):
            raise DataError(f"{self.filename}: {axis.n_bins} energies that are not those of the dataset's counts")
        if not isinstance(own, WcsGeometry) or not own.same_as(geometry):
            raise DataError(f"{self.filename}: pixels that are not those of the dataset's counts")
        return np.nan_to_num(self.map.data.astype(np.float64), posinf=0.0, neginf=0.0)
