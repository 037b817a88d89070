"""An engine whose terms live with workers, whatever these are."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence

from gm.datasets import Datasets
from gm.engine.crew import Crew, Tell
from gm.engine.pool import Pool
from gm.engine.recipes import Compilation
from gm.engine.shards import Shard, shards_of
from gm.engine.terms import ShardedTerms
from gm.engine.worker_state import Setup
from gm.likelihood import Engine, LocalEngine, Terms
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.own_parameters import own_parameters, spectra_apart
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models

DEADLINE = 600.0  # s


class ShardedEngine(Engine, ABC):
    """Compiles shards of datasets on the workers of a pool, which is opened when it is first needed.

    deadline : time [s] after which a worker that does not answer is given up; tell : hears how many of how many shards
    are compiled
    """

    def __init__(self, deadline: float = DEADLINE, tell: Tell | None = None) -> None:
        self._deadline, self._tell = deadline, tell
        self._crew: Crew | None = None

    @abstractmethod
    def open(self, datasets: Datasets) -> Pool:
        """Workers, for datasets that are to be compiled first. Raises `EngineError`."""

    @abstractmethod
    def is_worth(self, shards: Sequence[Shard]) -> bool:
        """Whether shards are compiled by workers; else here."""

    @property
    def crew(self) -> Crew | None:
        """The workers, once something was compiled by them."""
        return self._crew

    def compile(
        self,
        datasets: Datasets,
        models: Models,
        layout: Layout,
        treatment: Treatment,
        before: Terms | None = None,
    ) -> tuple[FluxPlan, Terms]:
        known = before if isinstance(before, ShardedTerms) and before.crew is self._crew else None
        if known is not None:
            shards = [part.shard.of(datasets) for part in known.parts]
        else:
            shards = shards_of(datasets, models, layout, treatment)
        if known is None and not self.is_worth(shards):
            return LocalEngine().compile(datasets, models, layout, treatment, before)
        crew = self._crew = self._crew or Crew(self.open(datasets), self._deadline)
        own = own_parameters([dataset.name for dataset in datasets], models, layout)
        apart = frozenset[str]() if own is None else spectra_apart(models)
        setup = pickle.dumps(Setup(models, layout, treatment, apart), pickle.HIGHEST_PROTOCOL)
        packing = crew.pool.packing()
        crew.check_files(shards, packing)
        recipe = crew.keep(Compilation(crew.number(), setup, packing, known and known.recipe))
        return ShardedTerms.compiled(crew, recipe, shards, self._tell)

    def close(self) -> None:
        """Let the workers go."""
        if self._crew is not None:
            self._crew.pool.close()
            self._crew = None
