"""The typical Cherenkov array on a map: its responses and its background in a field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.irf.edisp_map import EdispKernelMap
from gm.irf.parametric import CherenkovArray, centers, log_normal_edisp
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry

FIELD_SIGMA = 1.7  # [deg] half of the acceptance is left 2 deg from the pointing
ON_RADIUS = 0.1  # [deg] of the region that `CherenkovArray.background` is for
RAD_MAX, RAD_BINS = 0.66, 66
PSF_FLOOR, PSF_AT_TEV, PSF_INDEX = 0.03, 0.06, -0.5


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """What an array sees. exposure : (n_energy_true, n_y, n_x) [cm2 s]; background : (n_energy, n_y, n_x) counts."""

    exposure: Array
    background: Array
    psf: PsfMap
    edisp: EdispKernelMap


def field_of_view(
    array: CherenkovArray,
    geometry: WcsGeometry,
    energy: EnergyAxis,
    energy_true: EnergyAxis,
    livetime: float,
    pointing: tuple[float, float] | None = None,
) -> FieldOfView:
    r"""The responses of an array that looks at ``pointing`` [deg, frame of the grid], by default its centre.

    - acceptance of gamma rays and background: :math:`e^{-\theta^2 / 2 \sigma^2}` with :math:`\sigma` = 1.7 deg
    - Gaussian PSF, the same everywhere, with :math:`\sigma^2 = 0.03^2 + 0.06^2\,(E/\mathrm{TeV})^{-1}` deg2: 68 %
      within 0.10 deg at 1 TeV, as for H.E.S.S. (Aharonian et al. 2006, A&A 457, 899), and 0.05 deg at 10 TeV
    - energy dispersion and background per solid angle: those of the spectra of the same array

    livetime in s.
    """
    lon, lat = pointing or geometry.center()
    acceptance = np.exp(-0.5 * (geometry.separation(lon, lat) / FIELD_SIGMA) ** 2)
    on_axis = array.exposure(energy_true.edges, livetime)
    rate = array.background(energy_true.edges, energy.edges, livetime) / (np.pi * np.radians(ON_RADIUS) ** 2)
    spot = WcsGeometry.create(*geometry.center(), max(geometry.width()), shape=(1, 1), frame=geometry.frame)
    at_spot = on_axis[:, None, None]
    edisp = log_normal_edisp(energy_true.edges, energy.edges, array.resolution, array.bias)
    return FieldOfView(
        exposure=on_axis[:, None, None] * acceptance,
        background=rate[:, None, None] * acceptance * geometry.solid_angle(),
        psf=gaussian_psf(spot, energy_true, at_spot),
        edisp=EdispKernelMap(spot, energy_true, energy, edisp[:, :, None, None], at_spot),
    )


def gaussian_psf(geometry: WcsGeometry, energy_true: EnergyAxis, exposure: Array) -> PsfMap:
    """The PSF of the array on a grid of one pixel. exposure : (n_energy_true, 1, 1) [cm2 s]."""
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, RAD_MAX, RAD_BINS + 1), "deg")
    sigma = psf_sigma(centers(energy_true.edges))[:, None]
    profile = np.exp(-0.5 * (rad.center / sigma) ** 2) / (2.0 * np.pi * np.radians(sigma) ** 2)
    return PsfMap(geometry, energy_true, rad, profile[:, :, None, None], exposure)


def psf_sigma(energy: Array) -> Array:
    """Width of the PSF (n,) [deg] at true energies (n,) [TeV]."""
    return np.hypot(PSF_FLOOR, PSF_AT_TEV * energy**PSF_INDEX)
