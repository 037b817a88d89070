"""A revision of the global model: components renamed, copied, added and dropped, and what hangs on their parameters.

Links and covariance follow the parameters. What would break a link is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gm.arrays import IntArray
from gm.datasets.operations.outcome import Refused
from gm.matrices import Covariance, placed
from gm.models import Addresses, Component, Link, Models


@dataclass
class _Row:
    """A component of the new model; its parameters are those of ``source``, as their heir or as a copy of them."""

    component: Component
    source: str | None
    is_copy: bool = False


class Revision:
    """Changes of `models`, collected by the names that components have there, and made at once by `finish`."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._rows: dict[str, list[_Row]] = {c.name: [_Row(c, c.name)] for c in models}
        self._gone: dict[str, str] = {}

    def current(self, name: str) -> Component:
        """The component as it is now."""
        return self._rows[name][0].component

    def replace(self, name: str, component: Component) -> None:
        """A component with another name or scope, and the same parameters."""
        self._rows[name][0].component = component

    def copy(self, name: str, component: Component) -> None:
        """A second component, behind the first, with parameters of its own that start as copies."""
        self._rows[name].append(_Row(component, name, is_copy=True))

    def add(self, after: str, component: Component) -> None:
        """A component with new parameters, where ``after`` is or was."""
        self._rows[after].append(_Row(component, None))

    def drop(self, name: str, reason: str) -> None:
        """A component goes, with its parameters; ``reason`` completes 'would go: ...'."""
        del self._rows[name][0]
        self._gone[name] = reason

    def finish(self) -> Models:
        """The new model. Raises `Refused` for a name that two components would have, or a link that would break."""
        rows = [row for rows in self._rows.values() for row in rows]
        self._check_names(rows)
        source, heir, copies = self._positions(rows)
        components = [row.component for row in rows]
        links = self._links(Addresses(components).short, heir, copies)
        return Models(components, links, self._covariance(components, source))

    def _check_names(self, rows: list[_Row]) -> None:
        seen: set[str] = set()
        for row in rows:
            name = row.component.name
            if name in seen:
                raise Refused(f"two components would be called '{name}'", "rename one, or name the dataset otherwise")
            seen.add(name)

    def _positions(self, rows: list[_Row]) -> tuple[IntArray, dict[int, int], dict[int, list[int]]]:
        """Old position of every new parameter (-1: none); new position of every old one; and those of its copies."""
        slots = self._models.slots()
        source: list[int] = []
        heir: dict[int, int] = {}
        copies: dict[int, list[int]] = {}
        for row in rows:
            if row.source is None:
                source += [-1] * len(row.component.parameters)
                continue
            old = slots[row.source, None]
            for position in range(old.start, old.stop):
                if row.is_copy:
                    copies.setdefault(position, []).append(len(source))
                else:
                    heir[position] = len(source)
                source.append(position)
        return np.array(source, dtype=np.intp), heir, copies

    def _links(self, short: tuple[str, ...], heir: dict[int, int], copies: dict[int, list[int]]) -> list[Link]:
        """The links between the same parameters; a copy follows what its original follows."""
        find = self._models.addresses().resolve
        links: list[Link] = []
        for link in self._models.links:
            follower, leader = find(link.parameter), find(link.equals)
            if follower not in heir or leader not in heir:
                self._refuse(link, follower if follower not in heir else leader)
            for position in (heir[follower], *copies.get(follower, ())):
                links.append(Link(short[position], short[heir[leader]], link.scale, link.offset))
        return links

    def _refuse(self, link: Link, position: int) -> None:
        slots = self._models.slots()
        name = next(name for (name, section), s in slots.items() if section is None and s.start <= position < s.stop)
        raise Refused(
            f"this would break the link '{link.parameter}' = '{link.equals}': {name} would go, {self._gone[name]}",
            "remove that link, or keep the component's dataset as it is",
        )

    def _covariance(self, components: list[Component], source: IntArray) -> Covariance | None:
        """Rows of parameters that were there; the square of the error on the diagonal for new ones."""
        if self._models.covariance is None:
            return None
        errors = np.array([parameter.error for component in components for parameter in component.parameters])
        return placed(self._models.covariance, source, variances=errors**2)
