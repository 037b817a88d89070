"""models.yaml out: what Gammapy reads, what gm reads back, and the same bytes every time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.io.yaml_writer import dump_yaml
from gm.models import (
    BackgroundIRFModel,
    CompoundSpectralModel,
    ConstantSpatialModel,
    ConstantTemporalModel,
    DiskSpatialModel,
    GaussianPrior,
    Link,
    LogParabolaSpectralModel,
    Models,
    PiecewiseNormSpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateSpatialModel,
    TemplateSpectralModel,
)
from gm.models.documents.covariance import format_covariance
from gm.models.documents.writing import fits_unit


def everything() -> Models:
    product = CompoundSpectralModel(PowerLawSpectralModel(), PowerLawNormSpectralModel(), "mul")
    crab = SkyModel(
        name="crab",
        spectral_model=LogParabolaSpectralModel(amplitude="3e-11 cm-2 s-1 TeV-1", reference="1 TeV"),
        spatial_model=DiskSpatialModel(frame="galactic", lon_0="184.5 deg", r_0="0.3 deg"),
        temporal_model=ConstantTemporalModel(),
        apply_irf={"exposure": True, "psf": True, "edisp": False},
        datasets_names=["hess", "fermi"],
    )
    models = Models(
        [
            crab,
            SkyModel(name="halo", spectral_model=product, spatial_model=ConstantSpatialModel()),
            SkyModel(name="jet", spectral_model=PowerLawSpectralModel()),
            BackgroundIRFModel(dataset_name="hess", spectral_model=PiecewiseNormSpectralModel(energy=[1.0, 3.0, 10.0])),
            SkyModel(name="iso", spectral_model=TemplateSpectralModel(energy=[1.0, 10.0], values=[1e-12, 1e-14])),
        ]
    )
    models = models.with_parameters(
        {
            "crab.alpha": {"min": 1.0, "max": 4.0, "prior": GaussianPrior(2.3, 0.2, weight=0.5)},
            "crab.lat_0": {"min": float("nan"), "value": 3.0},
            "hess-bkg.norm_1": {"value": 1.1, "frozen": True},
        }
    )
    links = [Link("jet.index", "halo.index"), Link("jet.amplitude", "halo.amplitude", scale=0.5, offset=1e-13)]
    models = models.with_links(links)
    matrix = np.zeros((len(models.parameters),) * 2)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = 1e-24, 3e-14, 3e-14, 1e-2
    k, n = models.resolve("halo.index"), models.resolve("jet.index")
    matrix[k, k] = matrix[k, n] = matrix[n, k] = matrix[n, n] = 0.04
    return models.with_covariance(matrix)


def reread(document: dict[str, Any]) -> Models:
    models = Models.from_dict(document, lambda *problem: pytest.fail(str(problem)), Path())
    assert models is not None
    return models


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    models = everything()
    models.write(tmp_path / "models.yaml")
    again = Models.read(tmp_path / "models.yaml")
    assert again.to_dict() == models.to_dict()
    assert again.links == models.links
    assert [p.error for p in again.parameters] == [p.error for p in models.parameters]
    assert models.covariance is not None
    assert again.covariance is not None
    np.testing.assert_array_equal(again.covariance, models.covariance)


def test_the_same_models_give_the_same_bytes(tmp_path: Path) -> None:
    everything().write(tmp_path / "a.yaml")
    first = (tmp_path / "a.yaml").read_bytes(), (tmp_path / "a_covariance.dat").read_bytes()
    Models.read(tmp_path / "a.yaml").write(tmp_path / "a.yaml", overwrite=True)
    assert first == ((tmp_path / "a.yaml").read_bytes(), (tmp_path / "a_covariance.dat").read_bytes())


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    everything().write(tmp_path / "a.yaml")
    with pytest.raises(DataError, match="exists already"):
        everything().write(tmp_path / "a.yaml")


def test_blocks_have_gammapys_keys_in_gammapys_order() -> None:
    crab, halo, _, background, iso = everything().to_dict()["components"]
    assert list(crab) == ["name", "type", "apply_irf", "datasets_names", "spectral", "spatial", "temporal"]
    assert list(crab["spatial"]) == ["type", "frame", "parameters"]
    assert crab["temporal"] == {"type": "ConstantTemporalModel", "parameters": [], "scale": "utc"}
    assert list(halo["spectral"]) == ["type", "model1", "model2", "operator"]
    assert halo["spatial"] == {"type": "ConstantSpatialModel", "parameters": []}
    assert list(background) == ["type", "datasets_names", "spectral"]
    assert list(background["spectral"]) == ["type", "parameters", "energy", "interp"]
    assert list(iso["spectral"]) == ["type", "parameters", "energy", "values"]


def test_parameters_keep_what_differs_from_the_default() -> None:
    crab = everything().to_dict()["components"][0]
    amplitude, reference, alpha, _ = crab["spectral"]["parameters"]
    assert amplitude == {"name": "amplitude", "value": 3e-11, "unit": "cm-2 s-1 TeV-1", "error": 1e-12}
    assert reference == {"name": "reference", "value": 1.0, "unit": "TeV"}
    assert list(alpha) == ["name", "value", "error", "min", "max", "prior"]
    assert alpha["prior"]["weight"] == 0.5
    latitude = crab["spatial"]["parameters"][1]
    assert np.isnan(latitude["min"])  # the class's own limit is taken away
    assert "max" not in latitude


def test_links_have_stable_labels_and_general_ones_their_own_list() -> None:
    document = everything().to_dict()
    labelled = [p["link"] for c in document["components"] for p in _parameters(c["spectral"]) if "link" in p]
    assert labelled == ["index@halo", "index@halo"]
    assert document["links"] == [
        {
            "parameter": "jet.amplitude",
            "equals": "halo.amplitude",
            "scale": 0.5,
            "offset": "1e-13 TeV-1 s-1 cm-2",
        }
    ]


def test_files_are_copied_beside_a_document_that_is_written_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "map.fits").write_bytes(b"a map")
    shape = {"type": "TemplateSpatialModel", "frame": "galactic", "filename": "map.fits", "normalize": True}
    component = {"name": "a", "type": "SkyModel", "spectral": {"type": "pl"}, "spatial": shape}
    models = Models.from_dict({"components": [component]}, lambda *problem: pytest.fail(str(problem)), tmp_path)
    assert models is not None
    assert isinstance(models["a"].spatial_model, TemplateSpatialModel)
    models.write(tmp_path / "results" / "fit" / "models.yaml")
    written = tmp_path / "results" / "fit" / "models.yaml"
    assert "filename: map.fits" in written.read_text(encoding="utf-8")
    assert (written.parent / "map.fits").read_bytes() == b"a map"
    # Another file of that name stays as it is, and the document says where the right one is.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "map.fits").write_bytes(b"another map")
    models.write(tmp_path / "other" / "models.yaml")
    assert "filename: ../map.fits" in (tmp_path / "other" / "models.yaml").read_text(encoding="utf-8")
    assert (tmp_path / "other" / "map.fits").read_bytes() == b"another map"
    Models.read(tmp_path / "results" / "fit" / "models.yaml")


def with_templates(folder: Path, *files: str) -> Models:
    """Components with shapes from these files."""
    rows = [
        {
            "name": f"c{number}",
            "type": "SkyModel",
            "spectral": {"type": "pl"},
            "spatial": {"type": "TemplateSpatialModel", "frame": "galactic", "filename": file, "normalize": True},
        }
        for number, file in enumerate(files)
    ]
    models = Models.from_dict({"components": rows}, lambda *problem: pytest.fail(str(problem)), folder)
    assert models is not None
    return models


def test_templates_are_told_apart_by_their_content(tmp_path: Path) -> None:
    for folder, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.fits").write_bytes(content)
        os.utime(tmp_path / folder / "t.fits", (1, 1))  # as from an archive with one time for all
    models = with_templates(tmp_path, "a/t.fits", "b/t.fits", "c/t.fits")
    written = tmp_path / "out" / "models.yaml"
    for _ in range(2):
        models.write(written, overwrite=True)
        names = [c["spatial"]["filename"] for c in yaml.safe_load(written.read_text())["components"]]
        assert names == ["t.fits", "t-2.fits", "t.fits"]
        assert [(written.parent / name).read_bytes() for name in names] == [b"one", b"two", b"one"]
    with pytest.raises(DataError, match="exists already\n    pass overwrite=True"):
        models.write(written)


def test_a_copy_of_ones_own_is_replaced_and_that_of_others_is_not(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "t.fits").write_bytes(b"new")
    copy = tmp_path / "out" / "t.fits"
    models = with_templates(tmp_path, "t.fits")
    for own, name in (([], "../t.fits"), ([copy], "t.fits")):
        copy.write_bytes(b"old")
        writer = models.writer(tmp_path / "out" / "models.yaml", own)
        assert (copy in writer.files) == bool(own)
        writer.write()
        assert f"filename: {name}" in (tmp_path / "out" / "models.yaml").read_text()
        assert copy.read_bytes() == (b"new" if own else b"old")


def test_templates_that_are_beside_the_document_stay_and_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "t.fits").write_bytes(b"here")
    (tmp_path / "else" / "t.fits").write_bytes(b"there")
    models = with_templates(tmp_path, "else/t.fits", "t.fits")
    models.write(tmp_path / "models.yaml")
    names = [c["spatial"]["filename"] for c in yaml.safe_load((tmp_path / "models.yaml").read_text())["components"]]
    assert names == ["t-2.fits", "t.fits"]
    assert (tmp_path / "t.fits").read_bytes() == b"here"


def test_covariance_text_is_that_of_astropy() -> None:
    from astropy.table import Table

    names = ("a.spectral.index", "longer name.spectral.amplitude")
    matrix = np.array([[0.010000000000000002, -1.23456789e-14], [-1.23456789e-14, 2.5e-25]])
    table = Table({"Parameters": list(names)} | {str(k): matrix[k] for k in range(2)})
    import io

    expected = io.StringIO()
    table.write(expected, format="ascii.fixed_width", delimiter="|")
    assert format_covariance(names, matrix) == expected.getvalue()


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("TeV-1 s-1 cm-2", "TeV-1 s-1 cm-2"),
        ("1 / (cm2 s TeV)", "TeV-1 s-1 cm-2"),
        ("", ""),
        ("deg", "deg"),
        ("GeV / (cm2 s)", "GeV s-1 cm-2"),
        ("ph cm-2 s-1 TeV-1", "TeV-1 s-1 cm-2"),
        ("ph / (cm2 s TeV)", "TeV-1 s-1 cm-2"),
        ("ct", ""),
        ("1/cm2/s/TeV", "TeV-1 s-1 cm-2"),
    ],
)
def test_units_have_fits_form(unit: str, written: str) -> None:
    assert sorted(fits_unit(unit).split()) == sorted(written.split())


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(finite, st.floats(0, 1e10), st.booleans(), st.text(min_size=1, max_size=8))
def test_numbers_and_names_survive(value: float, error: float, frozen: bool, name: str) -> None:
    import math

    from gm.config_schemas.reader import read_document

    if not name.isprintable():
        name = "x"
    models = Models([SkyModel(name=name, spectral_model=PowerLawSpectralModel(index=value))])
    k = models.parameters[0]
    models = models.with_flat([type(k)("index", value, error=error, frozen=frozen), *models.parameters[1:]])
    again = reread(read_document("x.yaml", dump_yaml(models.to_dict(), allow_nan=True)).data)
    assert again.names == models.names
    read = again.parameters[0]
    assert (read.value, read.error, read.frozen) == (value, error, frozen)
    assert math.copysign(1, read.value) == math.copysign(1, value)


def test_gammapy_reads_what_is_written(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    everything().write(tmp_path / "models.yaml")
    script = (
        "import json, sys; from gammapy.modeling.models import Models; m = Models.read(sys.argv[1]);"
        "print(json.dumps([m.names, m['crab'].spectral_model.alpha.error, m['crab'].spectral_model.alpha.prior.weight,"
        "m['jet'].spectral_model.index is m['halo'].spectral_model.model1.index, m['crab'].apply_irf['edisp']]))"
    )
    names = ["crab", "halo", "jet", "hess-bkg", "iso"]
    assert gammapy(script, tmp_path / "models.yaml") == [names, 0.1, 0.5, True, False]


def _parameters(spectral: dict[str, Any]) -> list[dict[str, Any]]:
    if "model1" in spectral:
        return _parameters(spectral["model1"]) + _parameters(spectral["model2"])
    rows: list[dict[str, Any]] = spectral["parameters"]
    return rows
