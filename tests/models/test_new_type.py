"""A new type of model is one file: schema, `gm.X`, YAML, fit, results and the page of the documentation know it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.schema_files import load_schema
from gm.config_schemas.validator import check
from gm.models.registry import find_model
from gm.models.spectral.base import SpectralModel

ROOT = Path(__file__).resolve().parents[2]

SOURCE = '''\
"""A line of emission."""

import numpy as np

from gm.models.parametric import Default
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.power_laws import AMPLITUDE


class LorentzianSpectralModel(SpectralModel):
    """Lorentzian.

    ``f(E) = A / (1 + ((E - mean) / gamma)^2)``, with A the ``amplitude``.
    """

    tags = ("LorentzianSpectralModel", "lorentz")
    amplitude = AMPLITUDE
    mean = Default(1.0, "TeV")
    gamma = Default(0.5, "TeV", min=0.0)

    def evaluate(self, energy, values):
        return self.evaluate_with_gradient(energy, values)[0]

    def gradient(self, energy, values):
        amplitude, mean, gamma = values
        x = (energy - mean) / gamma
        shape = 1 / (1 + x**2)
        by_x = -2 * amplitude * x * shape**2
        return np.stack([shape, -by_x / gamma, -by_x * x / gamma])
'''

USE = """
import sys
from pathlib import Path
import gm
from docs.models import names, page
from tests.models import test_every_model as every

assert gm.LorentzianSpectralModel(gamma="200 GeV").gamma.unit == "GeV"
assert "### LorentzianSpectralModel (`lorentz`)" in page()
assert "import LorentzianSpectralModel" in names()
assert "LorentzianSpectralModel" in every.SPECTRAL
for seed in every.SETS:
    every.test_gradients_of_spectra("LorentzianSpectralModel", seed, Path())
    every.test_integrals_of_spectra("LorentzianSpectralModel", seed, Path())
"""

MODELS = """
components:
- {name: crab, type: SkyModel, spectral: {type: lorentz, parameters: [{name: gamma, value: 0.8, unit: TeV}]}}
"""


def test_one_file_makes_a_type(tmp_path: Path) -> None:
    for part in ("gm", "docs", "tests", "example_configs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "gm/models/spectral/lorentzian.py").write_text(SOURCE)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert '"LorentzianSpectralModel", "lorentz"' in run("-m", "gm", "schema", "models")
    run("-c", USE)
    run("-m", "gm", "init", "crab", "--example", "crab", "--quiet")
    (tmp_path / "crab/models.yaml").write_text(MODELS)
    config = (tmp_path / "crab/config.yaml").read_text().partition("fit:")[0] + "fit: {}\n"
    (tmp_path / "crab/config.yaml").write_text(config)
    run("-m", "gm", "validate", "crab/config.yaml")
    found = json.loads(run("-m", "gm", "fit", "crab/config.yaml", "--json", "--quiet"))
    assert "LorentzianSpectralModel" in (tmp_path / "crab/results/fit/models.yaml").read_text()
    assert '"crab.gamma"' in json.dumps(found)


def test_a_class_made_elsewhere_is_a_type_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gm.model_types._ELSEWHERE", {})
    document = read_document("models.yaml", MODELS)
    assert [problem.message for problem in check(document, "models")] == ["'lorentz' is not a spectral model type"]
    made: dict[str, Any] = {"__name__": "somewhere"}
    exec(SOURCE, made)
    assert find_model("spectral", "lorentz") is made["LorentzianSpectralModel"]
    assert check(document, "models") == []
    assert "lorentz" in json.dumps(load_schema("models"))
    with pytest.raises(TypeError, match="the tag 'lorentz' is that of LorentzianSpectralModel in somewhere"):
        type("Other", (SpectralModel,), {"tags": ("Other", "lorentz")})


def test_a_class_without_a_formula_makes_no_model() -> None:
    class Empty(SpectralModel):
        """Nothing."""

    with pytest.raises(TypeError, match="abstract"):
        Empty()  # type: ignore[abstract]


def test_a_parameter_shared_by_classes_has_one_name() -> None:
    from gm.models.spectral.power_laws import AMPLITUDE

    with pytest.raises((TypeError, RuntimeError)) as caught:
        type("Other", (SpectralModel,), {"height": AMPLITUDE})
    assert "'height' of Other is 'amplitude' elsewhere" in f"{caught.value}{caught.value.__cause__}"
    assert np.isfinite(AMPLITUDE.parameter.value)
