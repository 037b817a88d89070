"""The simulation stage: what is drawn is what the global model predicts, whatever kind of data it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Dataset, Datasets, MapDatasetOnOff, SpectrumDatasetOnOff
from gm.datasets.acceptances import off_background
from gm.models import BackgroundIRFModel, Models, PowerLawNormSpectralModel
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from tests.datasets.operations.cases import on_off_map, sky_map, source
from tests.samples import on_off, power_law, spectrum

NORM, TILT = 2.0, 0.3
KINDS: dict[str, Any] = {
    "spectrum": lambda: spectrum("a", 1),
    "on/off spectrum": lambda: on_off("a", 1),
    "map": lambda: sky_map("a"),
    "on/off map": lambda: on_off_map("a"),
}


def simulated(folder: Path, dataset: Dataset, *, with_background: bool, rest: str = "") -> Dataset:
    """The dataset with expected counts, of a source and perhaps a background component."""
    Datasets([dataset]).write(folder / "given", overwrite=True)
    norm = PowerLawNormSpectralModel(norm=NORM, tilt=TILT)
    sky = source() if dataset.type.startswith("Map") else power_law("crab")
    components = [sky, BackgroundIRFModel(spectral_model=norm, dataset_name="a")] if with_background else [sky]
    Models(components).write(folder / "models.yaml", overwrite=True)
    text = "version: 1\nmodels: models.yaml\ndatasets: given/datasets.yaml\noutput: results\nsimulate: {asimov: true}\n"
    (folder / "config.yaml").write_text(text + rest)
    run(Request(str(folder / "config.yaml")), Silent())
    return Datasets.read(folder / "results" / "datasets.yaml")["a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_background_component_scales_all_that_is_background(kind: str, tmp_path: Path) -> None:
    dataset = KINDS[kind]()
    plain: Any = simulated(tmp_path / "plain", dataset, with_background=False)
    scaled: Any = simulated(tmp_path / "scaled", dataset, with_background=True)
    factor = NORM * dataset.energy.center**-TILT  # the reference energy is 1 TeV
    factor = factor if scaled.counts.ndim == 1 else factor[:, None, None]
    if isinstance(plain, SpectrumDatasetOnOff | MapDatasetOnOff):
        np.testing.assert_allclose(scaled.counts_off, plain.counts_off * factor, rtol=1e-6)
        background = off_background(plain.counts_off, plain.acceptance, plain.acceptance_off)
    else:
        background = plain.background
    np.testing.assert_allclose(scaled.counts, plain.counts + background * (factor - 1.0), rtol=1e-5, atol=1e-6)


def test_a_fit_of_expected_on_off_counts_finds_the_model_that_they_are_from(tmp_path: Path) -> None:
    simulated(tmp_path, on_off("a", 1), with_background=True, rest="fit: {}\n")
    start, best = (Models.read(tmp_path / file) for file in ("models.yaml", "results/fit/models.yaml"))
    for address in ("crab.index", "crab.amplitude"):
        assert best.parameters[address].value == pytest.approx(start.parameters[address].value, rel=1e-6)
