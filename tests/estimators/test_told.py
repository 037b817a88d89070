"""Every result of the Python API is written, drawn and shown as what a command writes of the same kind."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gm
from gm.config_schemas.reader import read_document
from gm.config_schemas.result_documents import READERS
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput
from gm.estimators.sky.profile import RadialBins
from gm.estimators.told import Told
from gm.figures.look import figure_bytes
from gm.figures.registry import drawn_kinds
from gm.io.yaml_writer import dump_yaml
from gm.likelihood import predict_component
from tests.estimators.test_light_curve import good_time
from tests.map_samples import LAT, LON, background, cube, held, point, psf_map, source
from tests.samples import on_off, power_law

matplotlib = pytest.importorskip("matplotlib", reason="figures need Matplotlib")

DATASETS = gm.Datasets([on_off("a", 1, exposure=1e12), on_off("b", 2, exposure=1e12)])
MODELS = gm.Models([power_law()])
BAND = ["1 TeV", "10 TeV"]
TIMES = gm.Datasets(
    on_off(name, seed, exposure=1e12, gti=good_time((0.1 * seed, 0.1 * seed + 0.02)))
    for seed, name in enumerate("abc", start=1)
)


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
    "light curve with its spectrum": (
        "light-curve",
        lambda: gm.LightCurveEstimator(source="source", energy_edges=BAND, free=["source.index"]).run(TIMES, MODELS),
    ),
    "joint light curve": (
        "light-curve",
        lambda: gm.LightCurveEstimator(source="source", energy_edges=BAND, joint=True).run(TIMES, MODELS),
    ),
    "light curve with a bin without data": (
        "light-curve",
        lambda: gm.LightCurveEstimator(source="source", energy_edges=["1 TeV", "3 TeV", "10 TeV"]).run(
            gm.Datasets([*TIMES, on_off("dark", 4, gti=good_time((0.5, 0.6)), mask_fit=np.zeros(6, dtype=bool))]),
            MODELS,
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
    kind, result = RESULTS[name][0], made(name)
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


@cache
def made(name: str) -> Told:
    return RESULTS[name][1]()


def departures(one: Any, other: Any, where: str = "$") -> list[str]:
    """Where two documents are not the same; numbers may differ by rounding."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        return [text for key in one for text in departures(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            text for k, pair in enumerate(zip(one, other, strict=True)) for text in departures(*pair, f"{where}[{k}]")
        ]
    if isinstance(one, float) and isinstance(other, float) and one == pytest.approx(other, rel=1e-12, abs=1e-12):
        return []
    return [] if one == other else [f"{where}: {one!r} {other!r}"]


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    result = made(name)
    file = tmp_path / f"{result.to_dict()['name']}.yaml"
    result.write(file)
    again = type(result).read(file)
    assert departures(result.to_dict("some"), again.to_dict("some")) == []
    assert again.told() == result.told()
    assert departures(list(result.shown_rows()), list(again.shown_rows())) == []
    assert again.beside(again.to_dict()) == result.beside(result.to_dict())
    second = tmp_path / "again" / file.name
    second.parent.mkdir()
    again.write(second)
    assert departures(read_document(file).data, read_document(second).data) == []


@pytest.mark.parametrize("name", RESULTS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_result_is_refused(name: str, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever value is replaced by another: read as it stands, or an error that names the file."""
    result = made(name)
    document = copy.deepcopy(result.to_dict())
    parent, key = data.draw(st.sampled_from(list(places(document))))
    parent[key] = data.draw(st.sampled_from([None, "text", -1.5, [], {}, [1.0, 2.0], True]))
    file = tmp_path / f"{result.to_dict()['name']}.yaml"
    result.write(file, overwrite=True)
    file.write_text(dump_yaml(document))
    refused = ""
    try:
        assert type(result).read(file).told()
    except (InvalidInput, DataError) as error:
        refused = str(error)
    assert not refused or file.stem in refused


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys, down to its leaves."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def test_each_kind_of_document_has_one_class_that_reads_it() -> None:
    classes = {name: getattr(gm, name) for name in READERS.values()}
    told = {one.told_as: name for name, one in classes.items() if name != "FitResult"}
    assert {**told, "fit": "FitResult"} == READERS
    assert {type(made(name)).__name__ for name in RESULTS} <= {*READERS.values(), "JointFluxPoints", "SkyProfile"}


def test_a_result_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "index.yaml"
    made("profile").write(file)
    with pytest.raises(InvalidInput, match=r"index.yaml:1:9: \$.schema: 'gm/profile/1' is no light curve"):
        gm.LightCurve.read(file)
    with pytest.raises(InvalidInput, match=r"LikelihoodProfile.read reads it"):
        gm.Sensitivity.read(file)
    made("sky profile").write(tmp_path / "profile.yaml")
    with pytest.raises(DataError, match=r"profile.yaml: a result of type 'profile' has no maps\n.*SkyProfile.read"):
        gm.SkyMaps.read(tmp_path / "profile.yaml")
    made("TS map").write(tmp_path / "ts.yaml")
    with pytest.raises(DataError, match=r"ts.yaml: a result of type 'ts' is no profile\n.*SkyMaps.read"):
        gm.SkyProfile.read(tmp_path / "ts.yaml")
    (tmp_path / "ts.fits").unlink()
    with pytest.raises(DataError, match=r"ts.fits"):
        gm.SkyMaps.read(tmp_path / "ts.yaml")


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_shows_its_rows(name: str) -> None:
    kind, result = RESULTS[name][0], made(name)
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

        @classmethod
        def from_dict(cls, data: Any, directory: Path = Path()) -> Some:
            return cls()

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
