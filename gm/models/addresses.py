"""Addresses of parameters: ``crab.index``, or longer where that is ambiguous, and patterns of them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from glob import escape

from gm.errors import suggest
from gm.models.components.base import Component
from gm.models.errors import AddressError


class Addresses:
    """The parameters of some components by name.

    A parameter may be called ``<component>.<name>``, ``<component>.<section>.<name>``, and inside a compound
    ``<component>.model1.<name>`` or ``<component>.<section>.model1.<name>``, wherever that means one parameter only.

    short : (n_par,) the shortest unambiguous address of each parameter
    full : (n_par,) the longest, as in Gammapy's covariance files
    """

    def __init__(self, components: Iterable[Component]) -> None:
        self._forms: list[tuple[str, ...]] = []
        self._positions: dict[str, list[int]] = {}
        self._components: list[str] = []
        for component in components:
            self._components.append(component.name)
            for section, model in component.blocks():
                for path in model.paths:
                    self._add(component.name, section, path)
        self.short = tuple(self._shortest(forms) for forms in self._forms)
        self.full = tuple(forms[-1] for forms in self._forms)

    def _add(self, component: str, section: str, path: str) -> None:
        short, long = f"{component}.{path}", f"{component}.{section}.{path}"
        forms: tuple[str, ...] = short, long
        if "." in path:
            name = path.rpartition(".")[2]
            forms = tuple(dict.fromkeys((f"{component}.{name}", f"{component}.{section}.{name}", *forms)))
        for form in forms:
            self._positions.setdefault(form, []).append(len(self._forms))
        self._forms.append(forms)

    def _shortest(self, forms: tuple[str, ...]) -> str:
        return next((form for form in (*forms[:2], forms[-1]) if len(self._positions[form]) == 1), forms[-1])

    def __contains__(self, address: object) -> bool:
        return address in self._positions

    def resolve(self, address: str) -> int:
        """Position of the one parameter with this address. Raises `AddressError`, listing the candidates."""
        found = self._positions.get(address, [])
        if len(found) == 1:
            return found[0]
        if found:
            candidates = ", ".join(self.short[k] for k in found)
            raise AddressError(f"'{address}' is ambiguous", f"candidates: {candidates}")
        raise AddressError(f"no parameter is called '{address}'", suggest(address, self.short, "parameters"))

    def match(self, pattern: str) -> list[int]:
        """Positions of the parameters that a shell pattern, or an address taken literally, means; maybe none.

        The name of a component at its start is taken literally too: ``HESS J1825 [A].*``.
        """
        if pattern in self._positions:
            return [self.resolve(pattern)]
        named = max((name for name in self._components if pattern.startswith(f"{name}.")), key=len, default="")
        pattern = escape(named) + pattern.removeprefix(named)
        return [k for k, forms in enumerate(self._forms) if any(fnmatchcase(form, pattern) for form in forms)]
