"""19 H.E.S.S. runs of MSH 15-52 from one config: stacked, a spectrum of them, its fit and its flux points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.models import Models

CONFIG = """\
version: 1
datasets: {runs}/datasets.yaml
models: {runs}/models.yaml
output: results
parameters:
{parameters}
operations:
  - stack: {{datasets: "run*", name: stacked}}
  - to_spectrum_dataset:
      dataset: stacked
      name: spectrum
      region: {{type: circle, center: [228.5365, -59.1751], frame: icrs, radius: 0.4 deg}}
fit: {{}}
flux_points:
  - {{source: msh1552, energy_edges: {{min: 0.6 TeV, max: 20 TeV, per_decade: 3}}}}
"""


def test_from_runs_to_flux_points(shared: Path, tmp_path: Path) -> None:
    """The backgrounds and the shape are those of Gammapy's 3-D fit of the runs, and so is the spectrum.

    The circle holds 0.4 deg / 0.12 deg = 3.3 standard deviations of source and PSF, so that nothing is corrected for.
    """
    runs = shared / "reference" / "hess-msh1552-runs"
    known = json.loads((runs / "expected.json").read_text())["fit"]["parameters"]
    norms = [f"  {name}: {{value: {known[name]['value']!r}}}" for name in known if name.endswith("-bkg.norm")]
    shape = [
        f"  msh1552.{n}: {{value: {known['msh1552.' + n]['value']!r}, frozen: true}}"
        for n in ("lon_0", "lat_0", "sigma")
    ]
    (tmp_path / "config.yaml").write_text(CONFIG.format(runs=runs, parameters="\n".join(norms + shape)))
    with pytest.raises(SystemExit) as ended:
        main(["run", "-q", str(tmp_path / "config.yaml")])
    assert ended.value.code == 0

    results = tmp_path / "results"
    edits = read_document(results / "edits.yaml")
    assert check(edits, "edits") == []
    assert [step["results"][0]["name"] for step in edits.data["operations"]] == ["stacked", "spectrum"]
    assert Models.read(results / "models.yaml").names == ["msh1552"]
    fitted = Models.read(results / "fit" / "models.yaml").parameters
    for name in ("msh1552.index", "msh1552.amplitude"):
        assert fitted[name].value == pytest.approx(known[name]["value"], abs=fitted[name].error), name
        assert 0.02 < fitted[name].error / fitted[name].value < 0.1
    points = read_document(results / "flux_points" / "msh1552-sed.yaml").data["points"]
    assert [point["status"] for point in points] == ["ok"] * 5
    for point in points:
        model = fitted["msh1552.amplitude"].value * point["e_ref"] ** -fitted["msh1552.index"].value
        assert point["dnde"] == pytest.approx(model, abs=2.5 * point["dnde_err"])
