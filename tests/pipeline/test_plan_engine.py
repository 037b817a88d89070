"""``gm plan`` and ``gm apply`` compute where the config says, and let it go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gm.datasets import Datasets
from gm.likelihood import Engine, LocalEngine
from gm.models import Models
from gm.pipeline import engines
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.plan import plan
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from gm.pipeline.stages.apply.stage import APPLY
from tests.datasets.operations.cases import LON, sky_map, source

CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
operations:
  - to_spectrum_dataset: {dataset: map, name: spectrum, region: {type: circle, center: [83.63, 22.01], radius: 0.3 deg}}
fit: {}
"""


class Asked(Engine):
    """Remembers what it has compiled."""

    def __init__(self) -> None:
        self.names: list[tuple[str, ...]] = []
        self.is_closed = False

    def compile(self, datasets: Any, *args: Any) -> Any:
        self.names.append(tuple(dataset.name for dataset in datasets))
        return LocalEngine().compile(datasets, *args)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(engines, "build_engine", lambda *_: asked)
    return asked


@pytest.fixture
def request_of(tmp_path: Path) -> Request:
    Datasets([sky_map("map"), sky_map("other")]).write(tmp_path / "datasets.yaml")
    Models([source("crab"), source("far", LON + 0.8, sigma=0.4)]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    return Request(str(tmp_path / "config.yaml"))


def test_plan_asks_the_engine_for_its_rows_and_warnings(engine: Asked, request_of: Request) -> None:
    planned = plan(request_of)
    assert planned.operations[0]["counts"]
    assert [row["name"] for row in planned.datasets if row["fitted"]] == ["spectrum", "other"]
    assert {("map",), ("spectrum",), ("other",)} <= set(engine.names)
    assert engine.is_closed


def test_apply_asks_it_for_what_an_operation_predicts(engine: Asked, request_of: Request) -> None:
    run(request_of, Silent(), APPLY)
    assert ("map",) in engine.names
    assert engine.is_closed
