"""The code blocks of PIG 20, nearly letter by letter, with imports from gm.

The proposal: one global model, datasets that hold none, and a fit that changes neither.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm import BackgroundIRFModel, Datasets, Fit, FluxPointsEstimator, Models, PowerLawNormSpectralModel
from gm.datasets import MapDataset
from gm.errors import DataError
from gm.io.tables import Column
from gm.likelihood import predicted_counts
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.regions import Region, RegionGeometry
from tests.datasets.operations.cases import background, sky_map, source
from tests.samples import power_law, spectrum


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """my-models.yaml and my-datasets.yaml in the working directory."""
    monkeypatch.chdir(tmp_path)
    Datasets([spectrum("my-dataset", 1, exposure=1e13), spectrum("another", 2, exposure=1e13)]).write(
        "my-datasets.yaml"
    )
    Models([power_law("my_source"), background("my-dataset")]).write("my-models.yaml")
    return tmp_path


def test_models_are_read_fitted_and_stay(files: Path) -> None:
    models = Models.read("my-models.yaml")
    datasets = Datasets.read("my-datasets.yaml")
    datasets.set_models(models)
    datasets.set_models_parameters(models.parameters)
    before = models.to_dict()
    fit = Fit(datasets)
    result = fit.optimize(models)
    assert models.to_dict() == before
    assert result.models is not models
    assert result.models.parameters["my_source.index"].value != models.parameters["my_source.index"].value
    points = FluxPointsEstimator(source="my_source").run(datasets, models)
    assert [point.status for point in points.points] in (["ok"], ["upper_limit"])
    assert models.to_dict() == before


def test_values_are_pushed_into_the_binding_and_nowhere_else(files: Path) -> None:
    models = Models.read("my-models.yaml")
    datasets = Datasets.read("my-datasets.yaml")
    with pytest.raises(DataError, match="no models are bound"):
        predicted_counts(datasets)
    datasets.set_models(models)
    counts = predicted_counts(datasets)
    doubled = models.with_parameters({"my_source.amplitude": 2e-11, "my-dataset-bkg.norm": 2.0})
    datasets.set_models_parameters(doubled.parameters)
    np.testing.assert_allclose(predicted_counts(datasets)["my-dataset"], 2 * counts["my-dataset"], rtol=1e-12)
    assert models.parameters["my_source.amplitude"].value == 1e-11
    assert not any(isinstance(value, Models) for dataset in datasets for value in vars(dataset).values())
    with pytest.raises(DataError, match="1 parameters for a model that has 6"):
        datasets.set_models_parameters(models.parameters[:1])


class Maker:
    """A maker in the shape of the proposal: a dataset, and the component that corrects its background."""

    def run(self, dataset: MapDataset) -> tuple[MapDataset, BackgroundIRFModel]:
        return dataset, BackgroundIRFModel(dataset_name=dataset.name)


def test_backgrounds_of_many_observations(files: Path) -> None:
    bkg_maker = Maker()
    models = Models()
    for obs_id in (1, 2):
        dataset, bkg_model = bkg_maker.run(sky_map(f"obs-{obs_id}", obs_id))
        dataset.write(f"dataset-{obs_id}.fits.gz")
        models.extend([bkg_model])
    models.write("my-model.yaml")
    assert Models.read("my-model.yaml").names == ["obs-1-bkg", "obs-2-bkg"]
    assert models["obs-2-bkg"].datasets_names == ("obs-2",)
    entries = [{"name": f"obs-{k}", "type": "MapDataset", "filename": f"dataset-{k}.fits.gz"} for k in (1, 2)]
    assert Datasets.read({"datasets": entries}).names == ["obs-1", "obs-2"]


def test_a_background_is_evaluated_on_maps_of_pixels_and_regions() -> None:
    bkg_model = BackgroundIRFModel(
        spectral_model=PowerLawNormSpectralModel(norm=1, tilt=0.1), dataset_name="my-dataset"
    )
    energy = EnergyAxis(np.geomspace(0.1, 10.0, 4))
    factor = energy.center**-0.1
    image = Map(WcsGeometry.create(0.0, 0.0, 0.1, shape=(2, 3)), (energy,), np.ones((3, 2, 3)))
    np.testing.assert_allclose(bkg_model.evaluate(map=image).data, factor[:, None, None] * np.ones((1, 2, 3)))
    region = RegionGeometry(Region((Column("SHAPE", np.array(["point"])),), {}, ()))
    spectrum_map = Map(region, (energy,), np.ones((3, 1, 1)))
    np.testing.assert_allclose(bkg_model.evaluate(map=spectrum_map).data[:, 0, 0], factor)
    np.testing.assert_allclose(bkg_model.evaluate(energy.center), factor)
    models = Models([bkg_model, source()])
    assert models["my-dataset-bkg"] is bkg_model
