"""``gm compare``: differences, tests, what has changed; on screens of several widths."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chi2

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.datasets import Datasets
from gm.estimators.comparison import difference, own_priors, why_not_nested
from gm.models import GaussianPrior, Models
from tests.samples import log_parabola, on_off, power_law

CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: [1 TeV, 3 TeV, 10 TeV]}]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A power law, a log parabola, one dataset alone, and another dataset."""
    folder = tmp_path_factory.mktemp("compared")
    Datasets([on_off("run-1", 1, exposure=4e12), on_off("run-2", 2, exposure=4e12)]).write(folder / "datasets.yaml")
    Datasets([on_off("run-3", 3, exposure=4e12)]).write(folder / "other" / "datasets.yaml")
    Models([power_law("crab")]).write(folder / "models.yaml")
    Models([log_parabola("crab")]).write(folder / "curved.yaml")
    (folder / "config.yaml").write_text(CONFIG)
    for name, sets in {
        "a": [],
        "b": ["models=curved.yaml"],
        "c": ["fit.datasets=run-1"],
        "d": ["datasets=other/datasets.yaml"],
    }.items():
        changes = [option for text in sets for option in ("-s", text)]
        with pytest.raises(SystemExit) as ended:
            main(["run", str(folder / "config.yaml"), "-q", "-o", str(folder / name), *changes])
        assert ended.value.code == 0
    return folder


@pytest.fixture
def gm(results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    monkeypatch.chdir(results)

    def call(*arguments: str, code: int = 0, width: int = 80) -> tuple[str, str]:
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.out, told.err

    return call


def test_differences() -> None:
    assert difference((1.0, 3.0), (6.0, 4.0)).independent == pytest.approx(1.0)
    assert difference((1.0, 3.0), (6.0, 5.0)).shared == pytest.approx(5.0 / 4.0)
    assert difference((1.0, 3.0), (1.0, 3.0)).shared == 0.0
    assert difference((1.0, 3.0), (2.0, 3.0)).shared is None
    assert difference((1.0, None), (2.0, 3.0)) == difference((1.0, 0.0), (2.0, 3.0))
    assert difference((None, None), (2.0, 3.0)).value is None


def test_special_cases() -> None:
    plain, curved = Models([power_law("a")]), Models([log_parabola("a")])
    assert why_not_nested(plain, curved) == ""
    assert why_not_nested(curved, plain) == "'a': PowerLawSpectralModel cannot be LogParabolaSpectralModel"
    assert why_not_nested(plain, Models([power_law("a"), power_law("b")])) == ""
    assert why_not_nested(Models([power_law("b")]), plain) == "'b' is not in the other"
    fixed = plain.with_parameters({"a.index": {"frozen": True}})
    assert why_not_nested(fixed, plain) == ""
    assert why_not_nested(plain, fixed) == "'a': 'index' is fixed in the other"
    assert why_not_nested(plain, plain) == "it has no fewer free parameters"
    assert why_not_nested(plain, Models([log_parabola("a", datasets_names="x")])) == "'a': it is for other datasets"


def test_priors_that_only_one_has_are_no_part_of_a_test() -> None:
    prior, other = GaussianPrior(mu=2.0, sigma=0.5), GaussianPrior(mu=2.0, sigma=0.1)
    bare = Models([log_parabola("crab"), power_law("halo")])
    both = bare.with_parameters({"crab.alpha": {"prior": prior}, "halo.index": {"prior": prior}})
    one, changed = (bare.with_parameters({"crab.alpha": {"prior": p}}) for p in (prior, other))
    assert own_priors(bare, both) == 0.0
    assert own_priors(both, one) == pytest.approx(prior.value(both["halo"].spectral_model.parameter("index").value))
    assert own_priors(both, both) == 0.0
    assert own_priors(changed, one) == pytest.approx(other.value(2.2))


def test_a_nested_test(gm: Callable[..., Any]) -> None:
    document = json.loads(gm("compare", "a", "b", "--json")[0])
    fits = [read_document(Path(name) / "fit/fit.yaml").data for name in ("a", "b")]
    [test] = document["fit"]["tests"]
    ts = fits[0]["statistic"]["total"] - fits[1]["statistic"]["total"]
    assert test["ts"] == pytest.approx(ts)
    assert (test["degrees_of_freedom"], test["simpler"]) == (1, "first")
    assert test["p_value"] == pytest.approx(chi2.sf(max(ts, 0), 1))
    assert json.loads(gm("compare", "b", "a", "--json")[0])["fit"]["tests"][0]["simpler"] == "other"
    [first, _] = document["fit"]["statistics"]
    assert first["aic"] == fits[0]["statistic"]["total"] + 4
    assert "1 degree of freedom, A is the simpler one" in gm("compare", "a/fit/fit.yaml", "b/fit/fit.yaml")[0]


@pytest.mark.parametrize(("other", "data"), [("b", "same"), ("c", "subset"), ("d", "none")])
def test_parameters_and_data(gm: Callable[..., Any], other: str, data: str) -> None:
    document = json.loads(gm("compare", "a", other, "--json")[0])
    assert document["data"] == [data]
    rows = {row["name"]: row for row in document["fit"]["parameters"]}
    one, two = rows["crab.amplitude"]["values"]
    [found] = rows["crab.amplitude"]["differences"]
    assert found["value"] == two["value"] - one["value"]
    assert found["sigma_independent"] == pytest.approx(found["value"] / sqrt(one["error"] ** 2 + two["error"] ** 2))
    if data != "same":
        assert "crab.reference" not in rows
        assert document["fit"]["tests"][0]["ts"] is None
        assert document["fit"]["tests"][0]["reason"] == "they are fitted to other datasets or bins"


def test_flux_points_stand_side_by_side(gm: Callable[..., Any]) -> None:
    [series] = json.loads(gm("compare", "a", "d", "--json")[0])["series"]
    assert (series["name"], series["quantity"]) == ("flux-points sed", "dnde")
    points = read_document(Path("a/flux_points/sed.yaml")).data["points"]
    assert [row["values"][0]["value"] for row in series["bins"]] == [point["dnde"] for point in points]
    assert all(row["differences"][0]["sigma_independent"] is not None for row in series["bins"])


def test_what_has_changed(gm: Callable[..., Any]) -> None:
    document = json.loads(gm("compare", "a", "c", "b", "--json")[0])
    assert document["settings"][0] == [{"path": "fit.datasets", "values": ["*", "run-1"]}]
    assert {"file": "curved.yaml", "change": "only in the other"} in document["inputs"][1]
    out, _ = gm("compare", "a", "c")
    assert "from A to B\n  fit.datasets: * -> run-1" in out
    assert "nothing has changed" in gm("compare", "a", "a")[0]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_screens_of_any_width(gm: Callable[..., Any], width: int) -> None:
    out, _ = gm("compare", "a", "b", "c", width=width)
    assert max(map(len, out.splitlines())) <= width
    assert "crab.amplitude" in out


def test_what_cannot_be_compared(gm: Callable[..., Any]) -> None:
    assert "needs two results or more" in gm("compare", "a", code=2)[1]
    assert "no such file or folder" in gm("compare", "a", "x", code=4)[1]
    assert "no result of gm's" in gm("compare", "a", "models.yaml", code=4)[1]
    assert (
        "no kind of result that the others have too"
        in gm("compare", "a/fit/fit.yaml", "a/flux_points/sed.yaml", code=4)[1]
    )
