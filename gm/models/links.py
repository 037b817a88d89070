"""Links between parameters: ``b = scale a + offset``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite

from gm.models.errors import LinkError
from gm.models.parameter import Parameter
from gm.units import UnitError, factor
from gm.values import read_only


@read_only("Models.with_links takes others")
@dataclass(frozen=True, slots=True)
class Link:
    """``parameter = scale * equals + offset``, both by address; ``offset`` in the unit of ``parameter``.

    Gammapy's ``link: label`` is the link with scale 1 and offset 0. ``unused`` : what a document says of the parameter
    itself, but the link overrules.
    """

    parameter: str
    equals: str
    scale: float = 1.0
    offset: float = 0.0
    unused: str = field(default="", compare=False)

    @property
    def is_identity(self) -> bool:
        return self.scale == 1 and self.offset == 0


@dataclass(frozen=True, slots=True)
class Root:
    """A parameter as a function of the one at position ``root``: ``own value = scale * root's own value + offset``."""

    root: int
    scale: float = 1.0
    offset: float = 0.0


def resolve_links(
    links: Iterable[Link], find: Callable[[str], int], parameters: Sequence[Parameter]
) -> dict[int, Root]:
    """For every linked parameter the free-standing one that it follows, chains resolved. Raises `LinkError`."""
    direct: dict[int, Root] = {}
    order: dict[int, int] = {}
    for k, link in enumerate(links):
        target, source = find(link.parameter), find(link.equals)
        if target in direct:
            raise LinkError(f"'{link.parameter}' is linked twice", "a parameter follows one other parameter", k)
        try:
            unit = factor(parameters[source].unit, parameters[target].unit)
        except UnitError as error:
            raise LinkError(f"'{link.parameter}' cannot follow '{link.equals}': {error}", position=k) from error
        for name, number in (("scale", link.scale), ("offset", link.offset)):
            if not isfinite(number):
                raise LinkError(f"the {name} of a link is a finite number, found {number}", position=k)
        direct[target] = Root(source, link.scale * unit, link.offset)
        order[target] = k
    return {target: _follow(target, direct, order, parameters) for target in direct}


def _follow(target: int, direct: dict[int, Root], order: dict[int, int], parameters: Sequence[Parameter]) -> Root:
    seen = [target]
    scale, offset, source = 1.0, 0.0, target
    while source in direct:
        step = direct[source]
        scale, offset, source = scale * step.scale, offset + scale * step.offset, step.root
        if source in seen:
            names = " -> ".join(parameters[k].name for k in [*seen, source])
            raise LinkError(f"the links go round in a circle: {names}", "remove one of them", order[target])
        seen.append(source)
    return Root(source, scale, offset)
