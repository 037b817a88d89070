"""Where the terms of a likelihood are compiled, and live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from gm.datasets import Datasets
from gm.likelihood.compilation import compile_terms
from gm.likelihood.fluxes import FluxPlan
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
