"""Components with a factor of the position, and templates of predicted counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.errors import DataError
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.models import (
    BackgroundIRFModel,
    GaussianSpatialModel,
    ModelError,
    Models,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    TemplateNPredModel,
)

GEOMETRY = WcsGeometry.create(83.6, 22.0, 0.1, shape=(7, 9), projection="TAN")
ENERGY = EnergyAxis.from_bounds(1.0, 10.0, n_bins=3)


def write_counts(path: Path, energy: EnergyAxis = ENERGY, geometry: WcsGeometry = GEOMETRY) -> np.ndarray[Any, Any]:
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    counts = np.random.default_rng(3).uniform(1, 5, (energy.n_bins, *geometry.shape)).astype(np.float32)
    header = fits.Header(dict(geometry.cards) | {"BANDSHDU": "PRIMARY_BANDS"})
    bands = {"CHANNEL": np.arange(energy.n_bins), "E_MIN": energy.lo, "E_MAX": energy.hi, "ENERGY": energy.center}
    table = fits.table_to_hdu(AstropyTable(bands, units={"E_MIN": "TeV", "E_MAX": "TeV", "ENERGY": "TeV"}))
    table.name = "PRIMARY_BANDS"
    table.header.update({"AXCOLS1": "E_MIN,E_MAX", "INTERP1": "log"})
    fits.HDUList([fits.PrimaryHDU(counts, header), table]).writeto(path)
    return counts


def test_a_background_with_a_factor_of_the_position() -> None:
    shape = GaussianSpatialModel(lon_0=83.6, lat_0=22.0, sigma=0.5)
    model = BackgroundIRFModel(dataset_name="run", spatial_model=shape)
    factor, gradient = model.spatial_factor_gradient(GEOMETRY)
    np.testing.assert_allclose(factor, shape.at(*GEOMETRY.grid()), rtol=1e-13)
    np.testing.assert_array_equal(model.spatial_factor(GEOMETRY), factor)
    assert gradient.shape == (5, 7, 9)
    plain = BackgroundIRFModel(dataset_name="run")
    np.testing.assert_array_equal(plain.spatial_factor(GEOMETRY), 1.0)
    assert plain.spatial_factor_gradient(GEOMETRY)[1].shape == (0, 7, 9)
    with pytest.raises(ModelError, match="has no density"):
        BackgroundIRFModel(dataset_name="run", spatial_model=PointSpatialModel()).spatial_factor(GEOMETRY)


def test_a_template_of_counts(tmp_path: Path) -> None:
    counts = write_counts(tmp_path / "counts.fits")
    model = TemplateNPredModel(name="cosmic", filename=str(tmp_path / "counts.fits"), datasets_names="run")
    assert model.applies_to("run")
    assert not model.applies_to("other")
    np.testing.assert_allclose(model.template(GEOMETRY, ENERGY), counts, rtol=1e-7)
    changed = model.with_parameters([p.given(p.value * 2) for p in model.parameters])
    assert changed.counts is model.counts
    with pytest.raises(DataError, match="energies that are not those"):
        model.template(GEOMETRY, EnergyAxis.from_bounds(1.0, 9.0, n_bins=3))
    with pytest.raises(DataError, match="pixels that are not those"):
        model.template(WcsGeometry.create(83.7, 22.0, 0.1, shape=(7, 9)), ENERGY)
    with pytest.raises(ModelError, match="for one dataset, not for 2"):
        TemplateNPredModel(filename="x", datasets_names=("a", "b"))
    with pytest.raises(ModelError, match="needs a norm model"):
        TemplateNPredModel(filename="x", spectral_model=PowerLawSpectralModel())


def test_a_template_of_counts_in_a_document(tmp_path: Path) -> None:
    write_counts(tmp_path / "counts.fits")
    component: dict[str, Any] = {
        "name": "cosmic",
        "type": "TemplateNPredModel",
        "spectral": {"type": "pl-norm", "parameters": [{"name": "norm", "value": 1.3}]},
        "filename": "counts.fits",
        "datasets_names": ["run"],
    }
    found: list[str] = []

    def read(**changes: Any) -> Models | None:
        found.clear()
        data = {"components": [{**component, **changes}]}
        return Models.from_dict(data, lambda path, message, hint: found.append(message), tmp_path)

    models = read()
    assert models is not None, found
    assert isinstance(models["cosmic"], TemplateNPredModel)
    assert models.parameters["cosmic.norm"].value == 1.3
    models.write(tmp_path / "models.yaml")
    assert Models.read(tmp_path / "models.yaml").to_dict() == models.to_dict()
    assert "filename: counts.fits" in (tmp_path / "models.yaml").read_text(encoding="utf-8")
    assert read(datasets_names=["a", "b"]) is None
    assert found == ["expected one dataset, found a, b"]
    assert read(spectral={"type": "pl"}) is None
    assert found == ["PowerLawSpectralModel is not a norm model, which a template model needs"]
    assert read(spatial={"type": "point"}) is None
    assert found == ["PointSpatialModel has no density, which a factor of the position needs"]
    assert read(filename="gone.fits") is None
    assert "gone.fits' does not exist" in found[0]
    default = TemplateNPredModel(filename="x").spectral_model
    assert isinstance(default, PowerLawNormSpectralModel)
    assert default.tilt.frozen
