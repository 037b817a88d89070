"""Types of events become datasets of their own, which are fitted together; and what is told of observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import Datasets, Models
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from tests.dl3_files import aeff, bkg, edisp, events, gti, psf, typed_events, with_card, write_observation
from tests.pipeline.test_reduce import MAPS, MODELS, POINTINGS, SPECTRA, STACK, config, folder, reduce, statuses

__all__ = ["folder"]

TYPED = SPECTRA.replace("data: store", "data: store/[0-9].fits").replace("{obs_id}", "{obs_id}-{event_type}")


def write_typed(folder: Path, types: tuple[int, ...] = (1, 2)) -> None:
    """Observations whose events alternate between types 1 and 2, with responses of these types."""
    for number, pointing in POINTINGS.items():
        tables = [with_card(table, EVENT_TYPE=kind) for kind in types for table in (aeff(), edisp(), psf(), bkg())]
        rest = {f"response {k}": table for k, table in enumerate(tables)}
        own = typed_events(events(800, number, pointing), np.arange(800) % 2 + 1)
        path = folder / f"store/{number}.fits"
        write_observation(path, number, events=own, aeff=None, edisp=None, psf=None, bkg=None, **rest)


def test_types_of_events_are_datasets_of_their_own(folder: Path) -> None:
    write_typed(folder)
    assert reduce(config(TYPED + "    events: {type: [1, 2]}\n")).exit_code == 0
    assert reduce(config(SPECTRA.replace("store", "store/[0-9].fits")), output="all").exit_code == 0
    typed, whole = Datasets.read("out/datasets.yaml"), Datasets.read("all/datasets.yaml")
    assert typed.names == [f"run-{number}-{kind}" for kind in (1, 2) for number in POINTINGS]
    for number in POINTINGS:
        both = [typed[f"run-{number}-{kind}"] for kind in (1, 2)]
        np.testing.assert_array_equal(sum(one.counts for one in both), whole[f"run-{number}"].counts)
        off = [one.counts_off.sum() for one in both]
        assert sum(off) == whole[f"run-{number}"].counts_off.sum()
        assert min(off) > 0


def test_each_type_of_events_has_its_responses(folder: Path) -> None:
    write_typed(folder, (1,))
    outcome = reduce(config(TYPED + "    events: {type: [1, 2]}\n"))
    assert statuses(outcome) == ["ok"] * 3 + ["failed"] * 3
    assert "EVENT_TYPE = '2'" in outcome.products[0].document["observations"][3]["reason"]


def test_what_is_worth_to_be_known_is_in_the_rows(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log, whatever its level, so that results are the same."""
    write_typed(folder)
    late = {"events": events(800, 3, POINTINGS[3]), "gti": gti((0.0, 800.0)), "aeff": aeff(LO_THRES=0.0)}
    write_observation(folder / "store/3.fits", 3, **late)
    outcome = reduce(config(SPECTRA.replace("data: store", "data: store/[0-9].fits")))
    rows = outcome.products[0].document["observations"]
    several = [f"more than one {part}, that of HDU {hdu} is taken" for part, hdu in
               (("aeff", 3), ("edisp", 4), ("psf", 5), ("bkg", 6))]  # fmt: skip
    assert rows[0]["remarks"] == [f"observation 1: {text}" for text in several]
    assert rows[2]["remarks"][0].startswith("observation 3: 1")
    assert "of 800 events lie outside of the good time intervals" in rows[2]["remarks"][0]
    assert rows[2]["remarks"][1] == "observation 3: no LO_THRES, all energies are safe on this side"
    assert caplog.text == ""
    check(read_document(Path("out/observations.yaml")), "observations")


SELECTED = [
    (SPECTRA, "energy: [0.3 TeV, 30000 GeV]", ""),
    (SPECTRA, "energy: [1 TeV, 10 TeV]", "of 1 to 10 TeV are selected, but 2 safe bins of energy reach"),
    (SPECTRA, "offset: [0 deg, 1.5 deg]", ""),
    (SPECTRA, "offset: [0 deg, 0.6 deg]", "0 to 0.6 deg from the pointing are selected, but the region reaches"),
    (MAPS, "offset: [0 deg, 1.2 deg]", ""),
    (MAPS, "offset: [0 deg, 1.1 deg]", "0 to 1.1 deg from the pointing are selected, but safe pixels lie"),
]


@pytest.mark.parametrize(("entry", "selection", "remark"), SELECTED)
def test_counts_that_a_selection_takes_away_are_told(folder: Path, entry: str, selection: str, remark: str) -> None:
    """Of four bins from 0.3 to 30 TeV those beyond 10 TeV and below 1 TeV; the first one is not safe."""
    outcome = reduce(config(entry + f"    events: {{{selection}}}\n    ids: [1]\n"))
    (row,) = outcome.products[0].document["observations"]
    told = f"only events {remark} beyond: counts are missing there, exposure is not"
    assert (row["status"], row["remarks"]) == ("ok", [told] if remark else [])


def test_true_energies_that_do_not_reach_over_the_measured_ones_are_told(folder: Path) -> None:
    narrow = SPECTRA.replace("{min: 0.15 TeV, max: 80 TeV, n_bins: 8}", "{min: 1 TeV, max: 20 TeV, n_bins: 8}")
    for entry in (narrow, MAPS.replace("{min: 0.15 TeV, max: 80 TeV", "{min: 1 TeV, max: 20 TeV")):
        rows = reduce(config(entry)).products[0].document["observations"]
        assert [row["status"] for row in rows] == ["ok"] * 3
        assert all("TeV reach beyond energy_true, 1 to 20 TeV" in row["remarks"][0] for row in rows)


