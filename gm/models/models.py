"""The one global model: all components of an analysis, and the links and covariance between their parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from gm.arrays import Array
from gm.errors import suggest
from gm.models.addresses import Addresses
from gm.models.component import Component
from gm.models.errors import ModelError
from gm.models.links import Link, Root, resolve_links
from gm.models.parameter import Parameter


class Parameters(Sequence[Parameter]):
    """Parameters with their addresses: by position, by address, or several by pattern.

    addresses : (n_par,) the short ones
    free : those that a fit moves by themselves, neither frozen nor linked
    """

    def __init__(self, parameters: Sequence[Parameter], linked: Collection[int], index: Addresses) -> None:
        self._parameters, self._index = tuple(parameters), index
        self.addresses = index.short
        self.free = tuple(p for k, p in enumerate(self._parameters) if not p.frozen and k not in linked)

    @overload
    def __getitem__(self, key: int | str) -> Parameter: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Parameter]: ...
    def __getitem__(self, key: int | str | slice) -> Parameter | Sequence[Parameter]:
        return self._parameters[self._index.resolve(key) if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._parameters)

    def match(self, pattern: str) -> dict[str, Parameter]:
        """The parameters that a pattern means, by address."""
        return {self.addresses[k]: self._parameters[k] for k in self._index.match(pattern)}

    def __repr__(self) -> str:
        rows = zip(self.addresses, self._parameters, strict=True)
        return "\n".join(f"{address} = {p.value!r} {p.unit}".rstrip() for address, p in rows)


class Models:
    """Components with unique names, in order. A value: ``with_...`` return new ones; ``append``, ``extend`` build one.

    links : parameters that follow others; their values are kept in step
    covariance : (n_par, n_par) of all parameters in their own units, or None; it decides the parameters' errors
    """

    def __init__(
        self,
        components: Component | Iterable[Component] = (),
        links: Iterable[Link] = (),
        covariance: Array | None = None,
    ) -> None:
        self._components: list[Component] = []
        self._index: Addresses | None = None
        self.links = tuple(links)
        self.covariance = covariance
        self._components += self._checked([components] if isinstance(components, Component) else components)
        if isinstance(components, Models):
            self.links = self.links or components.links
            self.covariance = components.covariance if covariance is None else covariance
        if roots := self.roots():
            self._set_flat(_in_step(self._flat(), roots))

    def append(self, component: Component) -> None:
        """Add a component at the end. Raises `ModelError` when its name is taken."""
        self.extend([component])

    def extend(self, components: Iterable[Component]) -> None:
        """Add components at the end. Raises `ModelError` when a name is taken."""
        for component in self._checked(components):
            self._components.append(component)
            self._index = None
            if self.covariance is not None:
                self.covariance = _grown(self.covariance, [p.error for p in component.parameters])

    def _checked(self, components: Iterable[object]) -> Iterator[Component]:
        """The components one by one. Raises `ModelError` for what is none, and where its name is taken."""
        taken = set(self.names)
        for component in components:
            if not isinstance(component, Component):
                allowed = "a SkyModel, a BackgroundIRFModel or a TemplateNPredModel"
                raise ModelError(f"{type(component).__name__} is not a component", allowed)
            if component.name in taken:
                raise ModelError(f"two components are called '{component.name}'", "names are unique")
            taken.add(component.name)
            yield component

    # What is in it

    @property
    def names(self) -> list[str]:
        return [component.name for component in self._components]

    @property
    def parameters(self) -> Parameters:
        return Parameters(self._flat(), self.roots(), self.addresses())

    def _flat(self) -> list[Parameter]:
        return [parameter for component in self._components for parameter in component.parameters]

    def addresses(self) -> Addresses:
        """Names of all parameters, made when first asked for."""
        if self._index is None:
            self._index = Addresses(self._components)
        return self._index

    def resolve(self, address: str) -> int:
        """Position of the one parameter with this address. Raises `AddressError`, listing the candidates."""
        return self.addresses().resolve(address)

    def match(self, pattern: str) -> list[int]:
        """Positions of the parameters that an address or a shell pattern means; maybe none."""
        return self.addresses().match(pattern)

    def factors(self) -> list[float]:
        """(n_par,) own unit -> internal unit."""
        return [f for component in self._components for _, model in component.blocks() for f in model.factors]

    def limits(self) -> list[tuple[float, float]]:
        """(n_par, 2) between which values a fit keeps every parameter, in own units, links aside."""
        models = (model for component in self._components for _, model in component.blocks())
        return [pair for model in models for block in model.blocks() for pair in block.limits()]

    def roots(self) -> dict[int, Root]:
        """For every linked parameter, by position, the one that it follows. Raises `LinkError`, `AddressError`."""
        if not self.links:
            return {}
        return resolve_links(self.links, self.addresses().resolve, self._flat())

    def slots(self) -> dict[tuple[str, str | None], slice]:
        """Positions of every component's parameters, as a whole (section None) and by section."""
        slots: dict[tuple[str, str | None], slice] = {}
        stop = 0
        for component in self._components:
            first = stop
            for section, model in component.blocks():
                start, stop = stop, stop + len(model.parameters)
                slots[component.name, section] = slice(start, stop)
            slots[component.name, None] = slice(first, stop)
        return slots

    def select(self, dataset_name: str) -> list[Component]:
        """The components that apply to a dataset, in order."""
        return [component for component in self._components if component.applies_to(dataset_name)]

    def __iter__(self) -> Iterator[Component]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, key: int | str) -> Component:
        if isinstance(key, str):
            for component in self._components:
                if component.name == key:
                    return component
            raise ModelError(f"no component is called '{key}'", suggest(key, self.names, "components"))
        return self._components[key]

    def __repr__(self) -> str:
        return f"Models({', '.join(map(repr, self.names))})\n{self.parameters!r}"

    def _set_flat(self, parameters: Sequence[Parameter]) -> None:
        start = 0
        for position, component in enumerate(self._components):
            stop = start + len(component.parameters)
            self._components[position] = component.with_parameters(parameters[start:stop])
            start = stop

    # New ones from it

    def with_flat(self, parameters: Sequence[Parameter]) -> Models:
        """The same components with other parameters, (n_par,) in order; linked ones are put in step."""
        changed = Models(self._components, covariance=self.covariance)
        changed._set_flat(parameters)
        return Models(changed, self.links)

    def with_values(self, values: Array) -> Models:
        """The same with other values, (n_par,) in own units."""
        flat = [replace(p, value=float(v)) for p, v in zip(self.parameters, values, strict=True)]
        return self.with_flat(flat)

    def with_parameters(self, edits: Mapping[str, object], report: Any = None) -> Models:
        """The same with edited parameters, such as ``{"crab.index": {"value": 2.3, "min": 1}, "*-bkg.norm": 1.1}``.

        Keys are addresses or patterns; a number or a quantity alone is a value. Fields: value, min, max, error, frozen,
        prior. Raises `ModelError`; with ``report(path, message, hint)`` problems go there.
        """
        from gm.models.documents.edits import apply_edits

        return apply_edits(self, edits, report)

    def with_links(self, links: Sequence[Link | Mapping[str, object]], report: Any = None) -> Models:
        """The same with more links: `Link` or ``{"parameter": ..., "equals": ..., "scale": 1, "offset": "0.01 deg"}``.

        Raises `LinkError`; with ``report(path, message, hint)`` problems go there, and no link is added.
        """
        from gm.models.documents.edits import apply_links

        return apply_links(self, links, report)

    def with_covariance(self, matrix: Array) -> Models:
        """The same with a covariance, (n_par, n_par) in own units; errors become the roots of its diagonal."""
        matrix = np.asarray(matrix, dtype=np.float64)
        n_par = len(self.parameters)
        if matrix.shape != (n_par, n_par):
            raise ModelError(f"the covariance has shape {matrix.shape}; {n_par} parameters need {(n_par, n_par)}")
        errors = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        flat = [replace(p, error=float(e)) for p, e in zip(self.parameters, errors, strict=True)]
        return Models(self.with_flat(flat), self.links, matrix)

    def without(self, name: str) -> Models:
        """The same without one component. Raises `ModelError` when a parameter elsewhere follows one of its."""
        gone = range(*self.slots()[self[name].name, None].indices(len(self.parameters)))
        find, kept = self.addresses().resolve, []
        for link in self.links:
            if find(link.parameter) in gone:
                continue
            if find(link.equals) in gone:
                message = f"'{link.parameter}' follows '{link.equals}', which would go with component '{name}'"
                raise ModelError(message, "turn the link around, or remove it")
            kept.append(link)
        stay = [k for k in range(len(self.parameters)) if k not in gone]
        covariance = None if self.covariance is None else self.covariance[np.ix_(stay, stay)]
        return Models([component for component in self if component.name != name], kept, covariance)

    # Documents

    @classmethod
    def read(cls, path: str | Path) -> Models:
        """Read Gammapy's models.yaml with the covariance file that it names. Raises `InvalidInput`, `DataError`."""
        from gm.models.documents.reading import read_models

        return read_models(path)

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write models.yaml, and ``<stem>_covariance.dat`` beside it when errors are known. Raises `DataError`."""
        from gm.models.documents.writing import write_models

        write_models(self, path, overwrite)

    def to_dict(self) -> dict[str, Any]:
        """The document of models.yaml, without covariance."""
        from gm.models.documents.writing import models_to_dict

        return models_to_dict(self)


def _in_step(parameters: Sequence[Parameter], roots: Mapping[int, Root]) -> list[Parameter]:
    """The same with each linked one at the value and error that its root gives it."""
    flat = list(parameters)
    for k, root in roots.items():
        source = flat[root.root]
        value, error = root.scale * source.value + root.offset, abs(root.scale) * source.error
        flat[k] = replace(flat[k], value=value, error=error)
    return flat


def _grown(covariance: Array, errors: Sequence[float]) -> Array:
    n = len(covariance)
    grown = np.zeros((n + len(errors), n + len(errors)))
    grown[:n, :n] = covariance
    grown[range(n, len(grown)), range(n, len(grown))] = np.square(errors)
    return grown
