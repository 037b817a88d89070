"""The localize stage: the position as a document, and the surface of the statistic as an image."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm.errors import DataError
from gm.estimators.profiles import LikelihoodProfile
from gm.estimators.sky.localization import SHARES, Ellipse, Localization, Localizer
from gm.io.tables import CardValue
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import finite, write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.localize.settings import LocalizeSettings

SCHEMA = "gm/localize/1"
_AXES = {"icrs": ("RA---CAR", "DEC--CAR"), "fk5": ("RA---CAR", "DEC--CAR"), "galactic": ("GLON-CAR", "GLAT-CAR")}


def run_localize(session: Session, task: Task, settings: LocalizeSettings, inputs: Inputs) -> Ran:
    """Localise, and write the document after the image. Raises `DataError` where no dataset is left."""
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"localize {settings.name}: no dataset is left")
    localizer = Localizer(source=settings.source, sigma=settings.sigma, n=settings.n, engine=session.engine)
    began = time.perf_counter()

    def progress(step: str, share: float) -> None:
        session.reporter.progress(settings.name, round(share * settings.n**2), settings.n**2, step)

    found = localizer.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    files = task.outputs() if found.surface is not None and found.lat is not None else [task.result]
    document = localize_document(found, settings, [dataset.name for dataset in datasets], inputs)
    session.begin(task.key, files)
    if len(files) > 1 and found.surface is not None:
        _write_surface(files[1], found, found.surface)
    write_document(task.result, document)
    session.reporter.step(settings.name, document["message"], seconds)
    return document, {**session.seconds, "localize": seconds}


def localize_document(
    found: Localization, settings: LocalizeSettings, datasets: list[str], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/localize/1`` document; numbers that do not exist are None."""
    ellipse, surface, is_found = found.ellipse, found.surface, found.ellipse is not None
    place = "" if not is_found else f"{found.lon:.5f} {found.lat:+.5f} deg, r68 {_radius(ellipse, 0.68):.3g} deg, "
    errors = [None, None] if found.covariance is None else np.sqrt(np.diag(found.covariance)).tolist()
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "source": found.source,
        "status": "ok" if is_found else "failed",
        "message": f"{place}{found.statement}",
        "conventions": "exact",
        "datasets": datasets,
        "position": {
            "frame": found.frame,
            "lon": finite(found.lon),
            "lat": finite(found.lat),
            "lon_err": finite(errors[0]),
            "lat_err": finite(errors[1]),
            "covariance": None if found.covariance is None else found.covariance.tolist(),
            "moved": finite(found.moved),
            "unit": "deg",
        },
        "ellipse": None
        if ellipse is None
        else {"major": ellipse.major, "minor": ellipse.minor, "angle": ellipse.angle, "unit": "deg"},
        **{f"r{round(100 * share)}": finite(_radius(ellipse, share)) for share in SHARES},
        "parabolic": found.is_parabolic,
        "deviations": {f"r{round(100 * share)}": finite(value) for share, value in found.deviations.items()},
        "statistic": finite(found.fit.statistic),
        "surface": None if surface is None else _surface(surface),
        "warnings": list(found.fit.warnings),
        "inputs": dict(inputs),
    }


def _radius(ellipse: Ellipse | None, share: float) -> float | None:
    return None if ellipse is None else ellipse.radius(share)


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


def _write_surface(path: Path, found: Localization, surface: LikelihoodProfile) -> None:
    """Rises of -2 ln L as an image: a plate carree, whose pixels are steps of longitude and latitude."""
    lon, lat = (axis.values for axis in surface.axes)
    rise = np.array([np.nan if row.stat is None else row.stat - surface.stat for row in surface.rows])
    image = rise.reshape(lon.size, lat.size).T[:, ::-1]
    steps = (lon[-1] - lon[0]) / (lon.size - 1), (lat[-1] - lat[0]) / (lat.size - 1)
    names = _AXES.get(found.frame, _AXES["icrs"])
    cards: dict[str, CardValue] = {"CTYPE1": names[0], "CTYPE2": names[1], "CRVAL1": float(lon[-1]), "CRVAL2": 0.0}
    cards |= {"CRPIX1": 1.0, "CRPIX2": 1.0 - float(lat[0] / steps[1]), "CDELT1": -float(steps[0])}
    cards |= {"CDELT2": float(steps[1]), "CUNIT1": "deg", "CUNIT2": "deg"}
    if found.frame != "galactic":
        cards |= {"RADESYS": "FK5" if found.frame == "fk5" else "ICRS"}
    write_map(path, Map(WcsGeometry((lat.size, lon.size), cards), (), image), "RISE")
