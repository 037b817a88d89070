"""Templates under operations: maps of counts go along with the bins, shapes with energies become images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset
from gm.datasets import operations as ops
from gm.likelihood.prediction import predict_component
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    GaussianPrior,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateNPredModel,
    TemplateSpatialModel,
)
from tests.datasets.operations.cases import LAT, LON, on_off_map, sky_map

RANDOM = np.random.default_rng(3)
SAFE = RANDOM.random((4, 20, 20)) > 0.3


def counts_file(folder: Path, dataset: MapDataset) -> str:
    path = folder / "galactic.fits"
    write_map(path, Map(dataset.geometry, (dataset.energy,), RANDOM.random(dataset.counts.shape)))
    return str(path)


def template(folder: Path, dataset: str | None = "map", tilt: float = 0.0, **options: Any) -> TemplateNPredModel:
    spectrum = PowerLawNormSpectralModel(norm=Parameter("norm", 0.7, prior=GaussianPrior(mu=1.0, sigma=0.1)), tilt=tilt)
    return TemplateNPredModel(
        name="galactic",
        filename=counts_file(folder, sky_map()),
        spectral_model=spectrum,
        datasets_names=None if dataset is None else [dataset],
        **options,
    )


def safe_total(dataset: Any, component: Any) -> float:
    counts = predict_component(dataset, component)
    return float(np.sum(counts, where=True if dataset.mask_safe is None else dataset.mask_safe))


SUMMING: dict[str, Any] = {
    "to_image": {},
    "resample_energy": {"edges": [0.5, 2.0, 20.0]},
    "downsample": {"factor": 2},
    "pad": {"width": "0.3 deg"},
    "to_masked": {},
}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
@pytest.mark.parametrize("operation", SUMMING)
def test_counts_are_kept(operation: str, tilt: float, keep: bool, tmp_path: Path) -> None:
    dataset = sky_map(mask_safe=SAFE)
    component = template(tmp_path, tilt=tilt)
    before = safe_total(dataset, component)
    outcome = getattr(ops, operation)(
        Datasets([dataset]), Models([component]), "map", name="x", keep=keep, **SUMMING[operation]
    )
    name = "galactic-x" if keep else "galactic"
    moved = outcome.models[name]
    assert moved.datasets_names == ("x",)
    assert safe_total(outcome.datasets["x"], moved) == pytest.approx(before, rel=1e-12)
    is_baked = operation == "to_image" or (operation == "resample_energy" and tilt != 0)
    assert outcome.edits[0].action == ("baked" if is_baked else "copied" if keep else "carried")
    assert moved.spectral_model.norm.value == (1.0 if is_baked else 0.7)
    assert ("prior of norm dropped" in outcome.edits[0].text) == (is_baked and not keep)
    assert outcome.models.names == (["galactic", "galactic-x"] if keep else ["galactic"])


def test_selected_bins(tmp_path: Path) -> None:
    dataset, component = sky_map(), template(tmp_path, tilt=0.3)
    datasets, models = Datasets([dataset]), Models([component])
    before = predict_component(dataset, component)
    sliced = ops.slice_energy(datasets, models, "map", name="x", min=1.2)
    np.testing.assert_allclose(predict_component(sliced.datasets["x"], sliced.models[0]), before[1:], rtol=1e-12)
    cut = ops.cutout(datasets, models, "map", name="x", center=(LON, LAT), width="1 deg")
    np.testing.assert_allclose(predict_component(cut.datasets["x"], cut.models[0]), before[:, 5:15, 5:15], rtol=1e-12)


def test_stacked_counts_and_the_file_that_they_are_written_to(tmp_path: Path) -> None:
    datasets = Datasets([sky_map(mask_safe=SAFE), sky_map("b", 2)])
    component = template(tmp_path, tilt=0.3)
    outcome = ops.stack(datasets, Models([component]), "*", name="x")
    before = np.where(SAFE, predict_component(datasets["map"], component), 0.0)
    np.testing.assert_allclose(predict_component(outcome.datasets["x"], outcome.models[0]), before, rtol=1e-12)
    outcome.models.write(tmp_path / "new" / "models.yaml")
    assert (tmp_path / "new" / "galactic-x.fits").is_file()
    again = Models.read(tmp_path / "new" / "models.yaml")
    assert np.array_equal(
        predict_component(outcome.datasets["x"], again[0]), predict_component(outcome.datasets["x"], outcome.models[0])
    )
    for_all = template(tmp_path, None)
    outcome = ops.stack(datasets, Models([for_all]), "*", name="x")
    total = sum(safe_total(dataset, for_all) for dataset in datasets)
    assert safe_total(outcome.datasets["x"], outcome.models[0]) == pytest.approx(total, rel=1e-12)


def test_one_map_of_counts_cannot_be_on_two_grids(tmp_path: Path) -> None:
    datasets, models = Datasets([sky_map(), sky_map("b", 2)]), Models([template(tmp_path, None)])
    with pytest.raises(ops.Refused, match=r"galactic is one map of counts for all datasets.*\n    give each dataset"):
        ops.to_image(datasets, models, "map", name="x")
    with pytest.raises(ops.Refused, match="galactic is one map of counts for all datasets"):
        ops.to_image(datasets, models, "*", suffix="-x")
    with pytest.raises(ops.Refused, match="galactic is one map of counts for all datasets"):
        ops.stack(datasets, models, "*", name="x", keep=True)


def test_counts_in_a_region_join_its_background(tmp_path: Path) -> None:
    dataset, component = sky_map(), template(tmp_path)
    region = {"type": "circle", "center": [LON, LAT], "radius": "0.4 deg"}
    arguments: Any = {"name": "x", "region": region, "predict": predict_component}
    outcome = ops.to_spectrum_dataset(Datasets([dataset]), Models([component]), "map", **arguments)
    plain = ops.to_spectrum_dataset(Datasets([dataset]), Models(), "map", **arguments)
    assert [(edit.action, edit.component) for edit in outcome.edits] == [("folded", "galactic")]
    assert outcome.models.names == []
    added = outcome.datasets["x"].background.sum() - plain.datasets["x"].background.sum()  # type: ignore[union-attr]
    assert added == pytest.approx(outcome.edits[0].data["predicted"], rel=1e-12)


@pytest.fixture
def diffuse(tmp_path: Path) -> SkyModel:
    """A ridge that gets narrower with energy, on larger pixels than the dataset's."""
    geometry = WcsGeometry.create(LON, LAT, 0.15, shape=(24, 24), projection="TAN")
    energy = EnergyAxis(np.geomspace(0.2, 50.0, 8), "energy_true")
    _, lat = geometry.grid()
    width = 0.5 * energy.center[:, None, None] ** -0.3
    write_map(tmp_path / "ridge.fits", Map(geometry, (energy,), np.exp(-0.5 * ((lat - LAT) / width) ** 2), "sr-1"))
    return SkyModel(
        name="diffuse",
        spectral_model=PowerLawSpectralModel(index=2.4, amplitude="1e-11 TeV-1 s-1 cm-2"),
        spatial_model=TemplateSpatialModel(filename=str(tmp_path / "ridge.fits"), normalize=False),
    )


