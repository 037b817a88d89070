"""From a map dataset and the components that apply to it to its term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import final

import numpy as np

from gm.datasets.map_dataset import SkyMap
from gm.irf.psf_kernel import KernelGrids
from gm.likelihood.blocks import MAPS
from gm.likelihood.flux_plan import FluxPlan, Phase
from gm.likelihood.instruments import Effects, Instruments
from gm.likelihood.maps.bins import BackgroundBins, MapBackground, MapBins
from gm.likelihood.maps.source_builder import Asked, SourceBuilder
from gm.likelihood.maps.sources.counts import stored_sources
from gm.likelihood.maps.sources.fixed import FixedSource
from gm.likelihood.maps.sources.image import MapSource
from gm.likelihood.maps.sources.point import Shared
from gm.likelihood.maps.term import MapTerm
from gm.likelihood.maps.view import View, background_of, bins_of, correction_of
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models, SkyModel
from gm.parallel import side_by_side


@final
@dataclass(frozen=True, eq=False)
class CompiledMaps:
    """What other models, which differ in values alone, can take over: bins of the datasets and those that sources are
    predicted in, by the position of the dataset; sources, with what has built them; and parts of kernels."""

    views: dict[int, tuple[View, View]] = field(default_factory=dict)
    sources: dict[tuple[int, str], tuple[SourceBuilder, MapSource]] = field(default_factory=dict)
    kernels: KernelGrids = field(default_factory=KernelGrids)

    def view(self, index: int, dataset: SkyMap) -> tuple[View, View] | None:
        """The bins of a dataset, and those that sources are predicted in; None where none enters."""
        if index not in self.views and (bins := bins_of(dataset)) is not None:
            view = View(index, dataset, bins)
            self.views[index] = view, view.finest()
        return self.views.get(index)

    def like(self, builder: SourceBuilder) -> tuple[SourceBuilder, FixedSource] | None:
        """A source with a fixed shape that was built before and would be built again."""
        found = self.sources.get((builder.view.index, builder.component.name))
        if found is None or not isinstance(found[1], FixedSource) or not found[0].is_like(builder):
            return None
        return found[0], found[1]

    def taken_over(self, builders: Sequence[SourceBuilder]) -> list[tuple[SourceBuilder, FixedSource] | None]:
        """What is `like` each, which takes over what that knows."""
        before = [self.like(builder) for builder in builders]
        for builder, found in zip(builders, before, strict=True):
            if found is not None:
                builder.take(found[0])
        return before

    def forget(self) -> None:
        """What can be made again goes, so that it is not in memory beside what is made now."""
        for _, source in self.sources.values():
            source.forget()


def compile_maps(
    maps: Sequence[tuple[int, SkyMap]],
    models: Models,
    plan: FluxPlan,
    layout: Layout,
    instruments: Instruments,
    treatment: Treatment,
    known: CompiledMaps,
) -> tuple[list[MapTerm], CompiledMaps]:
    """The terms of map datasets, given with their positions; those whose masks leave nothing have none.

    Fixed images are folded at the same time, since the transforms release the interpreter; nothing else takes so long.
    Those that are ``known``, of the same datasets and other values, are not folded again.
    """
    pairs = [pair for index, dataset in maps if (pair := known.view(index, dataset)) is not None]
    views, block = [view for view, _ in pairs], {index: k // MAPS for k, (index, _) in enumerate(maps)}
    shared = [Shared(known.kernels, len(pairs)) for _ in range(0, len(maps), MAPS)]
    effects = {view.index: instruments.on(view.dataset) for view in views}

    def builder_of(view: View, finest: View, component: SkyModel) -> SourceBuilder:
        plan.turn(Phase.SOURCES, view.index)
        asked = Asked(plan, layout, treatment, effects[view.index])
        return SourceBuilder.of(view, finest, component, asked, shared[block[view.index]])

    builders = [
        [builder_of(view, finest, component) for component in models.sources(view.dataset.name)]
        for view, finest in pairs
    ]
    every = [builder for row in builders for builder in row]
    before = known.taken_over(every)
    known.forget()
    stored = [
        stored_sources(
            view.dataset, view.bins, models, plan.turn(Phase.STORED, view.index), layout, effects[view.index]
        )
        for view in views
    ]
    backgrounds = _backgrounds(views, models, plan, layout, effects)
    apart = [_apart(*parts) for parts in zip(views, builders, stored, backgrounds, strict=True)]
    sources = _built(every, before)
    made = {(b.view.index, b.component.name): (b, source) for b, source in zip(every, sources, strict=True)}
    each = iter(sources)
    terms = [
        MapTerm(view.index, view.dataset.counts, bins, [*islice(each, len(row)), *more], background, alone)
        for view, row, more, (bins, background, alone) in zip(views, builders, stored, apart, strict=True)
    ]
    return terms, CompiledMaps(known.views, made, known.kernels)


def _backgrounds(
    views: Sequence[View], models: Models, plan: FluxPlan, layout: Layout, effects: Mapping[int, Effects]
) -> list[MapBackground]:
    """Of each dataset, summed at the same time once all have asked for their columns."""
    corrected = [
        (view, *correction_of(view, models, plan.turn(Phase.BACKGROUNDS, view.index), layout, effects[view.index]))
        for view in views
    ]
    return side_by_side(lambda parts: background_of(*parts), corrected)


def _built(
    builders: Sequence[SourceBuilder], before: Sequence[tuple[SourceBuilder, FixedSource] | None]
) -> list[MapSource]:
    """The source of each, from what was built before where there is something."""
    sources: list[MapSource | None] = [
        None if found is None else builder.built_before(*found) for builder, found in zip(builders, before, strict=True)
    ]
    new = [k for k, source in enumerate(sources) if source is None]
    folding = [k for k in new if builders[k].is_folding]
    for k, source in zip(folding, side_by_side(lambda k: builders[k].build(), folding), strict=True):
        sources[k] = source
    return [source or builder.build() for source, builder in zip(sources, builders, strict=True)]


def _apart(
    view: View, builders: Sequence[SourceBuilder], stored: Sequence[MapSource], background: MapBackground
) -> tuple[MapBins, MapBackground, BackgroundBins | None]:
    """The bins of a dataset that its sources reach, which is where these are built, and the others."""
    if stored or any(builder.view.sums is not None for builder in builders):
        return view.bins, background, None
    reached = np.zeros(view.dataset.geometry.shape, dtype=bool)
    for builder in builders:
        reached[builder.extent] = True
    bins, background, alone = BackgroundBins.apart(view.bins, background, reached)
    for builder in builders:
        builder.view = replace(view, bins=bins)
    return bins, background, alone
