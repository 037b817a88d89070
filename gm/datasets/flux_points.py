"""Published or estimated flux points as a dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets.base import OneDimensional, Seen
from gm.datasets.measurement import MeasuredColumns, Measurement
from gm.datasets.sed import SedTable
from gm.datasets.sed_covariance import known
from gm.errors import DataError
from gm.maps.axes import SAME_ENERGY, within
from gm.statistics import Chi2, Distribution, Profile
from gm.values import read_only

STAT_TYPES = ("chi2", "distrib", "profile")


@final
@read_only("with_ makes another dataset")
@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FluxPointsDataset(OneDimensional):
    """Flux points and how they are compared with a model.

    stat_type: ``chi2`` (symmetric errors, or the covariance between points where the table has one, then
    upper limits with their fluxes too, else none),
    ``distrib`` (asymmetric errors, upper limits) or ``profile`` (the likelihood profile of each point); masks : (n,) or
    None. Raises `DataError` when sizes or columns do not fit.
    """

    points: SedTable
    stat_type: str = "chi2"

    type: ClassVar[str] = "FluxPointsDataset"
    is_binned: ClassVar[bool] = False
    responses: ClassVar[tuple[str, ...]] = ()
    refused_nuisances: ClassVar[Mapping[str, tuple[str, str]]] = {
        "background_norm": (
            "flux points have no background",
            "remove background_norm, or leave flux points out of datasets_names",
        ),
        "energy_scale": (
            "flux points tell no energy dispersion",
            "remove energy_scale, or leave flux points out of datasets_names; exposure_norm acts on them",
        ),
    }

    def __post_init__(self) -> None:
        if self.stat_type not in STAT_TYPES:
            raise DataError(f"dataset {self.name}: stat_type '{self.stat_type}', expected {', '.join(STAT_TYPES)}")
        if self.stat_type == "profile" and self.points.stat_scan is None:
            raise DataError(f"dataset {self.name}: stat_type 'profile' needs the columns stat_scan and norm_scan")
        for name in ("mask_safe", "mask_fit"):
            mask = getattr(self, name)
            if mask is not None and mask.shape != (self.points.n_points,):
                raise DataError(f"dataset {self.name}: {name} has {mask.size} values, expected {self.points.n_points}")

    def unusable(self) -> list[tuple[str, BoolArray]]:
        """Which points ``(n,)`` the statistic has no use for, by reason.

        chi2 needs a finite flux with an error and takes no upper limit, unless the covariance has it; distrib the same
        or an upper limit with a value, profile a finite profile.
        """
        points = self.points
        if self.stat_type == "profile":
            return [("without a likelihood profile", ~points.has_profile())]
        if self.stat_type == "chi2":
            limits = points.is_ul & (np.isfinite(points.dnde_ul) | np.isfinite(points.dnde)) & ~self._in_covariance()
            error = points.error() if points.covariance is None else np.sqrt(np.diag(points.covariance))
            reason, measured, errors = "upper limits, which chi2 has no use for", ~limits, _positive(error)
        else:
            low, high = points.errors()
            limits = points.is_ul & ~_positive(points.dnde_ul)
            reason, measured, errors = (
                "upper limits without a value above 0", ~points.is_ul, _positive(low) & _positive(high)
            )  # fmt: skip
        return [
            (reason, np.asarray(limits)),
            ("without a flux", np.asarray(measured & ~np.isfinite(points.dnde))),
            ("without an error above 0", np.asarray(measured & ~errors)),
        ]

    def _in_covariance(self) -> BoolArray:
        """Points ``(n,)`` that have a flux, and an error in the covariance: there upper limits are measurements too,
        and their neighbours would lose what they know of them."""
        points = self.points
        if points.covariance is None:
            return np.zeros(points.n_points, dtype=np.bool_)
        return np.isfinite(points.dnde) & known(points.covariance)

    @property
    def is_correlated(self) -> bool:
        return self.stat_type == "chi2" and self.points.covariance is not None

    def remarks(self) -> tuple[str, ...]:
        if self.points.covariance is None or self.is_correlated:
            return self.points.remarks
        return (
            *self.points.remarks,
            f"stat_type '{self.stat_type}' takes points as independent; their covariance is used by chi2 alone",
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.points.n_points,)

    def measurement(self) -> Measurement:
        points = self.points
        if self.stat_type == "profile":
            delta = points.profile()
            assert delta is not None  # a profile dataset without one cannot be made
            assert points.norm_scan is not None
            return MeasuredColumns((points.dnde_ref, points.norm_scan, delta), Profile)
        if self.stat_type == "distrib":
            return MeasuredColumns((points.dnde, *points.errors(), points.dnde_ul, points.is_ul), Distribution)
        return MeasuredColumns((points.dnde, points.error()), Chi2, points.covariance)

    def energies(self) -> Array:
        return self.points.energy

    def energy_edges(self) -> tuple[Array, Array]:
        points = self.points
        low, high = (
            points.energy if edges is None else np.where(np.isnan(edges), points.energy, edges)
            for edges in (points.e_min, points.e_max)
        )
        return low, high

    def energy_range(self) -> tuple[float, float]:
        return float(self.points.energy.min()), float(self.points.energy.max())

    def energies_of(self, first: int, last: int) -> tuple[float, float]:
        return float(self.points.energy[first]), float(self.points.energy[last - 1])

    def nearest_bins(self, energies: Array) -> IntArray:
        return np.searchsorted(self.points.energy, energies * (1.0 - SAME_ENERGY))

    def energy_mask(self, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
        """By their edges, or their energy where they have none."""
        return within(*self.energy_edges(), e_min, e_max)

    def by_energy(self) -> FluxPointsDataset:
        order = np.argsort(self.points.energy, kind="stable")
        return self if (np.diff(order) > 0).all() else self.take(order)

    def without_data(self) -> FluxPointsDataset:
        """With its errors, which are the widths to draw with."""
        return self.with_(mask_fit=None, mask_safe=None)

    def seen(self, through: Collection[str]) -> Seen:
        return Seen("point", self.points.energy)

    def entry(self, filename: str) -> dict[str, Any]:
        return super().entry(filename) | ({} if self.stat_type == "chi2" else {"stat_type": self.stat_type})

    def pictures(self) -> dict[str, list[Any]]:
        from gm.figures.sed import Points

        points, rows = self.points, self.mask
        (low, high), (errn, errp) = self.energy_edges(), points.errors()
        part = Points(
            label=self.name,
            e_ref=points.energy[rows],
            e_min=low[rows],
            e_max=high[rows],
            dnde=points.dnde[rows],
            errn=errn[rows],
            errp=errp[rows],
            limit=points.dnde_ul[rows],
            is_limit=points.is_ul[rows],
        )
        return {"sed": [part]}

    def summary(self) -> dict[str, Any]:
        energy = self.points.energy
        correlated = {"correlated": True} if self.is_correlated else {}
        return {**super().summary(), "e_min": float(energy[0]), "e_max": float(energy[-1]), **correlated}

    def take(self, rows: BoolArray | IntArray) -> FluxPointsDataset:
        """Some of the points with their masks, as a mask (n,) or as positions in the order wanted."""
        safe, wanted = (None if mask is None else mask[rows] for mask in (self.mask_safe, self.mask_fit))
        return replace(self, points=self.points.take(rows), mask_safe=safe, mask_fit=wanted)


def _positive(values: Array) -> BoolArray:
    return np.isfinite(values) & (values > 0)
