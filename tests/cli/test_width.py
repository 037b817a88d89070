"""What is told fits the room there is, and says of priors and limits what must be known."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.cli.rendering.flux_points import lines
from gm.cli.terminal.output import paint, printed_width
from gm.cli.terminal.room import room, room_of_terminal
from gm.cli.terminal.tables import fitted
from gm.datasets import Datasets
from gm.fit import Fit, FitResult
from gm.models import GaussianPrior, LogUniformPrior, Models, Parameter
from gm.pipeline.commands.show import describe
from gm.readable import prior_text
from tests.samples import on_off, power_law


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(columns: int) -> Any:
        monkeypatch.setenv("COLUMNS", str(columns))
        return room_of_terminal(every_row=False)

    return of


def test_long_lines_go_on_further_in(width: Any) -> None:
    """Words stay whole, styles take no room, and nothing is lost."""
    told = ["  " + " ".join(f"word{k}" for k in range(30)), "short", f"a line {paint('in colour', 'green', True)} " * 4]
    with width(40):
        found = fitted(told)
    assert max(map(printed_width, found)) <= 40
    assert " ".join(" ".join(found).split()) == " ".join(" ".join(told).split())
    assert found[1].startswith("      word")
    assert fitted(told) == told  # without an end of the room


def test_results_fit_the_terminal_that_they_are_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output that is a file has no end, whatever terminal errors go to."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with room_of_terminal(every_row=False, stream=io.StringIO()):
        assert room().width is None


def point(status: str, value: float) -> dict[str, Any]:
    row = {"e_min": 1.0, "e_max": 2.0, "status": status, "dnde": value, "dnde_err": 1e-13, "dnde_ul": 3e-13, "ts": 1.0}
    return {**row, "dnde_unit": "cm-2 s-1 TeV-1", "reason": None}


def test_a_narrow_table_tells_limits_as_limits(width: Any) -> None:
    document = {"name": "sed", "source": "x", "status": "ok", "points": [point("ok", 2e-12), point("upper_limit", 0.0)]}
    with width(60):
        narrow = "\n".join(lines(document))
    assert "2.000e-12 ± 0.100e-12" in narrow
    assert "< 3.000e-13" in narrow
    assert "0.00e-13" not in narrow
    assert "upper limit" in "\n".join(lines(document))


def test_priors_in_words() -> None:
    assert prior_text(None) == ""
    assert prior_text(GaussianPrior(mu=1.0, sigma=0.05).row()) == "1 ± 0.05"
    assert prior_text(GaussianPrior(mu=1.0, sigma=0.05, weight=2.0).row()) == "1 ± 0.05, weight 2"
    assert prior_text(LogUniformPrior(min=0.1, max=10.0).row()) == "LogUniform: min 0.1, max 10"


def test_priors_are_told_of_models_and_fits(tmp_path: Path) -> None:
    from gm.cli.rendering.show import text_of

    index = Parameter("index", 2.3, prior=GaussianPrior(mu=2.2, sigma=0.1))
    models = Models([power_law(index=index)])
    models.write(tmp_path / "models.yaml")
    assert "2.2 ± 0.1" in text_of(describe(str(tmp_path / "models.yaml")))
    result = Fit(Datasets([on_off("a", 1, exposure=1e12)])).run(models)
    result.write(tmp_path / "fit.yaml", overwrite=True)
    assert "2.2 ± 0.1" in text_of(describe(str(tmp_path / "fit.yaml")))
    again = FitResult.read(tmp_path / "fit.yaml")
    assert again.to_dict() == result.to_dict()
    assert np.isfinite(again.statistic_priors)
