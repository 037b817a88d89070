"""Do limits on a size hold the true size, in tens of thousands of simulated sources?

The simulations of ``study_positions.py`` (the same counts, by seed and number), with an independent computation of the
same likelihood: a Gaussian seen through a Gaussian PSF is a Gaussian, whose derivatives have closed forms, and many
sources are fitted at once. What ``gm`` found in those that are on its record is compared one by one.

    python benchmarks/study_sizes.py --n 10000        # writes results/study_sizes.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, pi
from pathlib import Path

import numpy as np
from alternate import table
from cases import RESULTS
from recorded import FOLDER, Record
from study_positions import LAT, LON, PIXEL, SIGMA, SIZES, Case, empty_map, share_of, truth

from gm.arrays import Array, BoolArray
from gm.estimators.sky.size_limits import LIMIT, SizeLimit

EAST, NORTH, SQUARE, SOURCE, BACKGROUND = range(5)
"""Parameters: position [deg], square of the size [deg^2], ln of the source's counts, ln of the background's norm."""
HELD = [EAST, NORTH, SOURCE, BACKGROUND]
_CHUNK = 500
_CLOSE = 1e-8  # of -2 ln L, left to gain
_SINGULAR = 1e-12  # of the largest diagonal element, added to all


@dataclass(frozen=True)
class Predicted:
    """Counts of n sources: total (n, 2, y, x) and of the source alone, and their derivatives (n, 5, 2, y, x)."""

    total: Array
    source: Array
    derivatives: Array
    offsets: tuple[Array, Array]
    variance: Array

    def seconds(self) -> Iterator[tuple[int, int, Array]]:
        """Second derivatives by the parameters that are free at a size; those that are not there are 0."""
        (east, north), variance = self.offsets, self.variance
        squares = {EAST: east**2, NORTH: north**2}
        for k, square in squares.items():
            yield k, k, self.source * (square / variance**2 - 1.0 / variance)
            yield k, SOURCE, self.derivatives[:, k]
        yield EAST, NORTH, self.source * east * north / variance**2
        yield SOURCE, SOURCE, self.source
        yield BACKGROUND, BACKGROUND, self.derivatives[:, BACKGROUND]


def predicted(vector: Array, background: Array) -> Predicted:
    """vector : (n, 5) parameters; background : (2,) counts in a pixel"""
    at = (np.arange(31) - 15) * PIXEL
    variance = (SIGMA * np.array([1.0, 0.7])) ** 2 + PIXEL**2 / 12.0 + vector[:, SQUARE, None]
    variance = variance[..., None, None]
    east, north = at - vector[:, EAST, None, None, None], at[:, None] - vector[:, NORTH, None, None, None]
    share = np.array([1.0 - 1.0 / 3.0, 1.0 / 3.0 - 0.1]) / 0.9  # of a power law of index 2
    height = np.exp(np.minimum(vector[:, SOURCE, None], 50.0)) * share * PIXEL**2
    one = height[..., None, None] * np.exp(-0.5 * (east**2 + north**2) / variance) / (2.0 * pi * variance)
    norm = np.exp(np.minimum(vector[:, BACKGROUND], 50.0))
    known = norm[:, None, None, None] * background[:, None, None] * np.ones_like(one)
    wider = one * (0.5 * (east**2 + north**2) / variance - 1.0) / variance
    derivatives = np.stack([one * east / variance, one * north / variance, wider, one, known], axis=1)
    return Predicted(one + known, one, derivatives, (east, north), variance)


def statistic(counts: Array, total: Array) -> Array:
    """-2 ln L of each, (n,)."""
    with np.errstate(invalid="ignore"):  # a step too far
        return np.asarray(2.0 * (total - counts * np.log(total)).sum((1, 2, 3)))


def fitted(counts: Array, background: Array, vector: Array, free: Sequence[int]) -> tuple[Array, Array]:
    """The minima of n sources, (n, 5), and -2 ln L there; by Fisher scoring, the square of a size not below 0."""
    vector, active = vector.copy(), np.arange(len(vector))
    value = statistic(counts, predicted(vector, background).total)
    for _ in range(100):
        gradient, information = _score(counts[active], predicted(vector[active], background), free)
        step, gain = _step(vector[active], gradient, information, free)
        moved, lower = _shortened(counts[active], background, vector[active], value[active], step, free)
        vector[active], value[active] = moved, lower
        active = active[gain > _CLOSE]
        if not active.size:
            break
    return vector, value


def _score(counts: Array, found: Predicted, free: Sequence[int]) -> tuple[Array, Array]:
    """Gradient (n, k) and expected information (n, k, k) of -ln L."""
    n = len(counts)
    flat = found.derivatives[:, list(free)].reshape(n, len(free), -1)
    total = found.total.reshape(n, 1, -1)
    return ((1.0 - counts.reshape(n, 1, -1) / total) * flat).sum(2), np.einsum("nab,ncb->nac", flat / total, flat)


def _step(vector: Array, gradient: Array, information: Array, free: Sequence[int]) -> tuple[Array, Array]:
    """The step (n, k), and what it should gain; a size of 0 stays where it would become less."""
    if SQUARE in free:
        k = list(free).index(SQUARE)
        stays = (vector[:, SQUARE] <= 0) & (gradient[:, k] > 0)
        gradient[stays, k] = 0.0
        information[stays, k, :] = information[stays, :, k] = 0.0
        information[stays, k, k] = 1.0
    largest = np.einsum("naa->na", information).max(1)  # of a source that is gone nothing is known
    information += _SINGULAR * largest[:, None, None] * np.eye(len(free))
    step = -np.linalg.solve(information, gradient[..., None])[..., 0]
    return step, -(gradient * step).sum(1)


def _shortened(
    counts: Array, background: Array, vector: Array, value: Array, step: Array, free: Sequence[int]
) -> tuple[Array, Array]:
    """Where steps lead that are halved until -2 ln L does not rise, and its value there."""
    vector, value, length, before = vector.copy(), value.copy(), np.ones(len(vector)), vector
    todo = np.arange(len(vector))
    for _ in range(30):
        there = before[todo].copy()
        there[:, list(free)] += length[todo, None] * step[todo]
        there[:, SQUARE] = np.maximum(there[:, SQUARE], 0.0)
        lower = statistic(counts[todo], predicted(there, background).total)
        good = lower <= value[todo] + 1e-10
        vector[todo[good]], value[todo[good]] = there[good], lower[good]
        todo = todo[~good]
        if not todo.size:
            break
        length[todo] *= 0.5
    return vector, value


def spread(counts: Array, found: Predicted) -> Array:
    """ln det of the covariance of the position at a size, from the observed information; (n,)."""
    n = len(counts)
    flat = found.derivatives[:, HELD].reshape(n, len(HELD), -1)
    ratio = counts / found.total
    matrix = np.einsum("nab,ncb->nac", flat * (ratio / found.total).reshape(n, 1, -1), flat)
    for one, other, second in found.seconds():
        term = ((1.0 - ratio) * second).sum((1, 2, 3))
        a, b = HELD.index(one), HELD.index(other)
        matrix[:, a, b] += term
        if a != b:
            matrix[:, b, a] += term
    gone = ~np.isfinite(np.linalg.slogdet(matrix)[1])
    matrix[gone] = np.eye(len(HELD))
    return np.asarray(np.linalg.slogdet(np.linalg.inv(matrix)[:, :2, :2])[1])


def hold(case: Case, first: int, n: int, seed: int) -> dict[str, BoolArray]:
    """Which limits are above the true size, by method, of the simulations from ``first`` on."""
    dataset = empty_map(case.background)
    _, expected = truth(case, dataset, LON, LAT)
    draws = [np.random.default_rng([seed, number]).poisson(expected) for number in range(first, first + n)]
    counts, background = np.array(draws, dtype=float), case.background * np.array([1.0, 0.3])
    start = np.tile([0.0, 0.0, case.size**2, log(case.counts), 0.0], (n, 1))
    best, lowest = fitted(counts, background, start, range(5))
    there = best.copy()
    there[:, SQUARE] = case.size**2
    there, value = fitted(counts, background, there, HELD)
    wider = spread(counts, predicted(there, background)) - spread(counts, predicted(best, background))
    is_below = case.size**2 <= best[:, SQUARE]
    risen = {SizeLimit.MARGINAL: value - lowest - wider, SizeLimit.PROFILE: value - lowest}
    return {method.value: is_below | (rise <= LIMIT) for method, rise in risen.items()}


def compared(record: Record, case: Case, found: dict[str, BoolArray], seed: int) -> list[str]:
    """For each method how many of the limits on record of ``gm`` say the same."""
    known = record.known(f"size {case.name} {seed}")
    known = {number: ends for number, ends in known.items() if number < len(found["profile"])}
    return [
        f"{sum(ends[name] == bool(of[number]) for number, ends in known.items())} of {len(known)}"
        for name, of in found.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, default=FOLDER / "positions.jsonl", help="of study_positions.py")
    parser.add_argument("--output", type=Path, default=RESULTS / "study_sizes.md")
    options = parser.parse_args(arguments)
    record, rows = Record(options.record), []
    for case in SIZES:
        chunks = [
            hold(case, first, min(_CHUNK, options.n - first), options.seed) for first in range(0, options.n, _CHUNK)
        ]
        found = {method.value: np.concatenate([chunk[method.value] for chunk in chunks]) for method in SizeLimit}
        head = [case.name, f"{case.counts:g}", f"{case.background:g}", f"{case.size:g}"]
        shares = [share_of(of.tolist()) for of in found.values()]
        rows.append([*head, *shares, *compared(record, case, found, options.seed)])
        print(rows[-1], flush=True)
    names = [method.value for method in SizeLimit]
    columns = ["source", "counts", "background", "size", *names, *(f"gm says the same, {name}" for name in names)]
    text = f"""# Limits on sizes

`python benchmarks/study_sizes.py --n {options.n} --seed {options.seed}`

How many of {options.n} limits of 95 % confidence on the size of a Gaussian are above the true one, in %, by a
computation that shares nothing with that of `gm` but the definition; the sources of `study_positions.md`, a PSF of
{SIGMA} deg at low and of {0.7 * SIGMA:.2g} deg at high energies. `marginal`: of the likelihood integrated over the
position, as `gm extension` has them; `profile`: of that with the best position. Those that `gm` measured, too, are
compared one by one.

{table(columns, rows)}"""
    options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
