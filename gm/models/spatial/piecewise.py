"""A correction with a free norm at every node of the sky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.maps.sphere import lon_lat
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.spatial.base import ExtendedModel
from gm.units import factor

_LINE = 1e-6  # of their extent, by which nodes leave a line
_TINY = float(np.finfo(np.float64).tiny)


class PiecewiseNormSpatialModel(ExtendedModel):
    """A dimensionless correction with a free norm at each of at least four nodes ``lon``, ``lat``.

    Between the nodes a piecewise cubic surface (Clough-Tocher), in the logarithm of the norms with ``interp: log``; NaN
    outside of their hull. Of four nodes that are the corners of a square the surface has one diagonal as an edge, which
    follows from the order of all nodes, as in Gammapy. ``lon``, ``lat``: ``{"data": [...], "unit": "deg"}`` as in YAML.
    """

    tags = ("PiecewiseNormSpatialModel", "piecewise-norm")
    setting_names = ("frame", "lon", "lat", "interp")
    any_unit = True

    def __init__(self, **settings: object) -> None:
        given = [value for name, value in settings.items() if name not in self.setting_names]
        if not all(isinstance(value, Parameter) for value in given):
            raise ModelError(f"the parameters of {self.tags[0]} are given as Parameter objects")
        norms = [value for value in given if isinstance(value, Parameter)]
        lon, lat = (_column(settings.get(name), name) for name in ("lon", "lat"))
        if len(lon) != len(lat) or len(lon) < 4 or len(norms) not in (0, len(lon)):
            raise ModelError(
                f"{len(lon)} longitudes, {len(lat)} latitudes and {len(norms)} norms; at least four, as many of each"
            )
        if settings.get("interp", "lin") not in ("lin", "log"):
            raise ModelError(f"interp is {settings['interp']!r}; allowed: lin, log")
        names = [norm.name for norm in norms] or [f"norm_{k}" for k in range(len(lon))]
        self.defaults = tuple(Parameter(name, 1.0) for name in names)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document
        west = _below(lon, 0.0)
        self._seam = float(np.ptp(west)) / 2
        self._nodes = np.stack([_below(west, self._seam), lat], axis=1)
        self._check_nodes(names)
        self._last: tuple[Array, Array] | None = None

    def _check_nodes(self, names: Sequence[str]) -> None:
        """Raises `ModelError` where two nodes are one, or all lie on a line: there is no surface through them."""
        _, first, place = np.unique(self._nodes, axis=0, return_index=True, return_inverse=True)
        twice = [(names[first[at]], names[k]) for k, at in enumerate(place.ravel()) if first[at] != k]
        if twice:
            raise ModelError(f"the nodes of {twice[0][0]} and {twice[0][1]} are the same place on the sky")
        spread = np.linalg.svd(self._nodes - self._nodes.mean(axis=0), compute_uv=False)
        if not spread[1] > _LINE * spread[0]:
            raise ModelError("all nodes lie on one line: there is no surface through them")

    def covers(self, vectors: Array) -> BoolArray:
        """Whether unit vectors (3, ...) in the frame of the model lie between the nodes, (...)."""
        return np.isfinite(self._weights(vectors)[..., 0])

    @classmethod
    def named_by_document(cls, name: str) -> Parameter | None:
        return Parameter(name, 1.0)

    def position(self, values: Array) -> None:
        return None

    def evaluation_radius(self, values: Array) -> None:
        return None

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        surface = np.tensordot(self._weights(vectors), self._scaled(values), axes=1)
        return np.exp(surface) if self._is_log else np.asarray(surface)

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        weights = np.moveaxis(self._weights(vectors), -1, 0)
        norm = self.evaluate(vectors, values)
        if not self._is_log:
            return norm, weights.copy()
        inner = np.where(values > _TINY, 1.0 / np.maximum(values, _TINY), 0.0)
        return norm, weights * norm * inner.reshape(-1, *(1,) * norm.ndim)

    @property
    def _is_log(self) -> bool:
        return self.settings.get("interp") == "log"

    def _scaled(self, values: Array) -> Array:
        return np.log(np.maximum(values, _TINY)) if self._is_log else values

    def _weights(self, vectors: Array) -> Array:
        """What each node contributes, (..., n_nodes): the surface is linear in the nodes. Kept for the same vectors."""
        if self._last is None or self._last[0] is not vectors:
            from scipy.interpolate import CloughTocher2DInterpolator

            lon, lat = lon_lat(vectors)
            surface = CloughTocher2DInterpolator(self._nodes, np.eye(len(self._nodes)), tol=1e-10)
            self._last = vectors, np.asarray(surface(_below(lon, self._seam), lat))
        return self._last[1]


def _below(lon: Array, end: float) -> Array:
    """Longitudes in the turn that ends at ``end``.

    With the roundings of `astropy.coordinates.Angle.wrap_at`: where nodes are the corners of a square, the last digit
    says which of its diagonals is an edge of the surface, here and in Gammapy.
    """
    return np.asarray(lon - 360.0 * np.floor((lon - (end - 360.0)) / 360.0))


def _column(table: object, name: str) -> Array:
    if not isinstance(table, Mapping) or not isinstance(table.get("data"), list):
        raise ModelError(f"'{name}' is {{data: [...], unit: deg}}, found {table!r}")
    data: Mapping[str, Any] = table
    column = np.array(data["data"], dtype=np.float64) * factor(str(data.get("unit") or "deg"), "deg")
    if column.ndim != 1 or not np.isfinite(column).all():
        raise ModelError(f"'{name}' holds something that is not a finite number")
    return column
