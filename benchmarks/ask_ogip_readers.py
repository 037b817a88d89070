#!/usr/bin/env python
"""Whether the OGIP files that gm writes open in sherpa, 3ML, elisa and jaxspec, with the same numbers.

    python benchmarks/ask_ogip_readers.py PYTHON...

Counts, off counts, the scale between them and predicted counts are compared. Each PYTHON is asked for those of the
readers that it has (`pip install sherpa threeml`, `elisa-lib`, `jaxspec`, in environments of their own); Gammapy is
asked by the tests. Needs the reference data. Ends with 1 when a number differs by more than `TOLERANCE`, or when nobody
could be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from cases import DATA

from gm.arrays import Array
from gm.datasets import Datasets, SpectrumDatasetOnOff, write_dataset

TOLERANCE = 1e-6  # matrices are in single precision
CARDS = ("elisa",)  # want constants as cards alone
ONE_SCALE = ("threeML", "elisa")  # have no scale by channel
NUMBERS = ("counts", "off counts", "alpha", "predicted")
# Each leaves counts, off counts, alpha and predicted counts, of good channels or of all with `good`.
READERS = {
    "sherpa": """
from sherpa.astro.ui import get_arf, get_bkg, get_data, get_rmf, load_pha
load_pha("run.fits")
data, off = get_data(), get_bkg()
good = data.quality == 0
alpha = data.exposure * data.backscal * data.areascal / (off.exposure * off.backscal * off.areascal)
parts = data.counts, off.counts, alpha, get_rmf().apply_rmf(get_arf().apply_arf(fluxes)) * data.exposure * data.areascal
""",
    "threeML": """
from threeML import OGIPLike
data = OGIPLike("run", observation="run.fits")
spectrum, off = data.observed_spectrum, data.background_spectrum
good = spectrum.quality.good
alpha = data.scale_factor if np.ndim(data.scale_factor) else np.full(good.size, data.scale_factor)
parts = spectrum.counts, off.counts, alpha, data.response.matrix @ fluxes * spectrum.exposure
""",
    "elisa": """
import types
import jax.experimental
jax.experimental.host_callback = types.ModuleType("host_callback")  # which elisa 0.1 imports, and JAX no longer has
from elisa.data.ogip import Response, Spectrum
spectrum, off, response = Spectrum("run.fits"), Spectrum("run_bkg.fits"), Response("run_rmf.fits", "run_arf.fits")
good = spectrum.quality == 0
scales = [part.exposure * part.back_scale * part.area_scale * np.ones(good.size) for part in (spectrum, off)]
predicted = fluxes @ np.asarray(response.matrix) * spectrum.exposure * spectrum.area_scale
parts = spectrum.counts, off.counts, scales[0] / scales[1], predicted
""",
    "jaxspec": """
from jaxspec.data import ObsConfiguration
data = ObsConfiguration.from_pha_file("run.fits")
good = slice(None)
matrix, low = data["transfer_matrix"].data.todense(), np.asarray(data["e_min_unfolded"])
at = np.searchsorted(np.asarray(edges), low * (1 + 1e-9)) - 1
parts = data["folded_counts"], data["folded_background"], data["folded_backratio"], matrix @ fluxes[at]
""",
}
SCRIPT = """
import json
import numpy as np
fluxes, edges = (np.array(values) for values in json.load(open("fluxes.json")))
{reader}
print()
print(json.dumps([np.asarray(part, dtype=float)[good].tolist() for part in parts]))
"""


def runs() -> list[SpectrumDatasetOnOff]:
    """A run with channels that are not good, one with many groups in its matrix, one with an off scale by channel."""
    datasets = Datasets.read(DATA / "reference" / "joint-crab" / "datasets.yaml")
    chosen = [datasets[name] for name in ("hess-23523", "magic-5029747", "veritas-54809")]
    first = next(run for run in chosen if isinstance(run, SpectrumDatasetOnOff))
    scale = np.linspace(5.0, 20.0, first.energy.n_bins)
    return [run for run in chosen if isinstance(run, SpectrumDatasetOnOff)] + [
        first.with_(name="scale by channel", acceptance_off=scale)
    ]


def expected(run: SpectrumDatasetOnOff, fluxes: Array) -> list[Array]:
    """What gm has of the run, in the channels that are good."""
    parts = run.counts, run.counts_off, run.alpha(), fluxes @ run.response()
    return [part[run.mask] for part in parts]


def has(python: str, reader: str) -> bool:
    """Whether a Python has a reader."""
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({reader!r}) is None)"
    return subprocess.run([python, "-c", find]).returncode == 0


def ask(python: str, reader: str, run: SpectrumDatasetOnOff) -> str:
    """What came of one run in one reader."""
    edges = run.energy_true.edges
    fluxes = 1e-11 / 1.3 * (edges[:-1] ** -1.3 - edges[1:] ** -1.3)
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(run, Path(folder) / "run.fits", "ogip-cards" if reader in CARDS else "ogip")
        kev = (edges * 1e9).tolist()
        (Path(folder) / "fluxes.json").write_text(json.dumps([fluxes.tolist(), kev]))
        script = SCRIPT.format(reader=READERS[reader])
        done = subprocess.run([python, "-W", "ignore", "-c", script], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        return "FAILED: " + done.stderr.strip().splitlines()[-1]
    theirs = json.loads(done.stdout.splitlines()[-1])
    return compare(expected(run, fluxes), [np.array(part) for part in theirs])


def compare(ours: list[Array], theirs: list[Array]) -> str:
    """The largest relative difference of each number, or which one is wrong."""
    said = []
    for name, mine, its in zip(NUMBERS, ours, theirs, strict=True):
        if mine.shape != its.shape:
            return f"WRONG: {its.size} channels, expected {mine.size}"
        difference = float(np.abs(its - mine).max() / max(np.abs(mine).max(), 1e-300))
        said.append(f"{'WRONG: ' if difference > TOLERANCE else ''}{name} {difference:.1e}")
    return ", ".join(said)


def main() -> int:
    """0 when every reader that there is agrees on every run."""
    said = []
    for python in sys.argv[1:]:
        for reader in filter(partial(has, python), READERS):
            for run in runs():
                if reader in ONE_SCALE and np.unique(run.alpha()[run.mask]).size > 1:
                    continue
                answer = ask(python, reader, run)
                print(f"{reader:8} {run.name:16} {answer}", flush=True)
                said.append(answer)
    if not said:
        print("no reader could be asked: name a Python that has one of", ", ".join(READERS))
    return int(not said or any("WRONG" in answer or "FAILED" in answer for answer in said))


if __name__ == "__main__":
    sys.exit(main())
