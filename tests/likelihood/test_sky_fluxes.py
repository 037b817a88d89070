"""What maps alone can have. Spectra and flux points took norms of templates, 1 cm-2 s-1 TeV-1, for fluxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gm
from gm.cli import main
from gm.datasets import Dataset, Datasets
from gm.errors import DataError
from gm.likelihood import JointLikelihood
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    ConstantSpatialModel,
    Models,
    PowerLawNormSpectralModel,
    SkyModel,
    TemplateNPredModel,
    TemplateSpatialModel,
)
from tests.map_samples import LAT, LON, cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum


def diffuse(folder: Path, datasets_names: list[str] | None = None) -> SkyModel:
    """A factor of a template in cm-2 s-1 TeV-1 sr-1, as files of diffuse emission are."""
    grid = WcsGeometry.create(LON, LAT, 0.5, shape=(9, 9))
    write_map(folder / "diffuse.fits", Map(grid, (), np.full((9, 9), 1e-11), "TeV-1 cm-2 s-1 sr-1"))
    shape = TemplateSpatialModel(filename=str(folder / "diffuse.fits"), normalize=False)
    return SkyModel(
        name="iem",
        spectral_model=PowerLawNormSpectralModel(),
        spatial_model=shape,
        datasets_names=None if datasets_names is None else tuple(datasets_names),
    )


@pytest.mark.parametrize("dataset", [spectrum("known"), on_off("run"), flux_points("points")], ids=lambda d: d.name)
def test_what_a_spectrum_sees_of_a_template_is_not_known(dataset: Dataset, tmp_path: Path) -> None:
    both = Datasets([cube(), dataset])
    crab = power_law("crab", datasets_names=[dataset.name])
    with pytest.raises(DataError, match=f"component iem: its PowerLawNorm.*; {dataset.name} is no map"):
        JointLikelihood(both, Models([crab, diffuse(tmp_path)]))
    there = JointLikelihood(both, Models([crab, diffuse(tmp_path, ["cube"])]))
    alone = JointLikelihood(Datasets([dataset]), Models([crab]))
    mine, theirs = (found.predicted(found.layout.start)[-1] for found in (there, alone))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_a_spectrum_per_solid_angle() -> None:
    everywhere = source("sky", ConstantSpatialModel(), amplitude="1e-11 TeV-1 s-1 cm-2 sr-1")
    JointLikelihood(Datasets([cube()]), Models([everywhere]))
    with pytest.raises(DataError, match=r"its spectrum is in TeV-1 s-1 cm-2 sr-1; a, b are no maps"):
        JointLikelihood(Datasets([spectrum("a"), spectrum("b")]), Models([everywhere]))
    bare = replace(everywhere, spectral_model=PowerLawNormSpectralModel(), spatial_model=None)
    with pytest.raises(DataError, match="its PowerLawNormSpectralModel is no flux"):
        JointLikelihood(Datasets([spectrum("a")]), Models([bare]))


def test_a_map_of_counts_is_for_a_map(tmp_path: Path) -> None:
    """Nothing of one with a fixed norm was predicted for a spectrum. One for all is for the maps among them."""
    dataset = cube()
    write_map(tmp_path / "n.fits", Map(dataset.geometry, (dataset.energy,), dataset.counts))
    both = Datasets([dataset, spectrum("known")])
    for names in (None, "cube", "known"):
        template = TemplateNPredModel(name="n", filename=str(tmp_path / "n.fits"), datasets_names=names)
        models = Models([power_law("crab", datasets_names=["known"]), template])
        if names == "known":
            with pytest.raises(DataError, match="component n: it is a map of counts, and known is no map"):
                JointLikelihood(both, models)
        else:
            likelihood = JointLikelihood(both, models)
            counts = likelihood.predicted(likelihood.layout.start)[0] - dataset.background
            np.testing.assert_allclose(counts, np.where(dataset.mask, dataset.counts, counts), atol=1e-9)


def test_validate_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gm.Datasets([cube(), spectrum("known")]).write(tmp_path / "datasets.yaml")
    models = Models([source("crab", point()), diffuse(tmp_path)])
    models.write(tmp_path / "models.yaml")
    config = "version: 1\ndatasets: datasets.yaml\nmodels: models.yaml\nfit: {}\n"
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(tmp_path / "config.yaml")])
    assert ended.value.code != 0
    said = capsys.readouterr()
    assert "component iem" in said.out + said.err
    assert "datasets_names" in said.out + said.err
