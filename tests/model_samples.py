"""One model of every type that there is, found by the registry; with data made here for those that need some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.table import Table as AstropyTable

from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.model_types import SECTIONS, model_types
from gm.models import (
    CompoundSpectralModel,
    EBLAbsorptionNormSpectralModel,
    LightCurveTemplateTemporalModel,
    PiecewiseNormSpatialModel,
    PiecewiseNormSpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    TemplateNDSpatialModel,
    TemplateNDSpectralModel,
    TemplatePhaseCurveTemporalModel,
    TemplateSpatialModel,
    TemplateSpectralModel,
)
from gm.models.parametric import ParametricModel
from gm.models.registry import model_named

TYPES = [(section, made.name) for section in SECTIONS for made in model_types(section)]
GEOMETRY = WcsGeometry.create(83.63, 22.01, 0.1, shape=(41, 41))


def sample(name: str, folder: Path) -> ParametricModel:
    """A model of a type; its files, where it has some, are in ``folder``."""
    model = model_named(name)
    return FROM_DATA[name](folder) if name in FROM_DATA else model()


def _image(folder: Path, *axes: NodeAxis) -> str:
    """A hill off the middle, falling along further axes."""
    wide = WcsGeometry.create(83.63, 22.01, 0.1, shape=(61, 61))
    y, x = np.indices(wide.shape)
    hill = np.exp(-0.5 * (((x - 27.0) / 8.0) ** 2 + ((y - 33.0) / 6.0) ** 2)) + 0.1
    steps = [np.exp(-0.3 * np.arange(axis.n_bins)) for axis in axes]
    data = hill
    for step in reversed(steps):
        data = step.reshape(-1, *(1,) * data.ndim) * data
    path = folder / f"map-{len(axes)}.fits"
    write_map(path, Map(wide, axes, data, "sr-1"))
    return str(path)


def _nd_spectrum(folder: Path) -> ParametricModel:
    from tests.models.test_spectra_from_files import write_table

    if not (folder / "table.fits").exists():
        write_table(folder / "table.fits")
    return TemplateNDSpectralModel(filename=str(folder / "table.fits"))


def _light_curve(folder: Path) -> ParametricModel:
    table = AstropyTable(
        {"TIME": [0.0, 1.0, 2.5, 4.0, 9.0], "NORM": [0.3, 1.0, 0.8, 0.4, 0.2]},
        units={"TIME": "d"},
        meta={"MJDREFI": 55555, "MJDREFF": 0.0, "TIMESYS": "utc"},
    )
    table.write(folder / "curve.fits", overwrite=True)
    return LightCurveTemplateTemporalModel(filename=str(folder / "curve.fits"))


def _phase_curve(folder: Path) -> ParametricModel:
    table = AstropyTable({"PHASE": [0.05, 0.3, 0.5, 0.9], "NORM": [1.0, 4.0, 2.0, 0.5]})
    table.write(folder / "phase.fits", overwrite=True)
    return TemplatePhaseCurveTemporalModel(filename=str(folder / "phase.fits"), t_ref=55555.0, f0="2e-5 s-1")


NODES = {
    "lon": {"data": [80.0, 80.0, 87.0, 87.0, 83.0], "unit": "deg"},
    "lat": {"data": [18.0, 26.0, 18.0, 26.0, 21.0], "unit": "deg"},
}
EBL = {
    "energy": {"data": [0.02, 0.3, 2.0, 40.0], "unit": "TeV"},
    "param": {"data": [0.01, 0.2, 0.5]},
    "values": {"data": [[0.99, 0.98, 0.9, 0.5], [0.98, 0.8, 0.5, 0.1], [0.9, 0.5, 0.2, 0.01]]},
}

FROM_DATA: dict[str, Callable[[Path], ParametricModel]] = {
    "TemplateSpectralModel": lambda _: TemplateSpectralModel([0.01, 0.3, 2.0, 90.0], [1e-9, 2e-12, 1e-13, 1e-17]),
    "CompoundSpectralModel": lambda _: CompoundSpectralModel(
        PowerLawSpectralModel(index=2.3), PowerLawNormSpectralModel(tilt=0.2, norm=1.5), "mul"
    ),
    "PiecewiseNormSpectralModel": lambda _: PiecewiseNormSpectralModel([0.03, 0.7, 20.0], [1.0, 1.3, 0.8]),
    "EBLAbsorptionNormSpectralModel": lambda _: EBLAbsorptionNormSpectralModel(**EBL),
    "TemplateNDSpectralModel": _nd_spectrum,
    "TemplateSpatialModel": lambda folder: TemplateSpatialModel(filename=_image(folder), lon_0=83.7, lat_0=22.1),
    "TemplateNDSpatialModel": lambda folder: TemplateNDSpatialModel(
        filename=_image(folder, NodeAxis.from_nodes("age", [1.0, 2.0, 4.0], "yr", "lin"))
    ),
    "PiecewiseNormSpatialModel": lambda _: PiecewiseNormSpatialModel(**NODES),
    "LightCurveTemplateTemporalModel": _light_curve,
    "TemplatePhaseCurveTemporalModel": _phase_curve,
}
"""Models that cannot be made from defaults alone."""
