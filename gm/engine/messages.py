"""What a worker is asked to do with what it holds."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from gm.datasets import Datasets
from gm.engine.columns import AsTheyAre, Columns, OwnSpectra
from gm.engine.parcels import Parcel, Unseen, unseen
from gm.engine.shard import ShardTerms
from gm.engine.worker_state import Message, Place, Setup, WorkerState
from gm.likelihood import LocalEngine
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.maps.folding.shared_kernels import SharedKernels
from gm.likelihood.terms import LocalTerms


@final
@dataclass(frozen=True, eq=False)
class Learn(Message):
    """The setup of a compilation, pickled once for all workers."""

    number: int
    setup: bytes

    def act(self, state: WorkerState) -> None:
        state.setups[self.number] = pickle.loads(self.setup)


@final
@dataclass(frozen=True, eq=False)
class See(Message):
    """Whether files are what they are where the fit was started: why not, one text each."""

    parcels: Sequence[Parcel]

    def act(self, state: WorkerState) -> list[str]:
        return unseen(self.parcels)


@final
@dataclass(frozen=True, eq=False)
class Compile(Message):
    """Compile the datasets of a shard; ``before``: what may be taken over, where it is held."""

    at: Place
    parcels: Sequence[Parcel]
    before: Place | None

    def act(self, state: WorkerState) -> None:
        problems = unseen(self.parcels)
        if problems:
            raise Unseen("\n".join(problems))
        setup, known = state.setups[self.at[0]], self._known(state)
        datasets = Datasets(parcel.open(state.datasets) for parcel in self.parcels)
        plan, terms = LocalEngine().compile(datasets, setup.models, setup.layout, setup.treatment, known)
        state.held[self.at] = ShardTerms(columns_of(plan, setup, [dataset.name for dataset in datasets]), terms)

    def _known(self, state: WorkerState) -> LocalTerms | None:
        held = state.held.get(self.before) if self.before is not None else None
        return held.compiled if isinstance(held, ShardTerms) else None


def columns_of(plan: FluxPlan, setup: Setup, datasets: Sequence[str]) -> Columns:
    """How the flux vector of datasets with these names travels."""
    backgrounds = setup.models.backgrounds() if setup.apart else {}
    read = {name for block in plan.blocks.values() for name in block.components} & setup.apart
    own = [backgrounds[name] for name in datasets if name in backgrounds and backgrounds[name].name in read]
    return OwnSpectra(plan, own, setup.layout, setup.treatment.conventions) if own else AsTheyAre(plan)


@final
@dataclass(frozen=True, eq=False)
class Derive(Message):
    """Keep what something that is held makes of arguments."""

    at: Place
    of: Place
    name: str
    arguments: Sequence[Any]

    def act(self, state: WorkerState) -> None:
        state.held[self.at] = getattr(state.held[self.of], self.name)(*self.arguments)


@final
@dataclass(frozen=True, eq=False)
class Ask(Message):
    """What something that is held says."""

    of: Place
    name: str
    arguments: Sequence[Any]

    def act(self, state: WorkerState) -> Any:
        before = SharedKernels.n_plans
        answer = getattr(state.held[self.of], self.name)(*self.arguments)
        return answer if SharedKernels.n_plans == before else Planned(answer)


@final
@dataclass(frozen=True, eq=False)
class Planned:
    """An answer for which it was decided anew how images are folded: what is asked later depends on that it was asked,
    in its last digits."""

    answer: Any


@final
@dataclass(frozen=True, eq=False)
class Again(Message):
    """What was asked elsewhere, and is asked again for what it leaves behind."""

    messages: Sequence[Message]

    def act(self, state: WorkerState) -> None:
        for message in self.messages:
            message.act(state)


@final
@dataclass(frozen=True)
class Forget(Message):
    """What was made under some numbers is needed no more."""

    numbers: frozenset[int]

    def act(self, state: WorkerState) -> None:
        for number in self.numbers:
            state.setups.pop(number, None)
        for place in [place for place in state.held if place[0] in self.numbers]:
            del state.held[place]
