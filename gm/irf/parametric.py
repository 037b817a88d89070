"""Responses written down as formulas: what a typical instrument does, without its files.

Two instruments are known. Each is a published or typical parametrisation, good for studies and examples and never for
the analysis of real data. Energies in TeV, areas in cm2, times in s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from gm.arrays import Array
from gm.errors import GmError, suggest

YEAR = 365.25 * 86400.0


class UnknownInstrument(GmError, LookupError):
    """No parametrised instrument has this name."""

    exit_code = 3


def log_normal_edisp(energy_true_edges: Array, energy_edges: Array, sigma: float, bias: float = 0.0) -> Array:
    r"""Energy dispersion matrix of a log-normal resolution, averaged over each true-energy bin.

    .. math:: \ln E \sim N(\ln E_t + \ln(1 + b), \sigma^2)

    The average over a bin [a, b] of :math:`t = \ln E_t` is exact for a spectrum :math:`\propto 1/E_t`:
    :math:`\int \Phi(u)\,du = u\,\Phi(u) + \phi(u)`.

    energy_true_edges : (n_energy_true + 1,) [TeV]; energy_edges : (n_energy + 1,) [TeV]; sigma > 0; bias > -1, the
    median of E / E_true minus one. Returns (n_energy_true, n_energy): the probability of each bin; a row sums to the
    part that is reconstructed inside the axis.
    """
    from scipy.special import ndtr  # which takes longer to import than a fit

    t_edges = np.log(energy_true_edges) + np.log1p(bias)
    u = (np.log(energy_edges)[None, :] - t_edges[:, None]) / sigma
    primitive = u * ndtr(u) + np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    cumulative = -np.diff(primitive, axis=0) * sigma / np.diff(t_edges)[:, None]
    matrix: Array = np.clip(np.diff(cumulative, axis=1), 0.0, 1.0)
    return matrix


def power_law_integral(edges: Array, amplitude: float, index: float, reference: float = 1.0) -> Array:
    r"""Integral of a power law over each bin, :math:`\int A (E/E_0)^{-\Gamma} dE`.

    edges : (n + 1,) [TeV]; amplitude per TeV at the reference [TeV]. Returns (n,) in the amplitude's unit times TeV.
    """
    x = edges / reference
    if np.isclose(index, 1.0, rtol=0.0, atol=1e-8):
        return np.asarray(amplitude * reference * np.diff(np.log(x)), dtype=np.float64)
    return np.asarray(amplitude * reference * np.diff(x ** (1.0 - index)) / (1.0 - index), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class CherenkovArray:
    r"""A typical imaging Cherenkov array that observes a point source in wobble mode.

    - effective area :math:`A(E) = g_1 (E/\mathrm{MeV})^{-g_2} e^{-g_3/E}` with the H.E.S.S. numbers of Abramowski et
      al. 2010, MNRAS 402, 1342, appendix B: 1.2e9 cm2 at 1 TeV, 1.5e9 cm2 at 3 TeV
    - log-normal energy resolution of 15 % (H.E.S.S. stereo: Aharonian et al. 2006, A&A 457, 899)
    - background in the ON region: a power law in reconstructed energy like the cosmic rays', 1.2e-3 per second above
      1 TeV, between the runs of H.E.S.S. and of MAGIC and VERITAS in Nigro et al. 2019, A&A 625, A10
    """

    area_scale: float = 1.0
    resolution: float = 0.15
    bias: float = 0.0
    background_scale: float = 1.0

    dataset_type = "SpectrumDatasetOnOff"
    livetime = 25.0 * 3600.0
    energy_bounds = (0.5, 50.0, 10)

    def effective_area(self, energy: Array) -> Array:
        """Effective area (n,) [cm2] at true energies (n,) [TeV]."""
        return np.asarray(
            self.area_scale * 6.85e9 * (energy * 1e6) ** -0.0891 * np.exp(-0.5 / energy), dtype=np.float64
        )

    def exposure(self, energy_true_edges: Array, livetime: float) -> Array:
        """Effective area times live time (n_energy_true,) [cm2 s], at the centres of the true-energy bins."""
        return self.effective_area(centers(energy_true_edges)) * livetime

    def background(self, energy_true_edges: Array, energy_edges: Array, livetime: float) -> Array:
        """Expected background counts (n_energy,) in the ON region; edges [TeV], livetime [s]."""
        rate = power_law_integral(energy_edges, 2e-3, 2.7)
        return self.background_scale * rate * livetime


@dataclass(frozen=True, kw_only=True)
class FermiLat:
    r"""A typical Fermi-LAT that scans the sky; the livetime is the time since the start of the scan.

    - effective area :math:`A(E) = A_0 / (1 + (E/0.2\,\mathrm{GeV})^{-1.5})` with :math:`A_0` = 0.9 m2, flat above a GeV
      as in Atwood et al. 2009, ApJ 697, 1071. A point of the sky gets 0.15 of it on average: a field of view of 2.4 sr
      of 4 pi, and data for 80 % of the time. Eight years give 3.4e11 cm2 s (3FHL has 2.8e11 cm2 s after seven)
    - log-normal energy resolution of 10 %
    - background: diffuse emission of 2e-3 per (cm2 s sr TeV) at 1 GeV with index 2.4, four times the isotropic emission
      of Ackermann et al. 2015, ApJ 799, 86, in a circle of 1 deg, seen through exposure and energy dispersion
    """

    area_scale: float = 1.0
    resolution: float = 0.10
    bias: float = 0.0
    background_scale: float = 1.0

    dataset_type = "SpectrumDataset"
    livetime = 8.0 * YEAR
    energy_bounds = (1e-3, 1.0, 8)

    def effective_area(self, energy: Array) -> Array:
        """Effective area on axis (n,) [cm2] at true energies (n,) [TeV]."""
        return np.asarray(self.area_scale * 9000.0 / (1.0 + (energy / 2e-4) ** -1.5), dtype=np.float64)

    def exposure(self, energy_true_edges: Array, livetime: float) -> Array:
        """Effective area times the time in view (n_energy_true,) [cm2 s], at the centres of the true-energy bins."""
        return self.effective_area(centers(energy_true_edges)) * (0.15 * livetime)

    def background(self, energy_true_edges: Array, energy_edges: Array, livetime: float) -> Array:
        """Expected diffuse counts (n_energy,) in the region; edges [TeV], livetime [s]."""
        solid_angle = np.pi * np.radians(1.0) ** 2
        flux = power_law_integral(energy_true_edges, 2e-3 * solid_angle, 2.4, reference=1e-3)
        edisp = log_normal_edisp(energy_true_edges, energy_edges, self.resolution, self.bias)
        folded: Array = (flux * self.exposure(energy_true_edges, livetime)) @ edisp
        return self.background_scale * folded


Instrument = CherenkovArray | FermiLat

INSTRUMENTS: Mapping[str, type[CherenkovArray] | type[FermiLat]] = MappingProxyType(
    {"iact": CherenkovArray, "fermi-lat": FermiLat}
)


def build_instrument(name: str, **settings: float) -> Instrument:
    """The parametrised instrument of that name. Raises `UnknownInstrument` with the names that exist."""
    if name not in INSTRUMENTS:
        raise UnknownInstrument(f"'{name}' is not an instrument; {suggest(name, INSTRUMENTS, 'instruments')}")
    return INSTRUMENTS[name](**settings)


def centers(edges: Array) -> Array:
    """Logarithmic centres (n,) [TeV] of the bins between the edges (n + 1,)."""
    return np.sqrt(edges[:-1] * edges[1:])
