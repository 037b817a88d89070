"""What an instrument may be off by: nuisance parameters of its exposure, energies and background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from gm.arrays import Array
from gm.models.parameter import Parameter
from gm.models.parametric import Default
from gm.models.spectral.base import SpectralModel, exponential

Effect = Literal["exposure", "background", "energy"]
"""What of a dataset a parameter acts on: two are multiplied by factors, reconstructed energies by a scale."""


class InstrumentResponse(SpectralModel):
    """Nuisance parameters of the instrument that datasets were taken with.

    - ``exposure_norm`` n, ``exposure_tilt`` t, ``reference`` E0: the exposure at the true energy E, the centre of each
      bin, is ``n (E / E0)^-t`` times that of the dataset. For flux points, which have no exposure, so is the flux.
    - ``background_norm`` b: the known background of the dataset, with its correction if it has one, is b times that.

    - ``energy_scale`` s: reconstructed energies are s times what the energy dispersion says. With C the cumulative
      distribution of the reconstructed energies e of one true energy, known at the edges of the bins, that of a bin is
      ``C(ln e_2 - ln s) - C(ln e_1 - ln s)``. C is ``Phi(z(ln e))`` with the monotone cubic z through the edges, which
      is exact for a resolution that is Gaussian in ln e; see `ScaledDispersion`. The known background, and components
      that the energy dispersion is not applied to, do not move.

    A parameter that is not given stays at its neutral value, where all is as the dataset says, bit by bit: norms and
    scales of 1 and a tilt of 0. As a function of energy it is the factor of the exposure.
    """

    section = "instrument"
    tags = ("InstrumentModel",)
    exposure_norm = Default(1.0)
    exposure_tilt = Default(0.0)
    background_norm = Default(1.0)
    energy_scale = Default(1.0)
    reference = Default(1.0, "TeV", frozen=True)
    is_norm = True
    amplitude_name = None
    natural: ClassVar[Mapping[str, tuple[float, float]]] = {
        "exposure_norm": (0.0, np.inf),
        "background_norm": (0.0, np.inf),
        "energy_scale": (0.5, 2.0),
    }

    acting: ClassVar[Mapping[str, Effect]] = {
        "exposure_norm": "exposure",
        "exposure_tilt": "exposure",
        "background_norm": "background",
        "energy_scale": "energy",
    }
    """What each parameter acts on; the reference does nothing by itself."""

    def __init__(self, **parameters: object) -> None:
        super().__init__(**parameters)
        self._parameters_not_given_are_frozen(parameters)

    def _parameters_not_given_are_frozen(self, given: Mapping[str, object]) -> None:
        self._set(parameters=tuple(p if p.name in given else replace(p, frozen=True) for p in self.parameters))

    def leaves_out(self, parameter: Parameter) -> bool:
        neutral = next(default for default in self.defaults if default.name == parameter.name)
        return parameter == replace(neutral, frozen=True)

    def told(self) -> list[str]:
        """The names of the parameters that are not left at their neutral values, those that may act."""
        return [p.name for p in self.parameters if p.name in self.acting and not self.leaves_out(p)]

    def evaluate(self, energy: Array, values: Array) -> Array:
        return self.factor("exposure", energy, values)

    def gradient(self, energy: Array, values: Array) -> Array:
        return self.factor_gradient("exposure", energy, values)

    def factor(self, effect: Effect, energy: Array, values: Array) -> Array:
        """The factor of an exposure or a background at ``energy`` (n,) [TeV], (n,); ``values`` (n_par,)."""
        norm, tilt, background, _, reference = values
        if effect == "background":
            return np.full(energy.shape, background)
        return np.asarray(norm * exponential(-tilt * np.log(energy / reference)))

    def factor_gradient(self, effect: Effect, energy: Array, values: Array) -> Array:
        """Derivatives of `factor` at ``energy`` (n,) [TeV] by the parameters, (n_par, n)."""
        gradient = np.zeros((len(self.parameters), *energy.shape))
        if effect == "background":
            gradient[2] = 1.0
            return gradient
        norm, tilt, _, _, reference = values
        x = np.log(energy / reference)
        gradient[0] = exponential(-tilt * x)
        gradient[1], gradient[4] = -x * norm * gradient[0], tilt / reference * norm * gradient[0]
        return gradient

    def factor_curvature(self, effect: Effect, energy: Array, values: Array) -> Array:
        """Second derivatives of `factor` at ``energy`` (n,) [TeV], (n_par, n_par, n)."""
        n_par = len(self.parameters)
        curvature = np.zeros((n_par, n_par, *energy.shape))
        if effect == "background":
            return curvature
        norm, tilt, _, _, reference = values
        x = np.log(energy / reference)
        shape = exponential(-tilt * x)
        curvature[0, 1] = curvature[1, 0] = -x * shape
        curvature[0, 4] = curvature[4, 0] = tilt / reference * shape
        curvature[1, 1] = norm * x**2 * shape
        curvature[1, 4] = curvature[4, 1] = norm * (1.0 - tilt * x) / reference * shape
        curvature[4, 4] = norm * tilt * (tilt - 1.0) / reference**2 * shape
        return curvature
