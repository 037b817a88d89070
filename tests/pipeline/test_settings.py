"""Config data to settings."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import JsonPath, format_path
from gm.pipeline.analysis.energies import log_edges
from gm.pipeline.analysis.settings import Settings, build_settings, resolve
from gm.pipeline.stages.fit.settings import EnergyRange, FitSettings
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.flux_points.stage import FLUX_POINTS
from gm.pipeline.stages.registry import STAGES
from tests.pipeline.sections import read

BASE = {"version": 1, "models": "models.yaml"}


def build(data: dict[str, Any]) -> tuple[Settings, list[JsonPath]]:
    """The settings, and the places of the problems."""
    places: list[JsonPath] = []
    resolved = resolve({**BASE, **data}, STAGES)
    settings = build_settings(resolved, "stem", Path("folder"), lambda path, *_: places.append(path))
    return settings, places


def test_defaults() -> None:
    settings, places = build({})
    assert (settings.name, settings.output, settings.workers) == ("stem", Path("folder/stem-results"), None)
    assert places == []


@pytest.mark.parametrize("section", [None, {}])
def test_an_empty_fit_section_is_one(section: object) -> None:
    assert read(FIT, section) == (FitSettings(), [])


def test_output_is_relative_to_the_config_and_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "there")
    assert build({"output": "$PLACE/out"})[0].output == Path("folder/there/out")
    assert build({"output": "/tmp/out"})[0].output == Path("/tmp/out")


def test_energies_are_in_tev() -> None:
    ranges = [{"datasets": ["a", "b*"], "min": "30 GeV"}, {"max": "1 PeV"}]
    settings, places = read(FIT, {"energy_range": ranges})
    assert settings.energy_range == (
        EnergyRange(("a", "b*"), pytest.approx(0.03), None),
        EnergyRange(("*",), None, pytest.approx(1000.0)),
    )
    assert places == []


def test_one_energy_range_needs_no_list() -> None:
    settings, _ = read(FIT, {"energy_range": {"min": "1 TeV"}})
    assert settings.energy_range == (EnergyRange(("*",), 1.0, None),)


@pytest.mark.parametrize(
    ("edges", "place"),
    [
        ({"min": "1 s", "max": "2 TeV", "per_decade": 3}, ("energy_edges", "min")),
        ({"min": "3 TeV", "max": "2 TeV", "per_decade": 3}, ("energy_edges", "max")),
        (["1 TeV", "1 TeV", "2 TeV"], ("energy_edges", 1)),
        (["1 TeV", "0 TeV"], ("energy_edges", 1)),
        (["1 TeV", "nan TeV"], ("energy_edges", 1)),
    ],
)
def test_edges_that_cannot_be(edges: object, place: JsonPath) -> None:
    _, places = read(FLUX_POINTS, [{"source": "crab", "energy_edges": edges}])
    assert places == [format_path(("flux_points", 0, *place))]


def test_flux_points_are_named_after_their_source() -> None:
    (settings,), _ = read(FLUX_POINTS, [{"source": "crab", "energy_edges": ["1 TeV", "2 TeV"]}])
    assert settings.name == "crab-sed"
    assert (settings.sigma, settings.sigma_ul) == (1.0, 2.0)


@given(st.floats(1e-3, 1e2), st.floats(1.0001, 1e6), st.floats(0.1, 30))
def test_logarithmic_edges(e_min: float, ratio: float, per_decade: float) -> None:
    """Exact ends, increasing, equal steps in the logarithm, about as many per decade as asked for."""
    e_max = e_min * ratio
    edges = log_edges(e_min, e_max, per_decade)
    assert (edges[0], edges[-1]) == (e_min, e_max)
    assert len(edges) - 1 == max(round(per_decade * math.log10(e_max / e_min)), 1)
    steps = [math.log(high / low) for low, high in pairwise(edges)]
    assert steps == pytest.approx([math.log(e_max / e_min) / (len(edges) - 1)] * (len(edges) - 1), rel=1e-6)


def test_resolving_twice_changes_nothing() -> None:
    data = {**BASE, "fit": None, "flux_points": [{"source": "a", "energy_edges": []}], "simulate": {"seed": 3}}
    assert resolve(resolve(data, STAGES), STAGES) == resolve(data, STAGES)
