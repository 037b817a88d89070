"""Gaussian shapes, round and elongated, and their generalisation."""

from __future__ import annotations

from math import exp, expm1, pi, radians, sin, sqrt

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spatial.base import ECCENTRICITY, LAT, LEAST, LON, LONGEST, PHI, RadialModel
from gm.models.spatial.offsets import DEGREE, NOTHING, Offsets, axis_ratio, effective_radius
from gm.models.spatial.rings import Rings

_TINY = 1e-150  # its square is a number, too
_SMOOTH = 0.3  # exp(-rho^(1 / eta)) is as smooth as a Gaussian of this times eta, but for its centre
_EXPONENT = 22.0  # of what is left out of exponential tails
_SHARPEST = 0.01  # shape of a generalised Gaussian that is as good as a disk


class GaussianSpatialModel(RadialModel):
    """Gaussian of width ``sigma`` along its major axis, eccentricity ``e``, major axis at position angle ``phi``.

    Round: ``exp(-(1 - cos sep) / (2 a)) / (4 pi a (1 - exp(-1 / a)))`` with ``a = 1 - cos sigma``, 1 over the sphere.
    Elongated: ``exp(-(1 - cos sep) / (2 (1 - cos r))) / (2 pi sigma b)``, r the ellipse's radius at the position angle.
    """

    tags = ("GaussianSpatialModel", "gauss")
    lon_0 = LON
    lat_0 = LAT
    sigma = Default(1.0, "deg", min=0.0)
    e = ECCENTRICITY
    phi = PHI

    def evaluation_radius(self, values: Array) -> float:
        return float(5.0 * values[2])

    def bin_min(self, values: Array) -> float:
        return float(values[2] / 3.0)

    def rings(self, shape: Array) -> Rings:
        sigma, e, phi = (float(value) for value in shape)
        return Rings(sigma, e, phi if e else 0.0, (0.0, sqrt(2.0 * _EXPONENT)), smooth=sigma * axis_ratio(e))

    def resolution(self, values: Array) -> float:
        return min(self.bin_min(values), float(values[2]) * axis_ratio(float(values[3])))

    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        return {"sigma": (least, most), "e": (0.0, LONGEST)}

    def surface(self, at: Offsets, shape: Array) -> Array:
        if shape[1] == 0:
            norm, _, a, _ = _round(shape[0])
            return np.asarray(norm * np.exp(at.versine * (-0.5 / a)))
        r, _, _ = effective_radius(at, radians(shape[0]), float(shape[1]), radians(shape[2]))
        return np.asarray(_elongated_norm(shape) * np.exp(at.versine * (-0.25 / np.sin(0.5 * r) ** 2)))

    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        if shape[1] == 0:
            norm, d_norm, width, d_width = _round(shape[0])
            density = norm * np.exp(at.versine * (-0.5 / width))
            d_sigma = density * (d_norm / norm + at.versine * (0.5 * d_width / width**2))
            return density, density * (-0.5 / width), None, [d_sigma, NOTHING, NOTHING]
        sigma, e, phi = radians(shape[0]), float(shape[1]), radians(shape[2])
        r, d_e, d_phi = effective_radius(at, sigma, e, phi)
        a = 2.0 * np.sin(0.5 * r) ** 2
        density = _elongated_norm(shape) * np.exp(at.versine * (-0.5 / a))
        by_r = density * at.versine * (0.5 * np.sin(r) / a**2)
        d_sigma = (by_r * (r / sigma) - density * (2.0 / sigma)) * DEGREE
        rows = [d_sigma, by_r * d_e + density * (e / axis_ratio(e) ** 2), by_r * d_phi * DEGREE]
        return density, density * (-0.5 / a), -by_r * d_phi, rows


def _round(sigma: float) -> tuple[float, float, float, float]:
    """Norm, its derivative by sigma [deg], ``a = 1 - cos sigma`` and its derivative."""
    sigma = radians(sigma)
    a = 2.0 * sin(0.5 * sigma) ** 2
    whole = -expm1(-1.0 / a)
    norm = 1.0 / (4.0 * pi * a * whole)
    d_a = sin(sigma) * DEGREE
    d_norm = -norm * (1.0 / a - exp(-1.0 / a) / (a * a * whole)) * d_a
    return norm, d_norm, a, d_a


def _elongated_norm(shape: Array) -> float:
    return 1.0 / (2.0 * pi * radians(shape[0]) ** 2 * axis_ratio(float(shape[1])))


class GeneralizedGaussianSpatialModel(RadialModel):
    """Generalised Gaussian of radius ``r_0`` and shape ``eta`` (0.5: Gaussian, 1: Laplace).

    ``exp(-(sep / r)^(1 / eta)) / (2 pi b r_0 eta Gamma(2 eta))``, r the ellipse's radius at the position angle.
    """

    tags = ("GeneralizedGaussianSpatialModel", "gauss-general")
    lon_0 = LON
    lat_0 = LAT
    r_0 = Default(1.0, "deg")
    eta = Default(0.5, min=0.01, max=1.0)
    e = ECCENTRICITY
    phi = PHI

    def sized(self, values: Array, least: float = LEAST) -> Array:
        return np.array([*values[:2], max(values[2], least), max(values[3], _SHARPEST), *values[4:]])

    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        return {"r_0": (2 * least, most), "e": (0.0, LONGEST)}

    def evaluation_radius(self, values: Array) -> float:
        return float(values[2] * (1.0 + 8.0 * values[3]))

    def bin_min(self, values: Array) -> float:
        return float(values[2] / (3.0 + 8.0 * values[3]) / (1.0 + values[4]))

    def rings(self, shape: Array) -> Rings:
        r_0, eta, e, phi = (float(value) for value in shape)
        edges, smooth = (0.0, 0.01**eta, 1.0, _EXPONENT**eta), _SMOOTH * eta * r_0 * axis_ratio(e)
        return Rings(r_0, e, phi if e else 0.0, edges, smooth=smooth, is_cusped=True)

    def surface(self, at: Offsets, shape: Array) -> Array:
        r, _, _ = effective_radius(at, radians(shape[0]), float(shape[2]), radians(shape[3]))
        return np.asarray(self._norm(shape) * np.exp(-_power(at.separation / r, 1.0 / shape[1])))

    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        from scipy.special import digamma

        r_0, eta, e = radians(shape[0]), float(shape[1]), float(shape[2])
        r, d_e, d_phi = effective_radius(at, r_0, e, radians(shape[3]))
        z = at.separation / r
        raised = _power(z, 1.0 / eta)
        density = self._norm(shape) * np.exp(-raised)
        slope = density * raised / eta  # -z df/dz
        by_r = slope / r
        d_eta = slope * np.log(np.maximum(z, _TINY)) / eta - density * (1.0 / eta + 2.0 * digamma(2.0 * eta))
        d_r_0 = (slope - 2.0 * density) / r_0 * DEGREE
        d_by_e = by_r * d_e + density * (e / axis_ratio(e) ** 2)
        # d sep = d versine / sin(sep)
        d_versine = -slope / np.maximum(at.separation * np.sin(at.separation), _TINY)
        return density, d_versine, -by_r * d_phi, [d_r_0, d_eta, d_by_e, by_r * d_phi * DEGREE]

    def _norm(self, shape: Array) -> float:
        from scipy.special import gamma

        r_0, eta = radians(shape[0]), float(shape[1])
        return float(1.0 / (2.0 * pi * axis_ratio(float(shape[2])) * r_0 * r_0 * eta * gamma(2.0 * eta)))


def _power(z: Array, exponent: float) -> Array:
    return np.asarray(np.minimum(z, 1e3) ** exponent)
