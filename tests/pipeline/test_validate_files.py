"""``gm validate`` reads the files that components name, as a fit does: all that are wrong are told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import write_dataset
from gm.io.tables import Column, Table
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.validate import validate
from tests.map_samples import cube
from tests.samples import on_off

CONFIG = """\
version: 1
datasets: {datasets: [{name: run, type: SpectrumDatasetOnOff, filename: run.fits}]}
models: models.yaml
fit: {}
"""
COMPONENT = """\
  - name: NAME
    type: SkyModel
    spectral: {type: PowerLawSpectralModel}
"""
SPATIAL = "    spatial: {type: TemplateSpatialModel, filename: map.fits}\n"
TEMPORAL = "    temporal: {type: LightCurveTemplateTemporalModel, filename: curve.fits}\n"
COUNTS = """\
  - name: more
    type: TemplateNPredModel
    datasets_names: [run]
    spectral: {type: PowerLawNormSpectralModel}
    filename: counts.fits
"""


def test_files_of_components_are_read(tmp_path: Path) -> None:
    write_dataset(on_off("run"), tmp_path / "run.fits")
    for name in ("map.fits", "curve.fits"):
        (tmp_path / name).write_text("nothing of the kind")
    (tmp_path / "config.yaml").write_text(CONFIG)
    parts = COMPONENT.replace("NAME", "a") + SPATIAL + COMPONENT.replace("NAME", "b") + TEMPORAL
    (tmp_path / "models.yaml").write_text("components:\n" + parts)
    (checked,) = validate(Request(str(tmp_path / "config.yaml")))
    assert checked.exit_code == 4
    assert checked.message.splitlines() == [
        f"{tmp_path / 'map.fits'}: not a FITS file",
        f"{tmp_path / 'curve.fits'}: not a FITS file",
    ]
    (tmp_path / "models.yaml").write_text("components:\n" + COMPONENT)
    (checked,) = validate(Request(str(tmp_path / "config.yaml")))
    assert checked.exit_code == 0


def test_templates_of_counts_have_the_pixels_and_energies_of_their_dataset(tmp_path: Path) -> None:
    data = cube("run")
    write_dataset(data, tmp_path / "run.fits")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("SpectrumDatasetOnOff", "MapDataset"))
    (tmp_path / "models.yaml").write_text("components:\n" + COMPONENT + COUNTS)
    shifted = WcsGeometry.create(10.0, 20.0, 0.1, shape=data.geometry.shape)
    for grid, said in ((data.geometry, ""), (shifted, "pixels that are not those of the dataset's counts")):
        template = Map(grid, (data.energy,), np.ones(data.counts.shape))
        write_map(tmp_path / "counts.fits", template)
        (checked,) = validate(Request(str(tmp_path / "config.yaml")))
        assert checked.exit_code == (4 if said else 0)
        assert said in checked.message


@pytest.mark.parametrize(
    ("start", "cards", "said"),
    [
        ([0.0], {}, ""),
        (["now"], {}, "run: HDU GTI: column START is not one time for each interval"),
        ([[0.0, 1.0]], {}, "run: HDU GTI: column START is not one time for each interval"),
        ([np.nan], {}, "run: HDU GTI: column START is not one time for each interval"),
        ([0.0], {"TIMESYS": "LOCAL"}, "run: HDU GTI: card TIMESYS is 'local'"),
        ([0.0], {"MJDREFI": 40000}, "its PowerLawTemporalModel is 0 in the good time of run"),
    ],
)
def test_good_times_and_what_varies_in_them(tmp_path: Path, start: Any, cards: dict[str, Any], said: str) -> None:
    """Damaged intervals ended a fit as a bug, and ``gm validate`` called all of them valid."""
    columns = Column("START", np.array(start), "s"), Column("STOP", np.array([600.0]), "s")
    gti = Table("GTI", columns, {"MJDREFI": 55000, "MJDREFF": 0.5, "TIMESYS": "TT"} | cards)
    write_dataset(on_off("run").with_(gti=gti), tmp_path / "run.fits")
    (tmp_path / "config.yaml").write_text(CONFIG)
    varies = "    temporal: {type: PowerLawTemporalModel}\n"
    (tmp_path / "models.yaml").write_text("components:\n" + COMPONENT + varies)
    (checked,) = validate(Request(str(tmp_path / "config.yaml")))
    assert (checked.exit_code, said in checked.message) == (4 if said else 0, True)
