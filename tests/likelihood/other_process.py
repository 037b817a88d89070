"""An engine whose terms are compiled, and live, in another process: everything goes through one pipe."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import Datasets
from gm.likelihood import Engine, LocalEngine, TermReport, Terms
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, PredictedBins
from gm.likelihood.dark import DarkBins
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.report import EnergyReport
from gm.likelihood.treatment import Treatment
from gm.maps.geometry import WcsGeometry
from gm.models import Layout, Models

PLAIN = (np.ndarray, np.generic, float, int, str, bool, type(None), WcsGeometry)


def is_plain(value: object) -> bool:
    """Numbers, names, arrays of numbers, geometries, and what holds these alone."""
    if isinstance(value, np.ndarray):
        return value.dtype != object
    if isinstance(value, dict):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, PLAIN):
        return True
    return is_dataclass(value) and all(is_plain(getattr(value, field.name)) for field in fields(value))


def serve(pipe: Connection) -> None:
    """The other process: compiles, and answers with what objects of its own say. What stays here has a number."""
    held: list[Any] = [LocalEngine()]
    while True:
        number, name, arguments, options = pipe.recv()
        if number < 0:
            return
        try:
            found = getattr(held[number], name)
            found = found(*arguments, **options) if callable(found) else found
            if name == "compile":
                held.append(found[1])
                found = found[0], len(held) - 1
            elif name == "predicted":
                found = list(found)  # one after the other
            elif name in ("cut", "lines"):
                made = found if isinstance(found, list) else [found]
                held += made
                found = None if made == [None] else list(range(len(held) - len(made), len(held)))
        except Exception as error:
            found = error
        pipe.send(found)


@final
class OtherProcess(Engine):
    """Records which questions went there, how often."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.asked: Counter[str] = Counter()

    def __enter__(self) -> OtherProcess:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pipe.send((-1, "", (), {}))
        self._process.join()

    def ask(self, number: int, name: str, *arguments: Any, **options: Any) -> Any:
        self.asked[name] += 1
        self._pipe.send((number, name, arguments, options))
        found = self._pipe.recv()
        if isinstance(found, Exception):
            raise found
        if name != "compile":
            assert is_plain((arguments, options, found)), name
        return found

    def compile(
        self,
        datasets: Datasets,
        models: Models,
        layout: Layout,
        treatment: Treatment,
        before: Terms | None = None,
    ) -> tuple[FluxPlan, Terms]:
        plan, number = self.ask(0, "compile", datasets, models, layout, treatment)
        return plan, TermsThere(self, number)


@final
class TermsThere(Terms):
    """What the other process holds under a number."""

    def __init__(self, process: OtherProcess, number: int) -> None:
        self._process, self._number = process, number

    def _ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        return self._process.ask(self._number, name, *arguments, **options)

    @property
    def n_bins(self) -> int:
        return self._ask("n_bins")  # type: ignore[no-any-return]

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        return self._ask("energy_bins")  # type: ignore[no-any-return]

    def value(self, flux: Array) -> float:
        return self._ask("value", flux)  # type: ignore[no-any-return]

    def pullback(self, flux: Array) -> tuple[float, Array]:
        return self._ask("pullback", flux)  # type: ignore[no-any-return]

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> list[Block]:
        return self._ask("information", flux, flux_jacobian, expected=expected)  # type: ignore[no-any-return]

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        return self._ask("values_by_dataset", flux)  # type: ignore[no-any-return]

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        asked = flux, flux_jacobian, n_shared
        return self._ask("information_by_dataset", *asked, expected=expected)  # type: ignore[no-any-return]

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Array | None] | None:
        asked = flux, flux_jacobian, n_shared, steps
        return self._ask("second_derivatives_by_dataset", *asked)  # type: ignore[no-any-return]

    @property
    def knows_second_derivatives(self) -> bool:
        return self._ask("knows_second_derivatives")  # type: ignore[no-any-return]

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> list[Block] | None:
        return self._ask("second_derivatives", flux, flux_jacobian, steps)  # type: ignore[no-any-return]

    def n_cut_off(self, flux: Array) -> int:
        return self._ask("n_cut_off", flux)  # type: ignore[no-any-return]

    def dark(self, flux: Array) -> list[DarkBins]:
        return self._ask("dark", flux)  # type: ignore[no-any-return]

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> list[EnergyReport]:
        return self._ask("by_energy", flux, background, by_component)  # type: ignore[no-any-return]

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        return self._ask("report", flux, by_component)  # type: ignore[no-any-return]

    def predicted(self, flux: Array) -> list[PredictedBins]:
        return self._ask("predicted", flux)  # type: ignore[no-any-return]

    def left_behind(self, flux: Array) -> list[str]:
        return self._ask("left_behind", flux)  # type: ignore[no-any-return]

    def is_current(self, flux: Array) -> bool:
        return self._ask("is_current", flux)  # type: ignore[no-any-return]

    def forget(self) -> None:
        self._ask("forget")

    @property
    def has_integrals(self) -> bool:
        return self._ask("has_integrals")  # type: ignore[no-any-return]

    def lattices(self) -> list[Lattice]:
        return self._ask("lattices")  # type: ignore[no-any-return]

    def lines(self, rest: Array, signal: Array) -> list[Line]:
        return [LineThere(self._process, number) for number in self._ask("lines", rest, signal)]

    def cut(self, ranges: IntArray) -> Terms | None:
        found = self._ask("cut", ranges)
        return None if found is None else TermsThere(self._process, *found)


@final
class LineThere(Line):
    """One term along a line, held by the other process under a number."""

    def __init__(self, process: OtherProcess, number: int) -> None:
        self._process, self._number = process, number

    def _ask(self, name: str, *arguments: Any) -> Any:
        return self._process.ask(self._number, name, *arguments)

    def signal_size(self) -> float:
        return self._ask("signal_size")  # type: ignore[no-any-return]

    def domain(self) -> tuple[float, float]:
        return self._ask("domain")  # type: ignore[no-any-return]

    def values(self, norms: Array) -> Array:
        return self._ask("values", norms)  # type: ignore[no-any-return]

    def slope(self, norm: float) -> float:
        return self._ask("slope", norm)  # type: ignore[no-any-return]

    def curvature(self, norm: float) -> float:
        return self._ask("curvature", norm)  # type: ignore[no-any-return]

    def expected_curvature(self, norm: float) -> float:
        return self._ask("expected_curvature", norm)  # type: ignore[no-any-return]

    def expected_ts(self, norm: float) -> float | None:
        return self._ask("expected_ts", norm)  # type: ignore[no-any-return]

    def expected_rise(self, norm: float) -> float | None:
        return self._ask("expected_rise", norm)  # type: ignore[no-any-return]
