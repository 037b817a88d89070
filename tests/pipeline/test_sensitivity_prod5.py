"""The sensitivity of CTA from its public responses, as Gammapy makes it of the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document

CALDB = "data/cta-caldb/Prod5-South-20deg-AverageAz-14MSTs37SSTs.180000s-v0.1.fits.gz"
MODELS = """
components:
- name: source
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.0}
    - {name: amplitude, value: 1.0e-15, unit: cm-2 s-1 TeV-1}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""
CONFIG = """
version: 1
models: models.yaml
output: results
simulate:
  asimov: true
  datasets:
    - name: cta
      type: SpectrumDatasetOnOff
      acceptance: 1
      acceptance_off: 5
      livetime: 50 h
      response: {{irfs: '{caldb}', pointing: {{center: [0.0, 0.5]}}}}
      region: {{type: circle, center: [0.0, 0.0], radius: 0.1 deg}}
      containment_correction: true
      energy: {{min: 50 GeV, max: 50 TeV, per_decade: 5}}
      energy_true: {{min: 10 GeV, max: 100 TeV, per_decade: 10}}
sensitivity: [{{source: source, name: cta, sigma: 5, min_counts: 15, background_systematic: 0.1}}]
"""
PEER = """
import json, sys
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.data import FixedPointingInfo, Observation
from gammapy.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gammapy.estimators import SensitivityEstimator
from gammapy.irf import load_irf_dict_from_file
from gammapy.makers import SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom
from regions import CircleSkyRegion
energy = MapAxis.from_energy_bounds("50 GeV", "50 TeV", nbin=5, per_decade=True)
true = MapAxis.from_energy_bounds("10 GeV", "100 TeV", nbin=10, per_decade=True, name="energy_true")
region = RegionGeom.create(CircleSkyRegion(SkyCoord(0, 0, unit="deg"), 0.1 * u.deg), axes=[energy])
pointing = FixedPointingInfo(fixed_icrs=SkyCoord(0, 0.5, unit="deg"))
observation = Observation.create(pointing=pointing, livetime=50 * u.h, irfs=load_irf_dict_from_file(sys.argv[1]))
maker = SpectrumDatasetMaker(selection=["exposure", "edisp", "background"], containment_correction=True)
made = maker.run(SpectrumDataset.create(region, energy_axis_true=true), observation)
on_off = SpectrumDatasetOnOff.from_spectrum_dataset(dataset=made, acceptance=1, acceptance_off=5)
table = SensitivityEstimator(gamma_min=15, n_sigma=5, bkg_syst_fraction=0.1).run(on_off)
units = dict(e_ref="TeV", e2dnde="erg cm-2 s-1")
names = ("e_ref", "e2dnde", "excess", "background", "criterion")
print(json.dumps({n: [x if n == "criterion" else float(x) for x in
                      (table[n].quantity.to_value(units[n]) if n in units else table[n]).tolist()] for n in names}))
"""
WORDS = {"gamma": "min_counts", "bkg": "background_systematic", "significance": "significance"}


def test_prod5_in_fifty_hours(
    command: Callable[..., tuple[str, str]], shared: Path, gammapy: Callable[..., Any], tmp_path: Path
) -> None:
    """Backgrounds as the same responses give them, 1e-6; excess and flux within 1e-3, where Gammapy's secant stops."""
    (tmp_path / "models.yaml").write_text(MODELS)
    (tmp_path / "config.yaml").write_text(CONFIG.format(caldb=shared / CALDB))
    command("run", str(tmp_path / "config.yaml"))
    bands = read_document(tmp_path / "results/sensitivity/cta.yaml").data["bands"]
    expected = gammapy(PEER, shared / CALDB)
    assert len(bands) == len(expected["e_ref"]) == 15
    assert {band["criterion"] for band in bands} == set(WORDS.values())
    for k, band in enumerate(bands):
        assert band["status"] == "ok"
        assert band["criterion"] == WORDS[expected["criterion"][k]]
        assert (band["e_min"] * band["e_max"]) ** 0.5 == pytest.approx(expected["e_ref"][k], rel=1e-6)
        assert band["background"] == pytest.approx(expected["background"][k], rel=1e-6)
        assert band["excess"] == pytest.approx(expected["excess"][k], rel=1e-3)
        assert band["e2dnde"] == pytest.approx(expected["e2dnde"][k], rel=1e-3)
