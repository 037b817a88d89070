"""What curved spectra and priors add to the second derivatives of a likelihood that is linear in its fluxes else."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.flux_slopes import FluxSlopes
from gm.likelihood.fluxes import FluxBank
from gm.models import Layout, Models, Role


def bent_by_component(
    bank: FluxBank, models: Models, layout: Layout, values: Array, slopes: FluxSlopes, d_flux: Array, steps: Array
) -> Array:
    """What curved spectra add, (n_par, n_par): the derivative of the pullback of a fixed ``d_flux`` (n_columns,).

    ``values`` (n_par,), and ``slopes`` of the fluxes there. Fluxes are proportional to amplitudes and do not depend on
    shapes on the sky; by others they are differenced over ``steps`` (n_par,).
    """
    bent, gradient = np.zeros((len(values), len(values))), slopes.pullback_of_spectra(d_flux)
    for first, second, by_both in bank.bends(values, d_flux):
        bent[first, second] += by_both
        if first != second:
            bent[second, first] += by_both.T
    for component in (component for component in models if component.role is not Role.INSTRUMENT):
        own, amplitude = layout.slots(component.name), layout.amplitude(component)
        shape = () if component.spatial_model is None else range(*_ends(layout.slots(component.name, "spatial")))
        for k in (k for k in range(*_ends(own)) if steps[k] > 0 and k not in shape):
            if k == amplitude and values[k] != 0:
                bent[k, own] = gradient[own] / values[k]
                bent[k, k] = 0.0
                continue
            low, high = values.copy(), values.copy()
            low[k], high[k] = values[k] - steps[k], values[k] + steps[k]
            rise = bank.slopes(high, [component.name]).pullback(d_flux)
            rise -= bank.slopes(low, [component.name]).pullback(d_flux)
            bent[k, own] += rise[own] / (2 * steps[k])
    return bent


def _ends(slots: slice) -> tuple[int, int]:
    return slots.start, slots.stop


def moves_of(layout: Layout, steps: Array) -> Array:
    """How far each parameter moves with ``steps`` (n_free,) of the vector, (n_par,)."""
    follows, slope = layout.followed()
    return np.where(follows >= 0, np.abs(slope) * steps[follows], 0.0)


def rises_by_place(bank: FluxBank, sizes: IntArray, values: Array, d_flux: Array, moves: Array) -> Array:
    """The rise of the pullback of a fixed ``d_flux`` (n_columns,) from ``values - moves`` to ``values + moves`` of the
    first, second, ... parameters of all components at once, (n_places, n_par): spectra of different components do not
    feel each other.

    sizes : (n_components,) how many parameters each has; values, moves : (n_par,)
    """
    place = np.arange(values.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rises = np.zeros((int(sizes.max(initial=0)), values.size))
    for k, rise in enumerate(rises):
        moved = np.flatnonzero((place == k) & (moves > 0))
        if moved.size:
            low, high = values.copy(), values.copy()
            low[moved], high[moved] = values[moved] - moves[moved], values[moved] + moves[moved]
            rise += bank.slopes(high).pullback(d_flux) - bank.slopes(low).pullback(d_flux)
    return rises


def bent_pairs(
    bank: FluxBank, models: Models, layout: Layout, values: Array, d_flux: Array, steps: Array, apart: Array | None
) -> tuple[IntArray, IntArray, Array]:
    """The same for pairs of free parameters that meet in a component: their positions, and what is added, (n_pairs,)
    each; ``steps`` are (n_free,).

    apart : the rises, as of `rises_by_place`, (n_places, n_columns), of spectra that are computed elsewhere and whose
        parameters are columns; None where there are none
    """
    follows, slope = layout.followed()
    rows, columns, parts = _of_instruments(bank, follows, slope, values, d_flux)
    moves = moves_of(layout, steps)
    for component in models.instruments():
        moves[layout.slots(component.name)] = 0.0
    sizes = np.array([len(component.parameters) for component in models], dtype=np.intp)
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    size, place = np.repeat(sizes, sizes), np.arange(len(values)) - start
    rises = rises_by_place(bank, sizes, values, d_flux, moves)
    if apart is not None:
        rises[: len(apart), bank.carried] += apart[:, bank.columns]
    for k, rise in enumerate(rises):
        moved = np.flatnonzero((place == k) & (moves > 0))
        one = np.repeat(moved, size[moved])
        other = start[one] + np.arange(one.size) - np.repeat(np.cumsum(size[moved]) - size[moved], size[moved])
        one, other = one[follows[other] >= 0], other[follows[other] >= 0]
        rows.append(follows[one])
        columns.append(follows[other])
        parts.append(slope[one] * slope[other] * rise[other] / (2 * moves[one]))
    if not rows:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(parts)


def _of_instruments(
    bank: FluxBank, follows: IntArray, slope: Array, values: Array, d_flux: Array
) -> tuple[list[IntArray], list[IntArray], list[Array]]:
    """Positions of pairs of free parameters, one of an instrument, and what is added."""
    rows, columns, parts = list[IntArray](), list[IntArray](), list[Array]()
    for first, second, by_both in bank.bends(values, d_flux):
        one, other = (grid.ravel() for grid in np.meshgrid(range(*_ends(first)), range(*_ends(second)), indexing="ij"))
        moves = (follows[one] >= 0) & (follows[other] >= 0)
        one, other, added = one[moves], other[moves], by_both.ravel()[moves]
        for a, b in ((one, other),) if first == second else ((one, other), (other, one)):
            rows.append(follows[a])
            columns.append(follows[b])
            parts.append(slope[a] * slope[b] * added)
    return rows, columns, parts


def bent_priors(layout: Layout, vector: Array, steps: Array) -> Array:
    """Second derivatives of the priors, (n_free,), by differences of their gradient over ``steps`` (n_free,)."""
    curvature, moved = np.zeros(vector.size), steps > 0
    if not layout.has_priors:
        return curvature
    rise = layout.prior_gradient(vector + steps) - layout.prior_gradient(vector - steps)
    curvature[moved] = rise[moved] / (2 * steps[moved])
    return curvature