def test_a_shape_with_energies_becomes_an_image(diffuse: SkyModel, tmp_path: Path) -> None:
    whole = sky_map()
    plain = ops.to_image(Datasets([whole]), Models([diffuse]), "map", name="x")
    assert [(edit.action, edit.component) for edit in plain.edits] == [("collapsed", "diffuse")]
    shape = plain.models["diffuse"].spatial_model
    assert shape is not None
    assert not shape.is_energy_dependent
    after = predict_component(plain.datasets["x"], plain.models["diffuse"])[0]
    assert after.sum() == pytest.approx(predict_component(whole, diffuse).sum(), rel=1e-3)  # one shape before each PSF

    dataset = sky_map(mask_safe=SAFE)
    before = safe_total(dataset, diffuse)
    scaled = ops.to_image(Datasets([dataset]), Models([diffuse]), "map", name="x", predict=predict_component)
    image, component = scaled.datasets["x"], scaled.models["diffuse"]
    assert safe_total(image, component) == pytest.approx(before, rel=1e-12)
    assert component.parameters == diffuse.parameters
    scaled.models.write(tmp_path / "new" / "models.yaml")
    again = Models.read(tmp_path / "new" / "models.yaml")["diffuse"]
    assert np.array_equal(predict_component(image, again), predict_component(image, component))


def test_bins_whose_background_is_not_measured_are_no_part_of_an_image(diffuse: SkyModel) -> None:
    """They are not in its counts; the shape was scaled as if they were, by a third too much here."""
    given = on_off_map("map", n=20, mask_safe=SAFE)
    measured = SAFE & (RANDOM.random(SAFE.shape) > 0.3)
    dataset = given.with_(acceptance_off=np.where(measured, given.acceptance_off, 0.0))
    before = predict_component(dataset, diffuse)[measured].sum()
    outcome = ops.to_image(Datasets([dataset]), Models([diffuse]), "map", name="x", predict=predict_component)
    assert safe_total(outcome.datasets["x"], outcome.models["diffuse"]) == pytest.approx(before, rel=1e-12)


def test_without_a_psf_each_pixel_keeps_its_counts(diffuse: SkyModel) -> None:
    """The template's pixels are larger: what is interpolated between them is a mean of logarithms before and after."""
    dataset = sky_map(psf=None)
    before = predict_component(dataset, diffuse).sum(axis=0)
    outcome = ops.to_image(Datasets([dataset]), Models([diffuse]), "map", name="x")
    after = predict_component(outcome.datasets["x"], outcome.models["diffuse"])[0]
    np.testing.assert_allclose(after, before, rtol=5e-3)


def test_a_shape_that_others_need_keeps_its_energies(diffuse: SkyModel) -> None:
    datasets = Datasets([sky_map(), sky_map("b", 2)])
    outcome = ops.to_image(datasets, Models([diffuse]), "map", name="x", predict=predict_component)
    assert outcome.models["diffuse"].spatial_model is diffuse.spatial_model
    before, after = safe_total(datasets["map"], diffuse), safe_total(outcome.datasets["x"], outcome.models["diffuse"])
    assert after == pytest.approx(before, rel=1e-10)
