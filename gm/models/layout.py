"""The flat vector of a fit, and how every parameter of the global model follows from it."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.matrices import BorderedCovariance, Covariance
from gm.models.components.base import Component
from gm.models.models import Models
from gm.models.prior import GeneralizedGaussianPrior, Prior


class Layout:
    """Positions of parameters. The vector holds the free ones in their own units; links and units are resolved here.

    Every parameter is ``constant + slope * vector[source]`` in internal units: constants have slope 0, a free parameter
    has its unit's factor, a linked one what its chain of links makes of it.

    addresses : (n_par,) all parameters
    free : (n_free,) positions of the free ones; free_addresses their names
    start, lower, upper, error : (n_free,) in own units; limits of linked parameters count for the one that they follow
    not_own : positions of the free ones whose ``lower``, ``upper`` limit nobody has given
    """

    def __init__(self, models: Models) -> None:
        parameters, factors, roots, between = models.parameters, models.factors(), models.roots(), models.limits()
        n_par = len(parameters)
        self.addresses = parameters.addresses
        self.free: IntArray = np.array(
            [k for k, p in enumerate(parameters) if not p.frozen and k not in roots], dtype=np.intp
        )
        positions = self.free.tolist()
        chosen = [parameters[k] for k in positions]
        self.free_addresses = tuple(self.addresses[k] for k in positions)
        self.start, self.error = np.array([p.value for p in chosen]), np.array([p.error for p in chosen])
        limits = np.array([between[k] for k in positions]).reshape(-1, 2)
        self.lower, self.upper = limits[:, 0].copy(), limits[:, 1].copy()
        own = np.array([p.limits() for p in chosen]).reshape(-1, 2)
        lower, upper = (set(changed.nonzero()[0].tolist()) for changed in (own != limits).T)
        self.not_own: dict[str, set[int]] = {"lower": lower, "upper": upper}

        number = {k: i for i, k in enumerate(positions)}
        self._factors = np.array(factors)
        self._constant = np.array([p.value for p in parameters])
        self._slope, self._source = np.zeros(n_par), np.zeros(n_par, dtype=np.intp)
        for k in range(n_par):
            root = roots.get(k)
            i = number.get(k if root is None else root.root)
            if i is None:
                continue
            scale, offset = (1.0, 0.0) if root is None else (root.scale, root.offset)
            self._constant[k], self._slope[k], self._source[k] = offset, scale, i
            if root is not None and scale:
                low, high = sorted((limit - offset) / scale for limit in between[k])
                self.lower[i], self.upper[i] = max(self.lower[i], low), min(self.upper[i], high)

        self._internal = self._constant * self._factors, self._slope * self._factors
        moving = self._slope.nonzero()[0]
        self._moving = moving[self._source[moving].argsort(kind="stable")]
        self._moving_slope = (self._slope * self._factors)[self._moving]
        self._segments = self._source[self._moving].searchsorted(np.arange(len(self.free)))
        self._slots = models.slots()
        self._priors: list[tuple[int, int | None, float, Prior]] = [
            (k, number.get(k), p.value, p.prior) for k, p in enumerate(parameters) if p.prior and k not in roots
        ]

    @property
    def n_free(self) -> int:
        return len(self.free)

    def own(self, vector: Array) -> Array:
        """All parameters in their own units, (n_par,)."""
        if not len(self.free):
            return self._constant.copy()
        return np.asarray(self._constant + self._slope * np.asarray(vector)[self._source])

    def followed(self) -> tuple[IntArray, Array]:
        """Which element of the vector decides each parameter, (n_par,), -1 for constants; and the derivatives by these
        of the internal values."""
        slope = self._internal[1]
        return np.where(self._slope != 0, self._source, -1), np.where(self._slope != 0, slope, 0.0)

    def free_position(self, index: int) -> int | None:
        """Which element of the vector decides parameter ``index``, itself or through links; None: it is constant."""
        return int(self._source[index]) if self._slope[index] else None

    def line(self, index: int) -> tuple[float, float]:
        """Scale and offset of parameter ``index``, in own units, as a function of the free one that decides it."""
        return float(self._slope[index]), float(self._constant[index])

    def rule(self, index: int) -> tuple[int | None, float, float]:
        """What decides the internal value of parameter ``index``: an element of the vector, or None, a factor of it,
        and what is added."""
        constant, slope = self._internal
        return self.free_position(index), float(slope[index]), float(constant[index])

    def tighten(self, index: int, low: float, high: float) -> None:
        """Keep a fit within limits of parameter ``index``, in internal units, as far as its own limits leave room."""
        i = self.free_position(index)
        if i is None:
            return
        constant, slope = self._constant[index], self._slope[index]
        least, most = sorted((limit / self._factors[index] - constant) / slope for limit in (low, high))
        if self.lower[i] < least <= self.upper[i]:
            self.lower[i], self.not_own["lower"] = least, self.not_own["lower"] | {i}
        if self.upper[i] > most >= self.lower[i]:
            self.upper[i], self.not_own["upper"] = most, self.not_own["upper"] | {i}

    def expand(self, vector: Array) -> Array:
        """All parameters in internal units, (n_par,), from the free ones in their own, (n_free,)."""
        constant, slope = self._internal
        return np.asarray(constant + slope * vector[self._source]) if len(self.free) else constant.copy()

    def reduce(self, gradient: Array) -> Array:
        """Derivatives by the vector, (..., n_free), from those by every internal value, (..., n_par): chain rule."""
        shares = gradient.take(self._moving, axis=-1) * self._moving_slope
        if len(self._moving) == len(self.free):
            return np.asarray(shares)
        return np.asarray(np.add.reduceat(shares, self._segments, axis=-1))

    def covariance(self, matrix: Covariance) -> Covariance:
        """Covariance of all parameters in own units, (n_par, n_par), from that of the free ones; zeros if frozen."""
        if isinstance(matrix, BorderedCovariance):
            return matrix.placed(np.where(self._slope != 0, self._source, -1), self._slope)
        if not len(self.free):
            return np.zeros((len(self._constant), len(self._constant)))
        return np.asarray(self._slope[:, None] * self._slope * matrix[self._source][:, self._source])

    def slots(self, component: str, section: str | None = None) -> slice:
        """Where a component's values, or those of its ``spectral``, ``spatial`` or ``temporal`` model, lie."""
        return self._slots[component, section]

    def amplitude(self, component: Component) -> int | None:
        """Where the parameter that the spectrum of a component is proportional to lies, or None: it has none."""
        position = component.spectral_model.amplitude_position()
        return None if position is None else self._slots[component.name, "spectral"].start + position

    @property
    def has_priors(self) -> bool:
        """Whether any parameter has a prior."""
        return bool(self._priors)

    def prior_value(self, vector: Array, component: str | None = None) -> float:
        """Sum of the priors, -2 ln L: every parameter that has one counts once, frozen ones too; of one component."""
        if not self._priors:
            return 0.0
        own = range(len(self.addresses))[self._slots[component, None] if component else slice(None)]
        mine = ((value if i is None else vector[i], prior) for k, i, value, prior in self._priors if k in own)
        return sum((prior.value(float(value)) for value, prior in mine), 0.0)

    def prior_values(self, vector: Array) -> Array:
        """What the prior of each free parameter adds, (n_free,)."""
        values = np.zeros(len(self.free))
        for _, i, _, prior in self._priors:
            if i is not None:
                values[i] += prior.value(float(vector[i]))
        return values

    def has_peak(self) -> BoolArray:
        """Which free parameters have a prior with a peak, (n_free,)."""
        found = np.zeros(len(self.free), dtype=bool)
        found[[i for _, i, _, prior in self._priors if i is not None and prior.has_peak]] = True
        return found

    def uneven_priors(self) -> dict[int, GeneralizedGaussianPrior]:
        """Priors that are no parabolas around their peak, by position of the free parameter."""
        generalized = ((i, prior) for _, i, _, prior in self._priors if isinstance(prior, GeneralizedGaussianPrior))
        return {i: prior for i, prior in generalized if i is not None and prior.eta != 0.5}

    def prior_gradient(self, vector: Array) -> Array:
        """Derivatives of `prior_value`, (n_free,)."""
        gradient = np.zeros(len(self.free))
        for _, i, _, prior in self._priors:
            if i is not None:
                gradient[i] += prior.gradient(float(vector[i]))
        return gradient

    def prior_curvature(self, vector: Array) -> Array:
        """Second derivatives of `prior_value`, (n_free,), negative ones as 0: an information matrix has none."""
        curvature = np.zeros(len(self.free))
        for _, i, _, prior in self._priors:
            if i is not None:
                curvature[i] += max(0.0, prior.curvature(float(vector[i])))
        return curvature