EVENT_TYPES = """
import json, sys
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.data import EventList, GTI, Observation, FixedPointingInfo, ObservationMetaData
from gammapy.datasets import Datasets, SpectrumDataset
from gammapy.irf import load_irf_dict_from_file
from gammapy.makers import ReflectedRegionsBackgroundMaker, SafeMaskMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom
from gammapy.modeling import Fit
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
from regions import CircleSkyRegion
folder = sys.argv[1]
energy = MapAxis.from_energy_edges(np.geomspace(0.3, 30.0, 5) * u.TeV)
true = MapAxis.from_energy_edges(np.geomspace(0.15, 80.0, 9) * u.TeV, name="energy_true")
region = CircleSkyRegion(SkyCoord(83.6, 22.0, unit="deg"), 0.2 * u.deg)
datasets = Datasets()
for kind in (1, 2):
    for number in (1, 2, 3):
        events = EventList.read(f"{folder}/{number}.fits")
        chosen = events.table[events.table["EVENT_TYPE"] == kind]
        header = events.table.meta
        observation = Observation(obs_id=number, events=EventList(chosen), gti=GTI.read(f"{folder}/{number}.fits"),
            pointing=FixedPointingInfo.from_fits_header(header), meta=ObservationMetaData.from_header(header),
            **load_irf_dict_from_file(f"{folder}/type{kind}.fits"))
        empty = SpectrumDataset.create(RegionGeom.create(region, axes=[energy]), energy_axis_true=true,
            name=f"run-{number}-{kind}")
        made = SpectrumDatasetMaker(selection=["counts", "exposure", "edisp"]).run(empty, observation)
        made = ReflectedRegionsBackgroundMaker().run(made, observation)
        datasets.append(SafeMaskMaker(methods=["aeff-default"]).run(made, observation))
model = SkyModel(PowerLawSpectralModel(index=2.3, amplitude="1e-11 TeV-1 s-1 cm-2"), name="source")
datasets.models = [model]
fit = Fit(optimize_opts={"tol": 1e-6, "strategy": 2})
result = fit.run(datasets)
pars = [model.parameters[name] for name in ("index", "amplitude")]
print(json.dumps({"parameters": [[par.value, par.error] for par in pars], "stat": datasets.stat_sum(),
    "counts": [float(d.counts.data.sum()) for d in datasets]}))
"""


def test_types_of_events_are_fitted_together_as_gammapy_does(folder: Path, gammapy: Any) -> None:
    """Types with responses of their own: the second sees a third of the area, with a wider PSF."""
    for number, pointing in POINTINGS.items():
        signal = events(6000, number, pointing)
        lon, lat, energy = (np.array(signal.columns[k].values) for k in (2, 3, 4))
        lon[:200], lat[:200] = 83.6, 22.0
        columns = [Column("RA", lon, "deg"), Column("DEC", lat, "deg"), Column("ENERGY", 5.0 * energy, "TeV")]
        signal = Table("EVENTS", (*signal.columns[:2], *columns), signal.header)
        kinds = np.where(np.arange(6000) % 4 == 0, 2, 1)
        less = aeff()
        area = Column("EFFAREA", np.asarray(less.columns[-1].values) / 3.0, "m2")
        less = Table("AEFF", (*less.columns[:-1], area), less.header)
        responses = [[aeff(), edisp(), psf(), bkg()], [less, edisp(), psf(0.1), bkg()]]
        tables = [with_card(table, EVENT_TYPE=k + 1) for k, held in enumerate(responses) for table in held]
        rest = {f"response {k}": table for k, table in enumerate(tables)}
        parts: dict[str, Any] = {"aeff": None, "edisp": None, "psf": None, "bkg": None, **rest}
        write_observation(folder / f"store/{number}.fits", number, events=typed_events(signal, kinds), **parts)
        for k, held in enumerate(responses):
            write_fits(folder / f"store/type{k + 1}.fits", held)
    Path("models.yaml").write_text(MODELS[: MODELS.index("    spatial")])
    file = config(TYPED + "    events: {type: [1, 2]}\n", "fit: {}\n")
    assert run(Request(file, output="out"), Silent()).exit_code == 0
    theirs = gammapy(EVENT_TYPES, folder / "store")
    assert [dataset.counts.sum() for dataset in Datasets.read("out/datasets.yaml")] == theirs["counts"]
    document = read_document(Path("out/fit/fit.yaml")).data
    rows = {row["name"]: row for row in document["parameters"]}
    for name, (value, error) in zip(("source.index", "source.amplitude"), theirs["parameters"], strict=True):
        assert rows[name]["value"] == pytest.approx(value, abs=5e-3 * error)
        assert rows[name]["error"] == pytest.approx(error, rel=2e-2)
    assert document["statistic"]["total"] == pytest.approx(theirs["stat"], abs=1e-5)


def test_a_stack_of_each_type(folder: Path) -> None:
    write_typed(folder)
    entry = STACK.replace("data: store", "data: store/[0-9].fits").replace("whole", "type{event_type}")
    assert reduce(config(entry + "    events: {type: [2, 1]}\n")).exit_code == 0
    assert Datasets.read("out/datasets.yaml").names == ["type2", "type1"]
    assert Models.read("out/models.yaml").names == ["source", "type2-bkg", "type1-bkg"]
