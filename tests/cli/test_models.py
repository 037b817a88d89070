"""``gm models convert``: what Gammapy has no component for is dropped, and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.cli import main
from gm.models import GaussianPrior, InstrumentModel, InstrumentResponse, Link, Models, Parameter
from tests.map_samples import background
from tests.samples import log_parabola, power_law


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["models", *map(str, words)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def models(tmp_path: Path) -> Path:
    prior = GaussianPrior(mu=1.0, sigma=0.1)
    norm = Parameter("exposure_norm", 1.25, error=0.1, prior=prior)
    one = InstrumentModel(name="one", response=InstrumentResponse(exposure_norm=norm))
    two = InstrumentModel(name="two", datasets_names=("cube",), response=InstrumentResponse(exposure_norm=1.0))
    whole = Models([power_law("crab"), one, log_parabola("other"), background(), two])
    whole.with_covariance(whole_covariance(whole)).write(tmp_path / "models.yaml")
    return tmp_path / "models.yaml"


def whole_covariance(models: Models) -> Any:
    import numpy as np

    return np.diag([(0.0 if p.frozen else 0.1 * abs(p.value)) ** 2 for p in models.parameters])


def test_each_is_told(models: Path, capsys: Any) -> None:
    out = models.with_name("out.yaml")
    code, printed, told = run(capsys, "convert", models, "--to", "gammapy", "-o", out)
    assert (code, printed.strip()) == (0, str(out))
    assert "one is dropped" in told
    assert "without exposure_norm 1.25 it predicts otherwise" in " ".join(told.split())
    assert "two is dropped" in told
    before, after = Models.read(models), Models.read(out)
    assert after.names == ["crab", "other", "cube-bkg"]
    for address in after.parameters.addresses:
        assert after.parameters[address] == before.parameters[address]


def test_as_json(models: Path, capsys: Any) -> None:
    _, printed, _ = run(capsys, "convert", models, "--to", "gammapy", "-o", models.with_name("out.yaml"), "--json")
    assert json.loads(printed)["dropped"] == ["one", "two"]


def test_files_are_not_replaced(models: Path, capsys: Any) -> None:
    out, before = models.with_name("out.yaml"), models.read_bytes()
    assert run(capsys, "convert", models, "--to", "gammapy", "-o", out)[0] == 0
    assert run(capsys, "convert", models, "--to", "gammapy", "-o", out)[0] == 4
    assert run(capsys, "convert", models, "--to", "gammapy", "-o", out, "--force")[0] == 0
    assert run(capsys, "convert", models, "--to", "gammapy", "-o", models, "--force")[0] == 2
    assert models.read_bytes() == before


def test_what_follows_a_nuisance_has_no_value_without_it(models: Path, capsys: Any) -> None:
    linked = Models.read(models).with_links([Link("cube-bkg.norm", "one.exposure_norm")])
    linked.write(models, overwrite=True)
    code, _, told = run(capsys, "convert", models, "--to", "gammapy", "-o", models.with_name("out.yaml"))
    assert code == 3
    assert "'cube-bkg.norm' follows 'one.exposure_norm'" in told


def test_gammapy_reads_it(models: Path, capsys: Any, gammapy: Callable[..., Any]) -> None:
    out = models.with_name("out.yaml")
    run(capsys, "convert", models, "--to", "gammapy", "-o", out)
    script = (
        "import json, sys; from gammapy.modeling.models import Models; m = Models.read(sys.argv[1]);"
        "print(json.dumps([m.names, m['crab'].spectral_model.index.error]))"
    )
    assert gammapy(script, out) == [["crab", "other", "cube-bkg"], pytest.approx(0.23)]
