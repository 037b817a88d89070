"""Components and their models from plain data.

Everything reports its problems through ``report(path, message, hint)`` and goes on; what cannot be made is None.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.errors import DataError, JsonPath, suggest
from gm.maps.rotation import FRAMES
from gm.models.component import APPLY_ALL_IRFS, BackgroundIRFModel, Component, SkyModel, TemplateNPredModel
from gm.models.documents.parameter_reading import Report, read_parameter
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.registry import find_model, model_tags, not_evaluated
from gm.models.spatial.base import ExtendedModel, SpatialModel
from gm.models.spatial.templates import TemplateNDSpatialModel, TemplateSpatialModel
from gm.models.spectral.absorption import builtin_file
from gm.models.spectral.base import FLUX, SpectralModel
from gm.models.spectral.compound import OPERATORS, CompoundSpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.models.templates.files import expanded
from gm.models.temporal.base import TemporalModel
from gm.units import UnitError

Label = tuple[str, str, JsonPath]
"""A ``link:`` label, the full address of the parameter that carries it, and its place."""


@dataclass
class ComponentReader:
    """Reads the components of one document; collects their link labels in order of appearance."""

    report: Report
    directory: Path
    labels: list[Label]

    def read(self, data: Any, path: JsonPath) -> Component | None:
        """One entry of ``components``."""
        if not isinstance(data, Mapping):
            self.report(path, f"expected a component, found {data!r}", "")
            return None
        kind = data.get("type")
        if kind in SkyModel.tags:
            return self._read_sky_model(data, path)
        if kind in BackgroundIRFModel.tags:
            return self._read_background(data, path)
        if kind in TemplateNPredModel.tags:
            return self._read_counts_template(data, path)
        tags = [*SkyModel.tags, *BackgroundIRFModel.tags[:2], TemplateNPredModel.tags[0]]
        message = "key 'type' is missing" if kind is None else f"{kind!r} is not a component type"
        self.report(path if kind is None else (*path, "type"), message, suggest(kind, tags, "types"))
        return None

    def _read_sky_model(self, data: Mapping[str, Any], path: JsonPath) -> SkyModel | None:
        self._check_keys(data, ("name", "type", "apply_irf", "datasets_names", "spectral", "spatial", "temporal"), path)
        name = data.get("name")
        if not isinstance(name, str) or not name:
            message = "key 'name' is missing" if name is None else f"expected a name, found {name!r}"
            self.report(path if name is None else (*path, "name"), message, "every SkyModel has a name of its own")
            name = None
        spectral = self._read_section("spectral", data, path, str(name))
        spatial = self._read_section("spatial", data, path, str(name))
        temporal = self._read_section("temporal", data, path, str(name))
        if "spectral" not in data:
            self.report(path, "key 'spectral' is missing", "every SkyModel has a spectrum")
        apply_irf = self._read_apply_irf(data.get("apply_irf"), (*path, "apply_irf"))
        datasets = self._read_datasets_names(data.get("datasets_names"), (*path, "datasets_names"))
        if not isinstance(spectral, SpectralModel) or name is None:
            return None
        self._check_flux(spectral, spatial, apply_irf["exposure"], (*path, "spectral"))
        return SkyModel(
            name=name,
            spectral_model=spectral,
            spatial_model=spatial if isinstance(spatial, SpatialModel) else None,
            temporal_model=temporal if isinstance(temporal, TemporalModel) else None,
            datasets_names=datasets,
            apply_irf=apply_irf,
        )

    def _read_background(self, data: Mapping[str, Any], path: JsonPath) -> BackgroundIRFModel | None:
        self._check_keys(data, ("name", "type", "datasets_names", "spectral", "spatial", "parameters"), path)
        datasets = self._read_datasets_names(data.get("datasets_names"), (*path, "datasets_names"))
        if datasets is None or len(datasets) != 1:
            where = (*path, "datasets_names") if "datasets_names" in data else path
            found = "none" if not datasets else ", ".join(datasets)
            self.report(where, f"expected one dataset, found {found}", "a background model is for exactly one dataset")
            return None
        name = f"{datasets[0]}-bkg"
        shape, spectral = self._read_shape_factor(data, path, name), self._read_norm(data, path, name)
        if spectral is None:
            return None
        return BackgroundIRFModel(dataset_name=datasets[0], spectral_model=spectral, spatial_model=shape)

    def _read_counts_template(self, data: Mapping[str, Any], path: JsonPath) -> TemplateNPredModel | None:
        self._check_keys(
            data, ("name", "type", "spatial", "spectral", "filename", "datasets_names", "parameters"), path
        )
        name = data.get("name")
        if not isinstance(name, str) or not name:
            message = "key 'name' is missing" if name is None else f"expected a name, found {name!r}"
            self.report(path if name is None else (*path, "name"), message, "every TemplateNPredModel has its own name")
            name = None
        if "filename" in data:
            filename = self._resolve_file(data["filename"], (*path, "filename"))
        else:
            self.report(path, "key 'filename' is missing", "the map of predicted counts")
            filename = ""
        datasets = self._read_datasets_names(data.get("datasets_names"), (*path, "datasets_names"))
        if datasets is not None and len(datasets) != 1:
            message = f"expected one dataset, found {', '.join(datasets) or 'none'}"
            self.report((*path, "datasets_names"), message, "a template of predicted counts is for one dataset")
            return None
        shape, spectral = self._read_shape_factor(data, path, str(name)), self._read_norm(data, path, str(name))
        if spectral is None or name is None:
            return None
        return TemplateNPredModel(
            name=name, filename=filename, spectral_model=spectral, spatial_model=shape, datasets_names=datasets
        )

    def _read_norm(self, data: Mapping[str, Any], path: JsonPath, name: str) -> SpectralModel | None:
        """A spectrum that is a factor, by default a power law, whose parameters once stood in the component itself."""
        if "spectral" not in data:
            block = {"type": PowerLawNormSpectralModel.tags[0], "parameters": data.get("parameters", [])}
            found = self.read_block("spectral", block, path, f"{name}.spectral")
            return found if isinstance(found, SpectralModel) else None
        if "parameters" in data:
            self.report((*path, "parameters"), "the parameters of 'spectral' are given there", "remove one of them")
        spectral = self._read_section("spectral", data, path, name)
        if not isinstance(spectral, SpectralModel) or spectral.is_norm:
            return spectral if isinstance(spectral, SpectralModel) else None
        tags = [tag for tag in model_tags("spectral") if getattr(find_model("spectral", tag), "is_norm", False)]
        kind = "background" if data.get("type") in BackgroundIRFModel.tags else "template"
        message = f"{spectral.tags[0]} is not a norm model, which a {kind} model needs"
        self.report((*path, "spectral", "type"), message, suggest("", tags, "norm models"))
        return None

    def _read_shape_factor(self, data: Mapping[str, Any], path: JsonPath, name: str) -> SpatialModel | None:
        """A spatial model whose density is a factor."""
        spatial = self._read_section("spatial", data, path, name)
        if isinstance(spatial, SpatialModel) and not isinstance(spatial, ExtendedModel):
            message = f"{spatial.tags[0]} has no density, which a factor of the position needs"
            self.report((*path, "spatial", "type"), message, "such as PiecewiseNormSpatialModel")
            return None
        return spatial if isinstance(spatial, SpatialModel) else None

    def _read_section(
        self, section: str, data: Mapping[str, Any], path: JsonPath, component: str
    ) -> ParametricModel | None:
        if section not in data or (data[section] is None and section != "spectral"):
            return None
        return self.read_block(section, data[section], (*path, section), f"{component}.{section}")

    def read_block(self, section: str, data: Any, path: JsonPath, address: str) -> ParametricModel | None:
        """One model; ``address`` is where its parameters' full addresses start."""
        if not isinstance(data, Mapping):
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
        self._check_keys(data, ("type", "parameters", *model.setting_names), path)
        if model is CompoundSpectralModel:
            return self._read_compound(data, path, address)
        settings = self._read_settings(model, data, path)
        parameters = self._read_parameters(model, data.get("parameters", []), path, address)
        if "filename" in settings and not expanded(settings["filename"]).is_file():
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
        if not isinstance(entries, list):
            self.report((*path, "parameters"), f"expected a list of parameters, found {entries!r}", "")
            return {}
        defaults = {default.name: default for default in model.defaults}
        found: dict[str, Parameter] = {}
        for k, entry in enumerate(entries):
            here = (*path, "parameters", k)
            name = entry.get("name") if isinstance(entry, Mapping) else None
            if not isinstance(name, str):
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
            found[name] = self._read_parameter(model, default, entry, here)
            if isinstance(entry.get("link"), str):
                self.labels.append((entry["link"], f"{address}.{name}", (*here, "link")))
        return found

    def _read_parameter(
        self, model: type[ParametricModel], default: Parameter, entry: Mapping[str, Any], path: JsonPath
    ) -> Parameter:
        parameter = read_parameter(default, entry, path, self.report)
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
            settings["filename"] = self._resolve_file(settings["filename"], (*path, "filename"))
        elif "filename" in model.setting_names and "param" not in data:
            self.report(path, "key 'filename' is missing", "the file with the template")
            settings["filename"] = ""
        return settings

    def _resolve_file(self, name: Any, path: JsonPath) -> str:
        """The file's path: beside the document when it is there, else with ``$VAR`` and ``~`` expanded."""
        if not isinstance(name, str):
            self.report(path, f"expected a file name, found {name!r}", "")
            return ""
        expanded = Path(os.path.expanduser(os.path.expandvars(name)))
        for candidate in (self.directory / name, self.directory / expanded):
            if candidate.is_file():
                return name if "$" in name or name.startswith("~") else os.path.abspath(candidate)
        builtin = builtin_file(name)
        if builtin is not None:
            return str(builtin)
        self.report(path, f"file '{self.directory / expanded}' does not exist", "paths are relative to this document")
        return name

    def _read_datasets_names(self, data: Any, path: JsonPath) -> tuple[str, ...] | None:
        names = [data] if isinstance(data, str) else data
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.report(path, f"expected names of datasets, found {data!r}", "a list such as [hess, fermi]")
            return None
        return tuple(names)

    def _read_apply_irf(self, data: Any, path: JsonPath) -> Mapping[str, bool]:
        if data is None:
            return APPLY_ALL_IRFS
        if not isinstance(data, Mapping) or not all(isinstance(value, bool) for value in data.values()):
            self.report(path, f"expected true or false for each response, found {data!r}", "")
            return APPLY_ALL_IRFS
        self._check_keys(data, tuple(APPLY_ALL_IRFS), path)
        return {name: data.get(name, True) for name in APPLY_ALL_IRFS}

    def _check_flux(
        self, spectral: SpectralModel, spatial: ParametricModel | None, has_exposure: bool, path: JsonPath
    ) -> None:
        """A source is a flux; without exposure counts per energy; with a map that is a flux itself, a factor."""
        try:
            unit = spectral.result_unit()
        except UnitError as error:
            self.report(path, str(error), "")
            return
        expected = FLUX if has_exposure else "TeV-1"
        allowed = [expected, f"{expected} sr-1"] if isinstance(spatial, SpatialModel) else [expected]
        if isinstance(spatial, (TemplateSpatialModel, TemplateNDSpatialModel)):
            allowed.append("")
        if unit not in allowed:
            words = "a dimensionless factor" if not unit else f"in '{unit}'"
            message = f"{spectral.tags[0]} is {words}, not in '{expected}'"
            self.report(path, message, "a source needs a differential flux")

    def _check_keys(self, data: Mapping[str, Any], allowed: tuple[str, ...], path: JsonPath) -> None:
        for key in data:
            if key not in allowed:
                self.report((*path, key), f"unknown key '{key}'", suggest(key, allowed, "keys"))
