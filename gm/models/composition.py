"""Components with the links and the covariance between their parameters: what a document of models says."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Self, overload

import numpy as np

from gm.arrays import Array
from gm.errors import suggest
from gm.html import html_table
from gm.matrices import BorderedCovariance, Covariance, not_covariance, placed
from gm.models.addresses import Addresses
from gm.models.components.background import BackgroundIRFModel
from gm.models.components.base import Component
from gm.models.components.counts import TemplateNPredModel
from gm.models.components.instrument import InstrumentModel
from gm.models.components.sky import SkyModel
from gm.models.errors import ModelError
from gm.models.links import Link, Root, resolve_links
from gm.models.parameter import Parameter
from gm.values import refuse_to_set


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

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def match(self, pattern: str) -> dict[str, Parameter]:
        """The parameters that a pattern means, by address."""
        return {self.addresses[k]: self._parameters[k] for k in self._index.match(pattern)}

    def __repr__(self) -> str:
        rows = zip(self.addresses, self._parameters, strict=True)
        return "\n".join(f"{address} = {p.value!r} {p.unit}".rstrip() for address, p in rows)


class Composition:
    """Components with unique names, in order, linked and with a covariance. ``with_...`` return new ones.

    The base of `Models`, which is the one kind that there is: documents know no more of it than this.
    """

    __slots__ = ("_applying", "_components", "_covariance", "_index", "_links", "_places")

    def __init__(
        self,
        components: Component | Iterable[Component] = (),
        links: Iterable[Link] = (),
        covariance: Covariance | None = None,
    ) -> None:
        given = [components] if isinstance(components, Component) else components
        self._components: tuple[Component, ...] = ()
        self._index: Addresses | None = None
        self._applying: dict[str | None, list[int]] | None = None
        self._places: dict[str, int] | None = None
        self._links, self._covariance = tuple(links), _read_only(covariance)
        self._components = tuple(self._checked(given))
        if isinstance(given, Composition):
            self._links = self._links or given.links
            self._covariance = given.covariance if covariance is None else self._covariance
        if roots := self.roots():
            self._components = tuple(self._components_with(_in_step(self._flat(), roots)))

    @property
    def links(self) -> tuple[Link, ...]:
        """Parameters that follow others; their values are kept in step."""
        return self._links

    @property
    def covariance(self) -> Covariance | None:
        """(n_par, n_par) of all parameters in their own units, or None; it decides the parameters' errors.

        An array, or for models of many datasets that share few of their parameters a `BorderedCovariance`, which
        answers to ``[rows, columns]`` as an array does.
        """
        return self._covariance

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_"):
            makers = ", ".join(method for method in dir(self) if method.startswith("with_"))
            refuse_to_set(self, name, ("links", "covariance", "parameters"), f"others are made by {makers}")
        super().__setattr__(name, value)

    def _checked(self, components: Iterable[object]) -> Iterator[Component]:
        """The components one by one. Raises `ModelError` for what is none, and where its name is taken."""
        known, taken = self._by_name() if self._components else {}, set[str]()
        for component in components:
            if not isinstance(component, Component):
                allowed = "a SkyModel, a BackgroundIRFModel, a TemplateNPredModel or an InstrumentModel"
                raise ModelError(f"{type(component).__name__} is not a component", allowed)
            if component.name in taken or component.name in known:
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
        if self._applying is None:
            self._applying = _by_dataset(self._components)
        general, own = self._applying[None], self._applying.get(dataset_name)
        return [self._components[k] for k in (heapq.merge(general, own) if own else general)]

    def sources(self, dataset_name: str | None = None) -> list[SkyModel]:
        """The sources, or those that apply to a dataset, in order."""
        return [c for c in self._of(dataset_name) if isinstance(c, SkyModel)]

    def counts_templates(self, dataset_name: str | None = None) -> list[TemplateNPredModel]:
        """The templates of predicted counts, or those that apply to a dataset, in order."""
        return [c for c in self._of(dataset_name) if isinstance(c, TemplateNPredModel)]

    def backgrounds(self) -> dict[str, BackgroundIRFModel]:
        """The corrections of backgrounds by the name of their dataset."""
        return {c.dataset_name: c for c in self._components if isinstance(c, BackgroundIRFModel)}

    def instruments(self, dataset_name: str | None = None) -> list[InstrumentModel]:
        """The nuisances of instruments, or those that apply to a dataset, in order."""
        return [c for c in self._of(dataset_name) if isinstance(c, InstrumentModel)]

    def _of(self, dataset_name: str | None) -> Iterable[Component]:
        return self._components if dataset_name is None else self.select(dataset_name)

    def __iter__(self) -> Iterator[Component]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

    def _by_name(self) -> dict[str, int]:
        """Where each component is, made when first asked for."""
        if self._places is None:
            self._places = {component.name: k for k, component in enumerate(self._components)}
        return self._places

    def __contains__(self, name: object) -> bool:
        return name in self._by_name()

    def __getitem__(self, key: int | str) -> Component:
        if isinstance(key, str):
            place = self._by_name().get(key)
            if place is None:
                raise ModelError(f"no component is called '{key}'", suggest(key, self.names, "components"))
            return self._components[place]
        return self._components[key]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.names))})\n{self.parameters!r}"

    def _repr_html_(self) -> str:
        return html_table(
            {
                "parameter": address,
                "value": p.value,
                "error": p.error or None,
                "unit": p.unit,
                "limits": f"{p.min:g} to {p.max:g}" if math.isfinite(p.min) or math.isfinite(p.max) else None,
                "frozen": "frozen" if p.frozen else None,
                "prior": None if p.prior is None else p.prior.tag,
            }
            for address, p in zip(self.parameters.addresses, self.parameters, strict=True)
        )

    def _components_with(self, parameters: Sequence[Parameter]) -> list[Component]:
        """The components with other parameters, (n_par,) in order."""
        rest = iter(parameters)
        return [c.with_parameters(tuple(islice(rest, len(c.parameters)))) for c in self._components]

    # New ones from it

    def with_flat(self, parameters: Sequence[Parameter]) -> Self:
        """The same components with other parameters, (n_par,) in order; linked ones are put in step."""
        return type(self)(self._components_with(parameters), self.links, self.covariance)

    def with_values(self, values: Array, covariance: Covariance | None = None) -> Self:
        """The same with other values, (n_par,) in own units, and as of `with_covariance` where one is given."""
        changes = [{"value": float(v)} for v in values]
        return self._changed(changes, self.covariance) if covariance is None else self._with_errors(changes, covariance)

    def with_covariance(self, matrix: Covariance) -> Self:
        """The same with a covariance, (n_par, n_par) in own units; errors become the roots of its diagonal. Raises
        `ModelError` for what is none."""
        made = self._with_errors([{} for _ in self._flat()], matrix)
        if not isinstance(matrix, BorderedCovariance) and (odd := not_covariance(np.asarray(matrix))) is not None:
            row, column, why = odd
            raise ModelError(f"a covariance of {matrix[row, column]:g} in row {row}, column {column}: {why}")
        return made

    def _with_errors(self, changes: Sequence[Mapping[str, Any]], matrix: Covariance) -> Self:
        """The same with these changes of the parameters, (n_par,), and a covariance of them."""
        matrix = matrix if isinstance(matrix, BorderedCovariance) else np.asarray(matrix, dtype=np.float64)
        n_par = len(changes)
        if matrix.shape != (n_par, n_par):
            raise ModelError(f"the covariance has shape {matrix.shape}; {n_par} parameters need {(n_par, n_par)}")
        errors = np.sqrt(np.maximum(matrix.diagonal(), 0.0)).tolist()
        return self._changed([{**own, "error": e} for own, e in zip(changes, errors, strict=True)], matrix)

    def _changed(self, changes: Sequence[Mapping[str, Any]], covariance: Covariance | None) -> Self:
        """With other values or errors of the parameters, (n_par,) in order, which keep their names."""
        flat = [replace(p, **own) for p, own in zip(self._flat(), changes, strict=True)]
        changed = type(self)(self._components_with(flat), self.links, covariance)
        changed._index = self._index
        return changed

    def without(self, name: str) -> Self:
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
        covariance = None if self.covariance is None else placed(self.covariance, np.array(stay, dtype=np.intp))
        return type(self)([component for component in self if component.name != name], kept, covariance)


def _by_dataset(components: Sequence[Component]) -> dict[str | None, list[int]]:
    """Positions of the components that apply to each dataset by name, those for all under None."""
    found: dict[str | None, list[int]] = {None: []}
    for k, component in enumerate(components):
        for name in dict.fromkeys([None] if component.datasets_names is None else component.datasets_names):
            found.setdefault(name, []).append(k)
    return found


def _read_only(matrix: Covariance | None) -> Covariance | None:
    if matrix is None or isinstance(matrix, BorderedCovariance):
        return matrix
    view = matrix.view()
    view.flags.writeable = False
    return view


def _in_step(parameters: Sequence[Parameter], roots: Mapping[int, Root]) -> list[Parameter]:
    """The same with each linked one at the value and error that its root gives it."""
    flat = list(parameters)
    for k, root in roots.items():
        source = flat[root.root]
        value, error = root.scale * source.value + root.offset, abs(root.scale) * source.error
        flat[k] = replace(flat[k], value=value, error=error)
    return flat
