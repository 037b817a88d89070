"""The models of a component from plain data.

Everything reports its problems through ``report(path, message, hint)`` and goes on; what cannot be made is None.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gm.errors import DataError, JsonPath, suggest
from gm.maps.rotation import FRAMES
from gm.models.documents.parameter_reading import Report, read_parameter
from gm.models.documents.plain import entry, mapping, names, rows, text
from gm.models.errors import ModelError
from gm.models.instrument import InstrumentResponse
from gm.models.parameter import Parameter, problems
from gm.models.parametric import ParametricModel
from gm.models.registry import all_models, find_model, model_tags, not_evaluated
from gm.models.spatial.base import SpatialModel
from gm.models.spectral.absorption import builtin_file
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.compound import OPERATORS, CompoundSpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.models.templates.files import expanded
from gm.models.temporal.base import TemporalModel
from gm.units import UnitError

Label = tuple[str, str, JsonPath]
"""A ``link:`` label, the full address of the parameter that carries it, and its place."""


@dataclass
class BlockReader:
    """Reads what components of one document are made of; collects their link labels in order of appearance."""

    report: Report
    directory: Path
    labels: list[Label]

    def name(self, data: Mapping[str, Any], path: JsonPath, hint: str) -> str | None:
        """The name of a component, which it needs."""
        name = data.get("name")
        if text(name):
            return str(name)
        message = "key 'name' is missing" if name is None else f"expected a name, found {name!r}"
        self.report(path if name is None else (*path, "name"), message, hint)
        return None

    def spectral(self, data: Mapping[str, Any], path: JsonPath, component: str) -> SpectralModel | None:
        """The spectrum of a component."""
        return cast(SpectralModel | None, self._section("spectral", data, path, component))

    def spatial(self, data: Mapping[str, Any], path: JsonPath, component: str) -> SpatialModel | None:
        """The shape of a component, which may have none."""
        return cast(SpatialModel | None, self._section("spatial", data, path, component))

    def temporal(self, data: Mapping[str, Any], path: JsonPath, component: str) -> TemporalModel | None:
        """The variation of a component with time, which may have none."""
        return cast(TemporalModel | None, self._section("temporal", data, path, component))

    def response(self, data: Mapping[str, Any], path: JsonPath, component: str) -> InstrumentResponse:
        """The nuisance parameters of an instrument, which stand in the component itself."""
        parameters = self._read_parameters(
            InstrumentResponse, data.get("parameters", []), path, f"{component}.{InstrumentResponse.section}"
        )
        return InstrumentResponse(**parameters)

    def norm(self, data: Mapping[str, Any], path: JsonPath, name: str, kind: str) -> SpectralModel | None:
        """A spectrum that is a factor, by default a power law, whose parameters once stood in the component itself."""
        if "spectral" not in data:
            block = {"type": PowerLawNormSpectralModel.tags[0], "parameters": data.get("parameters", [])}
            return cast(SpectralModel | None, self.read_block("spectral", block, path, f"{name}.spectral"))
        if "parameters" in data:
            self.report((*path, "parameters"), "the parameters of 'spectral' are given there", "remove one of them")
        spectral = self.spectral(data, path, name)
        if spectral is None or spectral.is_norm:
            return spectral
        tags = [model.tags[0] for model in all_models("spectral") if model.is_norm]
        message = f"{spectral.tags[0]} is not a norm model, which a {kind} model needs"
        self.report((*path, "spectral", "type"), message, suggest("", tags, "norm models"))
        return None

    def shape_factor(self, data: Mapping[str, Any], path: JsonPath, name: str) -> SpatialModel | None:
        """A spatial model whose density is a factor."""
        spatial = self.spatial(data, path, name)
        if spatial is None or spatial.has_density:
            return spatial
        message = f"{spatial.tags[0]} has no density, which a factor of the position needs"
        self.report((*path, "spatial", "type"), message, "such as PiecewiseNormSpatialModel")
        return None

    def _section(self, section: str, data: Mapping[str, Any], path: JsonPath, component: str) -> ParametricModel | None:
        if section not in data or (data[section] is None and section != "spectral"):
            return None
        return self.read_block(section, data[section], (*path, section), f"{component}.{section}")

    def read_block(self, section: str, data: Any, path: JsonPath, address: str) -> ParametricModel | None:
        """One model; ``address`` is where its parameters' full addresses start."""
        if mapping(data) is None:
            self.report(path, f"expected a {section} model, found {data!r}", "")
            return None
        model, tag = find_model(section, data.get("type")), data.get("type")
        later = not_evaluated(section, tag)
        if later:
            self.report((*path, "type"), f"this version does not evaluate {later}", "")
            return None
        if model is None:
            message = "key 'type' is missing" if tag is None else f"{tag!r} is not a {section} model"
            hint = suggest(tag, model_tags(section), f"{section} models")
            self.report(path if tag is None else (*path, "type"), message, hint)
            return None
        self.check_keys(data, ("type", "parameters", *model.setting_names), path)
        if model is CompoundSpectralModel:
            return self._read_compound(data, path, address)
        settings = self._read_settings(model, data, path)
        parameters = self._read_parameters(model, data.get("parameters", []), path, address)
        if "filename" in settings and not os.path.isfile(expanded(settings["filename"])):
            return None
        try:
            return model(**settings, **parameters)
        except (ModelError, UnitError, TypeError) as error:
            missing = [name for name in ("energy", "values") if name in model.setting_names and name not in data]
            self.report(path, f"key '{missing[0]}' is missing" if missing else str(error), "")
            return None
        except DataError as error:
            message, _, hint = str(error).partition("\n")
            self.report((*path, "filename"), message, hint.strip())
            return None

    def _read_compound(self, data: Mapping[str, Any], path: JsonPath, address: str) -> ParametricModel | None:
        members = []
        for name in ("model1", "model2"):
            if name not in data:
                self.report(path, f"key '{name}' is missing", "a compound has model1, model2 and operator")
            else:
                members.append(self.read_block("spectral", data[name], (*path, name), f"{address}.{name}"))
        operator = data.get("operator")
        if not isinstance(operator, str) or operator not in OPERATORS:
            where = (*path, "operator") if "operator" in data else path
            self.report(where, f"{operator!r} is not an operator", suggest(operator, OPERATORS, "operators"))
            return None
        spectra = [member for member in members if isinstance(member, SpectralModel)]
        return CompoundSpectralModel(spectra[0], spectra[1], operator) if len(spectra) == 2 else None

    def _read_parameters(
        self, model: type[ParametricModel], entries: Any, path: JsonPath, address: str
    ) -> dict[str, Parameter]:
        """The parameters given for a model, by name; what is left out has the class's default."""
        if rows(entries) is None:
            self.report((*path, "parameters"), f"expected a list of parameters, found {entries!r}", "")
            return {}
        defaults = {default.name: default for default in model.defaults}
        found: dict[str, Parameter] = {}
        for k, row in enumerate(entries):
            here = (*path, "parameters", k)
            name = text(entry(row, "name"))
            if name is None:
                self.report(here, "expected a parameter with a name", suggest("", defaults, "parameters"))
                continue
            default = defaults.get(name) or model.named_by_document(name)
            if default is None:
                message = f"'{name}' is not a parameter of {model.tags[0]}"
                self.report((*here, "name"), message, suggest(name, defaults, "parameters"))
                continue
            if name in found:
                self.report((*here, "name"), f"'{name}' is given twice", "keep one of them")
                continue
            found[name] = self._read_parameter(model, default, row, here)
            if (label := text(row.get("link"))) is not None:
                self.labels.append((label, f"{address}.{name}", (*here, "link")))
        return found

    def _read_parameter(
        self, model: type[ParametricModel], default: Parameter, entry: Mapping[str, Any], path: JsonPath
    ) -> Parameter:
        parameter = read_parameter(default, entry, path, self.report)
        if next(problems(parameter, default), None) is not None:  # which have been told
            return default
        if model.any_unit:
            return parameter
        try:
            model.internal_unit(default, parameter.unit)
        except UnitError as error:
            self.report((*path, "unit") if "unit" in entry else path, str(error), "")
            return default
        return parameter

    def _read_settings(self, model: type[ParametricModel], data: Mapping[str, Any], path: JsonPath) -> dict[str, Any]:
        settings = {name: data[name] for name in model.setting_names if name in data}
        frame = settings.get("frame", "icrs")
        if frame not in FRAMES:
            self.report((*path, "frame"), f"{frame!r} is not a frame", suggest(frame, FRAMES, "frames"))
        if "filename" in settings:
            settings["filename"] = self.resolve_file(settings["filename"], (*path, "filename"))
        elif "filename" in model.setting_names and "param" not in data:
            self.report(path, "key 'filename' is missing", "the file with the template")
            settings["filename"] = ""
        return settings

    def resolve_file(self, name: Any, path: JsonPath) -> str:
        """The file's path: beside the document when it is there, else with ``$VAR`` and ``~`` expanded."""
        if not isinstance(name, str):
            self.report(path, f"expected a file name, found {name!r}", "")
            return ""
        expanded = Path(os.path.expanduser(os.path.expandvars(name)))
        for candidate in (self.directory / name, self.directory / expanded):
            if os.path.isfile(candidate):  # of a name that is too long, it is not
                return name if "$" in name or name.startswith("~") else os.path.abspath(candidate)
        builtin = builtin_file(name)
        if builtin is not None:
            return str(builtin)
        self.report(path, f"file '{self.directory / expanded}' does not exist", "paths are relative to this document")
        return name

    def datasets_names(self, data: Mapping[str, Any], path: JsonPath) -> tuple[str, ...] | None:
        """The datasets that a component names; None for all of them."""
        given = data.get("datasets_names")
        found = names(given)
        if found is None and given is not None:
            message = f"expected names of datasets, found {given!r}"
            self.report((*path, "datasets_names"), message, "a list such as [hess, fermi]")
        return found

    def check_keys(self, data: Mapping[str, Any], allowed: tuple[str, ...], path: JsonPath) -> None:
        """Report the keys of a mapping that mean nothing."""
        for key in data:
            if key not in allowed:
                self.report((*path, key), f"unknown key '{key}'", suggest(key, allowed, "keys"))
