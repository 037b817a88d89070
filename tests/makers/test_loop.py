"""The loop over observations of PIG 20, as written there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm import Datasets, DataStore, FoVBackgroundMaker, MapDatasetMaker, Models, SafeMaskMaker
from gm.likelihood import predicted_counts
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from tests.dl3_files import events, write_observation


def test_the_loop_of_the_proposal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [write_observation(tmp_path / f"{n}.fits", n, events=events(800, n, (83.6, 22.5))) for n in (1, 2)]
    observations = DataStore.from_events_files(files).observations()
    geometry = WcsGeometry.create(83.6, 22.5, 0.25, 3.0)
    energies = EnergyAxis(np.geomspace(0.3, 30.0, 4)), EnergyAxis(np.geomspace(0.1, 90.0, 9), "energy_true")
    maker, safe_maker, bkg_maker = (
        MapDatasetMaker(),
        SafeMaskMaker(["offset-max"], offset_max=1.2),
        FoVBackgroundMaker(),
    )

    models = Models()
    for obs in observations:
        dataset, _ = maker.run(empty_map(f"obs-{obs.obs_id}", geometry, *energies), obs)
        dataset, _ = safe_maker.run(dataset, obs)
        dataset, bkg_model = bkg_maker.run(dataset)
        dataset.write(f"dataset-{obs.obs_id}.fits.gz")
        models.extend([bkg_model])
    models.write("my-model.yaml")

    assert Models.read("my-model.yaml").names == ["obs-1-bkg", "obs-2-bkg"]
    entries = [{"name": f"obs-{n}", "type": "MapDataset", "filename": f"dataset-{n}.fits.gz"} for n in (1, 2)]
    datasets = Datasets.read({"datasets": entries})
    datasets.set_models(Models.read("my-model.yaml"))
    for name, predicted in predicted_counts(datasets).items():
        dataset = datasets[name]
        np.testing.assert_allclose(predicted.sum(), dataset.counts[dataset.mask].sum(), rtol=1e-6)
