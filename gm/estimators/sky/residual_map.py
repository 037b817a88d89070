"""Residual maps: how significantly the counts around every pixel differ from the best fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.estimators.sky.excess_map import ExcessMapEstimator
from gm.estimators.sky.result import SkyMaps
from gm.likelihood import Engine
from gm.models import Models
from gm.values import finite, read_only

_WIDTH = 0.25  # of a bin of the histogram
_END = 5.0


@final
@dataclass(frozen=True, eq=False)
class Distribution:
    """Of the significances of one band.

    edges : (n + 1,); counts : (n,) pixels in each bin; below, above : pixels beyond the edges; n : pixels in all; mean,
    width and their errors : of the normal distribution that fits best (maximum likelihood), None without pixels. The
    errors are those of as many independent circles as fit into the map, of which neighbouring pixels share counts.
    """

    edges: Array
    counts: IntArray
    below: int
    above: int
    n: int
    mean: float | None
    width: float | None
    mean_err: float | None
    width_err: float | None

    def row(self) -> dict[str, Any]:
        """As a document has it; numbers that do not exist are None."""
        return {
            "pixels": self.n,
            "mean": finite(self.mean),
            "mean_err": finite(self.mean_err),
            "width": finite(self.width),
            "width_err": finite(self.width_err),
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
            "below": self.below,
            "above": self.above,
        }

    @classmethod
    def of(cls, values: Array, n_circle: int) -> Distribution:
        """Of values (n,), ``n_circle`` of which share their counts."""
        edges = np.linspace(-_END, _END, round(2 * _END / _WIDTH) + 1)
        counts = np.histogram(values, edges)[0]
        below, above = int((values < -_END).sum()), int((values > _END).sum())
        if not values.size:
            return cls(edges, counts, below, above, 0, None, None, None, None)
        mean, width = float(values.mean()), float(values.std())
        independent = max(values.size / n_circle, 1.0)
        errors = width / np.sqrt(independent), width / np.sqrt(2.0 * independent)
        return cls(edges, counts, below, above, values.size, mean, width, *map(float, errors))


@read_only("make another ResidualMapEstimator")
@dataclass(frozen=True, kw_only=True)
class ResidualMapEstimator:
    """The significance of the counts in a circle around every pixel against those predicted by the global model.

    Where the model describes the data they are distributed normally with mean 0 and width 1, as far as circles hold
    some counts. Settings as of an `ExcessMapEstimator`.
    """

    correlation_radius: float = 0.1
    energy_edges: Sequence[object] | None = None
    correlate_off: bool = True
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models) -> tuple[SkyMaps, list[Distribution]]:
        """The maps, and of each band how its significances are distributed over the pixels that expect something.

        Raises `DataError` as an `ExcessMapEstimator` does.
        """
        estimator = ExcessMapEstimator(
            correlation_radius=self.correlation_radius,
            energy_edges=self.energy_edges,
            correlate_off=self.correlate_off,
            conventions=self.conventions,
            engine=self.engine,
            intervals=False,
        )
        found = estimator.run(datasets, models)
        counts, excess, significance = (found[name] for name in ("counts", "npred_excess", "sqrt_ts"))
        maps = {"counts": counts, "npred": counts - excess, "residual": excess, "sqrt_ts": significance}
        n_circle = estimator.n_pixels(found.geometry)
        says = np.isfinite(significance) & (counts - excess > 0)
        distributions = [Distribution.of(image[seen], n_circle) for image, seen in zip(significance, says, strict=True)]
        about = {**found.about, "distributions": [one.row() for one in distributions]}
        return replace(found, kind="residual", data=maps, reference_flux=np.empty(0), about=about), distributions
