"""The flux of a component on the whole sky: a spectrum, or a factor of a template that is a flux itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.estimators.reference import Reference
from gm.maps.axes import Axis, EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import PowerLawNormSpectralModel, PowerLawSpectralModel, SkyModel, TemplateSpatialModel
from gm.models.sky_flux import no_flux, sky_flux

GRID = WcsGeometry.create(83.0, 22.0, 0.5, shape=(4, 6), projection="TAN")
ENERGY = EnergyAxis(np.geomspace(0.1, 100.0, 7), "energy_true")
PER_SR = "cm-2 s-1 TeV-1 sr-1"


def values(component: SkyModel) -> Array:
    return np.concatenate([model.values() for _, model in component.blocks()])


def emission(folder: Path, axes: tuple[Axis, ...], data: Array, unit: str = PER_SR, **options: object) -> SkyModel:
    """A norm of 2 times a template."""
    write_map(folder / "sky.fits", Map(GRID, axes, data, unit))
    shape = TemplateSpatialModel(filename=str(folder / "sky.fits"), **{"normalize": False, **options})
    return SkyModel(name="sky", spectral_model=PowerLawNormSpectralModel(norm=2.0), spatial_model=shape)


def test_a_template_with_energies(tmp_path: Path) -> None:
    """1e-9 (E / TeV)^-2 per steradian in every pixel: the sum over pixels times their solid angle, as integrals too."""
    density = np.broadcast_to(1e-9 * ENERGY.center[:, None, None] ** -2.0, (6, 4, 6)).copy()
    component = emission(tmp_path, (ENERGY,), density)
    area = float(np.sum(GRID.solid_angle()))
    assert no_flux(component) is None
    energy = np.array([0.3, 1.0, 17.0])
    assert sky_flux(component, energy, values(component)) == pytest.approx(2e-9 * area * energy**-2.0, rel=1e-6)
    [band] = Reference(component, values(component), Conventions.GAMMAPY).fluxes(np.array([[1.0, 4.0]]))
    assert band.dnde == pytest.approx(2e-9 * area / 4.0, rel=1e-6)
    assert band.flux == pytest.approx(2e-9 * area * 0.75, rel=1e-6)
    assert band.eflux == pytest.approx(2e-9 * area * np.log(4.0) * 1.602176634, rel=1e-6)


def test_a_template_without_energies(tmp_path: Path) -> None:
    data = np.arange(1.0, 25.0).reshape(4, 6) * 1e-10
    component = emission(tmp_path, (), data)
    expected = 2 * float(np.sum(data * GRID.solid_angle()))
    assert sky_flux(component, np.array([1.0, 9.0]), values(component)) == pytest.approx([expected] * 2, rel=1e-6)


def test_a_spectrum_is_the_flux_whatever_the_template(tmp_path: Path) -> None:
    write_map(tmp_path / "sky.fits", Map(GRID, (), np.ones((4, 6)), "sr-1"))
    shape = TemplateSpatialModel(filename=str(tmp_path / "sky.fits"))
    component = SkyModel(spectral_model=PowerLawSpectralModel(index=2.0), spatial_model=shape)
    assert no_flux(component) is None
    assert sky_flux(component, np.array([10.0]), values(component)) == pytest.approx([1e-14], rel=1e-12, abs=0)


def test_what_is_no_flux(tmp_path: Path) -> None:
    per_sr = SkyModel(spectral_model=PowerLawSpectralModel(amplitude="1e-12 TeV-1 s-1 cm-2 sr-1"))
    assert no_flux(per_sr) == ("its spectrum is in 'TeV-1 s-1 cm-2 sr-1': no differential flux in cm-2 s-1 TeV-1")
    factor = "its spectrum is a factor, and not of a template in cm-2 s-1 TeV-1 sr-1"
    for component in (
        SkyModel(spectral_model=PowerLawNormSpectralModel()),
        emission(tmp_path, (), np.ones((4, 6)), unit="", normalize=True),
    ):
        assert (no_flux(component) or "").startswith(factor)
