"""Every result of the Python API is written, drawn and shown as what a command writes of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gm
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.errors import DataError
from gm.estimators.sky.profile import RadialBins
from gm.estimators.told import Told
from gm.figures.look import figure_bytes
from gm.figures.registry import drawn_kinds
from gm.likelihood import predict_component
from tests.estimators.test_light_curve import good_time
from tests.map_samples import LAT, LON, background, cube, held, point, psf_map, source
from tests.samples import on_off, power_law

matplotlib = pytest.importorskip("matplotlib", reason="figures need Matplotlib")

DATASETS = gm.Datasets([on_off("a", 1, exposure=1e12), on_off("b", 2, exposure=1e12)])
MODELS = gm.Models([power_law()])
BAND = ["1 TeV", "10 TeV"]


def sky(counts: float = 400.0) -> gm.Datasets:
    """A map with what is expected of a point source."""
    empty = cube(response="psf only", background=0.2)
    empty = empty.with_(psf=psf_map(empty.energy_true, single_pixel=True), mask_safe=None)
    predicted = predict_component(empty, source(shape=point(LON, LAT)), "exact")
    known = np.zeros(1) if empty.background is None else empty.background
    return gm.Datasets([empty.with_(counts=known + predicted * (counts / predicted.sum()))])


def sky_models() -> gm.Models:
    models = gm.Models([source("x", held(point())), background(norm=1.0, tilt=0.0)])
    edits = {"x.index": True, "cube-bkg.tilt": True, "x.lon_0": False, "x.lat_0": False}
    return models.with_parameters({name: {"frozen": is_frozen} for name, is_frozen in edits.items()})


def found_sources() -> Told:
    empty = gm.Models([background(norm=1.0, tilt=0.0)])
    return gm.SourceFinder(iterations=1).run(sky(), empty)


ALTERNATIVES = [
    gm.Alternative("pl", gm.PowerLawSpectralModel()),
    gm.Alternative("lp", gm.LogParabolaSpectralModel()),
]

RESULTS: dict[str, tuple[str, Callable[[], Told]]] = {
    "light curve": (
        "light-curve",
        lambda: gm.LightCurveEstimator(source="source", energy_edges=BAND).run(
            gm.Datasets([on_off("a", 1, exposure=1e12, gti=good_time((0.0, 0.02)))]), MODELS
        ),
    ),
    "profile": ("profile", lambda: gm.ProfileEstimator(parameters="source.index", n=5).run(DATASETS, MODELS)),
    "surface": (
        "profile",
        lambda: gm.ProfileEstimator(parameters=("source.index", "source.amplitude"), n=3).run(DATASETS, MODELS),
    ),
    "profile of a flux": (
        "profile",
        lambda: gm.ProfileEstimator(quantity="flux(source, 1 TeV, 10 TeV)", n=3).run(DATASETS, MODELS),
    ),
    "selection": (
        "select",
        lambda: gm.ModelSelection(component="source", alternatives=ALTERNATIVES).run(DATASETS, MODELS),
    ),
    "sensitivity": (
        "sensitivity",
        lambda: gm.SensitivityEstimator(source="source", energy_edges=BAND).run(DATASETS, MODELS),
    ),
    "impacts": ("impacts", lambda: gm.ImpactEstimator(parameter="source.amplitude").run(DATASETS, MODELS)),
    "toys": ("toys", lambda: gm.study_toys(gm.Truth(DATASETS, MODELS), gm.ToyFit(), n=4)),
    "goodness": ("goodness", lambda: gm.study_toys(gm.Truth(DATASETS, MODELS), gm.ToyFit(), n=4).goodness()),
    "joint points": (
        "flux-points",
        lambda: gm.JointFluxPointsEstimator(sources=["source", "other"], energy_edges=["1 TeV", "3 TeV", "10 TeV"]).run(
            DATASETS, gm.Models([power_law(), power_law("other", index=3.0)])
        ),
    ),
    "localisation": ("localize", lambda: gm.Localizer(source="x", n=3, sigma=2.0).run(sky(), sky_models())),
    "extension": ("extension", lambda: gm.ExtensionEstimator(source="x", n=3).run(sky(), sky_models())),
    "TS map": ("maps", lambda: gm.TSMapEstimator(energy_edges=BAND).run(sky(), sky_models())),
    "excess map": ("maps", lambda: gm.ExcessMapEstimator(energy_edges=BAND).run(sky(), sky_models())),
    "residual map": ("maps", lambda: gm.ResidualMapEstimator(energy_edges=BAND).run(sky(), sky_models())[0]),
    "PS map": ("maps", lambda: gm.PSMapEstimator(energy_edges=BAND).run(sky(), sky_models())),
    "sky profile": (
        "maps",
        lambda: gm.SkyProfileEstimator(
            bins=RadialBins((LON, LAT), np.array([0.0, 0.2, 0.4])), source="x", energy_edges=BAND
        ).run(sky(), sky_models()),
    ),
    "found": ("find", found_sources),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_drawn_as_its_file_is(name: str, tmp_path: Path) -> None:
    """The same bytes of a figure, from memory and from the file; and the file is one of the command's."""
    kind, make = RESULTS[name]
    result = make()
    file = tmp_path / f"{result.to_dict()['name']}.yaml"
    result.write(file)
    assert check(read_document(file), kind) == []
    drawn = [figure_bytes(axes.figure, "png") for axes in (result.plot(), gm.plot(file))]
    matplotlib.pyplot.close("all")
    assert drawn[0] == drawn[1]
    with pytest.raises(DataError, match="overwrite=True"):
        result.write(file)
    with pytest.raises(DataError, match="is a document"):
        result.write(tmp_path / "file.txt")
    result.write(file, overwrite=True)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_shows_its_rows(name: str) -> None:
    kind, make = RESULTS[name]
    result = make()
    rows = list(result.shown_rows())
    assert rows
    assert len(repr(result)) < 250
    assert result._repr_html_().count("<tr>") == 1 + len(rows)
    table = result.to_table()
    assert len(table) == len(rows)
    assert table.meta["kind"] == kind == result.told_as
    assert table.colnames == list(dict.fromkeys(key for row in rows for key in row))


def test_every_kind_of_figure_has_a_result_in_memory() -> None:
    """But for the fit and flux points, with tests of their own, and draws, which take a sampler."""
    assert {kind for kind, _ in RESULTS.values()} | {"fit", "sample"} == set(drawn_kinds())


def test_cells_of_a_table() -> None:
    class Some(Told):
        told_as = "profile"

        def to_dict(self, name: str = "", inputs: Any = None) -> dict[str, Any]:
            return {"name": name}

        def told(self) -> str:
            return "some"

        def shown_rows(self) -> list[dict[str, object]]:
            return [
                {"e_min": 1.0, "n": 2, "kept": True, "ends": [1.0, None], "reason": None},
                {"e_min": None, "n": 3, "kept": False, "ends": None, "reason": "why"},
            ]

    table = Some().to_table()
    assert str(table["e_min"].unit) == "TeV"
    assert np.isnan(table["e_min"][1])
    assert table["n"].dtype == np.int64
    assert table["kept"].dtype == np.bool_
    assert table["ends"].shape == (2, 2)
    assert np.isnan(table["ends"][0, 1])
    assert table["reason"].tolist() == ["", "why"]
