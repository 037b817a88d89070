"""Where a source is, as a value, a document and an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import atan2, cos, degrees, log, radians, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any, ClassVar, Self, final

import numpy as np

from gm.arrays import Array
from gm.estimators.point_rows import matrix_from
from gm.estimators.profile_result import LikelihoodProfile, ProfileAxis, ProfileRow
from gm.estimators.told import Told, number, numbers
from gm.fit import FitResult
from gm.fit.document import contour_from
from gm.io.tables import CardValue
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.values import finite

SHARES = (0.68, 0.95, 0.99)
"""Of positions that an ellipse or radius holds."""
_AXES = {"icrs": ("RA---CAR", "DEC--CAR"), "fk5": ("RA---CAR", "DEC--CAR"), "galactic": ("GLON-CAR", "GLAT-CAR")}


@final
@dataclass(frozen=True)
class Ellipse:
    """Of standard deviations: half axes [deg], and the direction of the longer from north (+lat) to east (+lon) [deg].

    A share ``p`` of positions is inside of ``sqrt(-2 ln(1 - p))`` times its axes, where -2 ln L is a parabola.
    """

    major: float
    minor: float
    angle: float

    @classmethod
    def of(cls, covariance: Array, lat: float) -> Ellipse:
        """covariance : (2, 2) of longitude and latitude [deg^2] at a latitude [deg]."""
        to_sky = np.array([cos(radians(lat)), 1.0])
        values, axes = np.linalg.eigh(covariance * np.outer(to_sky, to_sky))
        east, north = axes[:, 1].tolist()
        return cls(sqrt(max(values[1], 0.0)), sqrt(max(values[0], 0.0)), degrees(atan2(east, north)) % 180.0)

    def radius(self, share: float) -> float:
        """Of a circle as large as the ellipse that holds a share [deg]."""
        return sqrt(-2.0 * log(1.0 - share) * self.major * self.minor)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Localization(Told):
    """The position of a source.

    lon, lat : [deg] in ``frame``, None where the fit failed; covariance : (2, 2) [deg^2]; moved : distance [deg] from
    where the model had it; statistic, warnings : of the fit with everything that is free, the position too; fit : that
    fit, None where the result was read from a file; surface : -2 ln L over (lon, lat);
    deviations : by share, the largest relative difference in radius of the contour from the ellipse, None where the
    contour is not whole; is_parabolic : whether the ellipse describes the surface, and ``statement`` in words
    """

    source: str
    frame: str
    datasets: tuple[str, ...]
    statistic: float
    warnings: tuple[str, ...] = ()
    fit: FitResult | None = None
    lon: float | None = None
    lat: float | None = None
    covariance: Array | None = None
    ellipse: Ellipse | None = None
    moved: float | None = None
    surface: LikelihoodProfile | None = None
    deviations: dict[float, float | None] = field(default_factory=dict)
    is_parabolic: bool = False
    statement: str = ""

    told_as: ClassVar[str] = "localize"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        ellipse = self.ellipse
        return {
            "schema": "gm/localize/1",
            "name": name or self.source,
            "source": self.source,
            "status": "failed" if ellipse is None else "ok",
            "message": f"{self._place()}{self.statement}",
            "conventions": "exact",
            "datasets": list(self.datasets),
            "position": self._position(),
            "ellipse": None
            if ellipse is None
            else {"major": ellipse.major, "minor": ellipse.minor, "angle": ellipse.angle, "unit": "deg"},
            **{f"r{round(100 * share)}": finite(self.radius(share)) for share in SHARES},
            "parabolic": self.is_parabolic,
            "deviations": {f"r{round(100 * share)}": finite(value) for share, value in self.deviations.items()},
            "statistic": finite(self.statistic),
            "surface": None if self.surface is None else _surface(self.surface),
            "warnings": list(self.warnings),
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        place, ellipse, statistic = data["position"], data["ellipse"], number(data["statistic"])
        found = cls(
            source=data["source"],
            frame=place["frame"],
            datasets=tuple(data["datasets"]),
            statistic=statistic,
            warnings=tuple(data["warnings"]),
            lon=place["lon"],
            lat=place["lat"],
            covariance=None if place["covariance"] is None else matrix_from(place["covariance"]),
            ellipse=None if ellipse is None else Ellipse(ellipse["major"], ellipse["minor"], ellipse["angle"]),
            moved=place["moved"],
            surface=None
            if data["surface"] is None
            else _surface_from(data["surface"], data["source"], place, statistic),
            deviations={int(key[1:]) / 100: value for key, value in data["deviations"].items()},
            is_parabolic=data["parabolic"],
        )
        return replace(found, statement=data["message"].removeprefix(found._place()))

    def radius(self, share: float) -> float | None:
        """Of a circle as large as the ellipse that holds a share of positions [deg]; None without an ellipse."""
        return None if self.ellipse is None else self.ellipse.radius(share)

    def image(self) -> Map | None:
        """Rises of -2 ln L as an image; None without a surface.

        A plate carree, whose pixels are steps of longitude and latitude.
        """
        return None if self.surface is None or self.lat is None else _image(self.surface, self.frame)

    def told(self) -> str:
        return f"{self.source!r}, {self._place()}{self.statement}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """Longitude and latitude, and the radii."""
        errors = self._errors()
        for what, value, error in zip(("lon", "lat"), (self.lon, self.lat), errors, strict=True):
            yield {"quantity": f"{what} ({self.frame})", "value": value, "error": error, "unit": "deg"}
        for share in SHARES:
            yield {"quantity": f"r{round(100 * share)}", "value": self.radius(share), "error": None, "unit": "deg"}

    def _errors(self) -> list[float | None]:
        return [None, None] if self.covariance is None else np.sqrt(np.diag(self.covariance)).tolist()

    def _place(self) -> str:
        radius = self.radius(0.68)
        return "" if radius is None else f"{self.lon:.5f} {self.lat:+.5f} deg, r68 {radius:.3g} deg, "

    def _position(self) -> dict[str, Any]:
        errors = self._errors()
        return {
            "frame": self.frame,
            "lon": finite(self.lon),
            "lat": finite(self.lat),
            "lon_err": finite(errors[0]),
            "lat_err": finite(errors[1]),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "moved": finite(self.moved),
            "unit": "deg",
        }


def _surface(surface: LikelihoodProfile) -> dict[str, Any]:
    """Rises of -2 ln L in rows of latitude, and contours of each share."""
    lon, lat = surface.axes
    rise = [None if row.stat is None else finite(row.stat - surface.stat) for row in surface.rows]
    n_lat = lat.values.size
    contours = [
        {
            "share": share,
            "delta_statistic": contour.delta_statistic,
            "points": contour.points.tolist(),
            "reason": contour.reason or None,
        }
        for share, contour in zip(SHARES, surface.contours.values(), strict=False)
    ]
    return {
        "lon": lon.values.tolist(),
        "lat": lat.values.tolist(),
        "rise": [rise[k::n_lat] for k in range(n_lat)],
        "contours": contours,
    }


def _surface_from(
    rows: Mapping[str, Any], source: str, place: Mapping[str, Any], statistic: float
) -> LikelihoodProfile:
    """The profile over longitude and latitude that a document tells by its rises above the ``statistic``."""
    names = f"{source}.lon_0", f"{source}.lat_0"
    axes = tuple(
        ProfileAxis(name, "deg", place[key], place[f"{key}_err"], numbers(rows[key]))
        for name, key in zip(names, ("lon", "lat"), strict=True)
    )
    rises = [
        (lon, lat, row[k])
        for k, lon in enumerate(rows["lon"])
        for lat, row in zip(rows["lat"], rows["rise"], strict=True)
    ]
    points = tuple(
        ProfileRow((lon, lat), "ok", None, rise + statistic, None)
        if rise is not None
        else ProfileRow((lon, lat), "failed", None, None, None)
        for lon, lat, rise in rises
    )
    contours = {
        NormalDist().inv_cdf(0.5 * (1.0 + row["share"])): contour_from(
            {**row, "parameters": names, "reason": row["reason"] or ""}
        )
        for row in rows["contours"]
    }
    return LikelihoodProfile(axes, points, statistic, statistic, (), {}, contours)


def _image(surface: LikelihoodProfile, frame: str) -> Map:
    lon, lat = (axis.values for axis in surface.axes)
    rise = np.array([np.nan if row.stat is None else row.stat - surface.stat for row in surface.rows])
    image = rise.reshape(lon.size, lat.size).T[:, ::-1]
    steps = (lon[-1] - lon[0]) / (lon.size - 1), (lat[-1] - lat[0]) / (lat.size - 1)
    names = _AXES.get(frame, _AXES["icrs"])
    cards: dict[str, CardValue] = {"CTYPE1": names[0], "CTYPE2": names[1], "CRVAL1": float(lon[-1]), "CRVAL2": 0.0}
    cards |= {"CRPIX1": 1.0, "CRPIX2": 1.0 - float(lat[0] / steps[1]), "CDELT1": -float(steps[0])}
    cards |= {"CDELT2": float(steps[1]), "CUNIT1": "deg", "CUNIT2": "deg"}
    if frame != "galactic":
        cards |= {"RADESYS": "FK5" if frame == "fk5" else "ICRS"}
    return Map(WcsGeometry((lat.size, lon.size), cards), (), image)
