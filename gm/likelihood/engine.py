"""Where the terms of a likelihood are compiled, and live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

from gm.datasets import Datasets
from gm.likelihood.compilation import compile_terms
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.terms import LocalTerms, Terms
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models


class Engine(ABC):
    """Compiles datasets and a global model into the terms of their likelihood, in this process or in others."""

    @abstractmethod
    def compile(
        self,
        datasets: Datasets,
        models: Models,
        layout: Layout,
        treatment: Treatment,
        before: Terms | None = None,
    ) -> tuple[FluxPlan, Terms]:
        """The columns of the flux vector, and the terms, which are functions of it. Raises `DataError`.

        ``layout`` is that of the models, and stays as it is. ``before``: terms of the same datasets under models that
        differ in values alone; what has not moved may be taken from them.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to let go
        """Let go whatever was started for it; it may be used again."""


@final
class LocalEngine(Engine):
    """In this process, on all of its processors."""

    def compile(
        self,
        datasets: Datasets,
        models: Models,
        layout: Layout,
        treatment: Treatment,
        before: Terms | None = None,
    ) -> tuple[FluxPlan, LocalTerms]:
        known = before if isinstance(before, LocalTerms) else None
        return compile_terms(datasets, models, layout, treatment, known)


@final
class RepeatingEngine(Engine):
    """For datasets that differ in what was measured alone, such as toys: what was compiled first is compiled once.

    Others with models of the same values take it over where its terms know how, bit by bit the same as a compilation.
    """

    def __init__(self, inner: Engine | None = None) -> None:
        self._inner = inner or LocalEngine()
        self._first: tuple[Any, FluxPlan, Terms] | None = None

    def compile(
        self,
        datasets: Datasets,
        models: Models,
        layout: Layout,
        treatment: Treatment,
        before: Terms | None = None,
    ) -> tuple[FluxPlan, Terms]:
        values = tuple(parameter.value for parameter in models.parameters)
        key = treatment, tuple(models.names), values, tuple(layout.free.tolist()), tuple(datasets.names)
        if self._first is not None and self._first[0] == key:
            again = self._first[2].measured_again(datasets)
            if again is not None:
                return self._first[1], again
        plan, terms = self._inner.compile(datasets, models, layout, treatment, before)
        if self._first is None:
            self._first = key, plan, terms
        return plan, terms
