"""Mutated results of every kind, and files that a draft is made of: what reads them has to end as on any other input.

The corpus is that of `tests.fuzzing` with all that its analyses give, and configs of other packages beside it. What is
mutated is a result, a table beside one, the record, or an input; what is tried on it is ``plot``, ``compare``,
``verify``, ``report``, ``convert``, ``show`` and ``init --from``.
"""

from __future__ import annotations

from pathlib import Path

from tests.fuzzing import CONFIG_COMMANDS, LATER_COMMANDS, SKY_COMMANDS, TEXTS, Command, run, write_corpus

GAMMAPY = """\
general: {outdir: .}
observations: {datastore: dl3, obs_ids: [1, 2], obs_cone: {frame: icrs, lon: 150 deg, lat: -30 deg, radius: 5 deg}}
datasets:
  type: 1d
  stack: false
  geom:
    wcs: {skydir: {frame: icrs, lon: 150 deg, lat: -30 deg}, binsize: 0.05 deg, width: {width: 3 deg, height: 2 deg}}
    selection: {offset_max: 2.5 deg}
    axes: {energy: {min: 0.5 TeV, max: 40 TeV, nbins: 10}, energy_true: {min: 0.3 TeV, max: 100 TeV, nbins: 20}}
  background: {method: reflected, parameters: {sigma: 3}}
  safe_mask: {methods: [aeff-default, aeff-max], parameters: {aeff_percent: 5}}
  on_region: {frame: icrs, lon: 150 deg, lat: -30 deg, radius: 0.11 deg}
fit: {fit_range: {min: 0.5 TeV, max: 30 TeV}}
flux_points: {energy: {min: 1 TeV, max: 10 TeV, nbins: 4}, source: crab}
"""

FERMIPY = """\
data: {evfile: events.fits, ltcube: ltcube.fits}
binning: {roiwidth: 10.0, binsz: 0.1, binsperdec: 8}
selection: {emin: 100, emax: 300000, tmin: 239557417, tmax: 256970880, target: 3FGL J0534.5+2201}
gtlike: {edisp: true, irfs: P8R3_SOURCE_V3}
model: {galdiff: gll_iem_v07.fits, isodiff: iso_P8R3.txt, catalogs: [3FGL]}
components:
  - {selection: {evtype: 4}, data: {ltcube: one.fits}}
"""

ASGARDPY = """\
general: {log: {level: info}, outdir: .}
target:
  source_name: crab
  sky_position: {frame: icrs, lon: 83.63 deg, lat: 22.01 deg}
  models_file: models.yaml
  components:
    - name: crab
      spectral:
        type: LogParabolaSpectralModel
        parameters: [{name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1}, {name: alpha, value: 2.3}]
dataset3d: {instruments: []}
dataset1d:
  instruments:
    - name: gadf
      input_dl3: [{type: gadf-dl3, input_dir: ".", glob_pattern: {dl3: "gadf*.fits"}}]
      dataset_info: {name: gadf, geom: {axes: [{name: energy, axis: {min: 0.1 TeV, max: 10 TeV, nbins: 5}}]}}
fit_params: {fit_range: {min: 1 TeV, max: 10 TeV}}
flux_points_params: {reoptimize: true}
"""

FOREIGN = {"gammapy.yaml": GAMMAPY, "fermipy.yaml": FERMIPY, "asgardpy.yaml": ASGARDPY}
RESULTS = {"results": "config.yaml", "later": "later.yaml", "sky": "sky.yaml"}
"""The folders of the results of each config."""
_KINDS = (".yaml", ".fits", ".ecsv", ".dat")
_DRAFTED = "drafted"


def prepare_results(folder: Path) -> Path:
    """The corpus with its results, on which every command succeeds before anything is mutated."""
    write_corpus(folder)
    for command in (*CONFIG_COMMANDS, *LATER_COMMANDS, *SKY_COMMANDS):
        _check(command, folder)
    for name, text in FOREIGN.items():
        (folder / name).write_text(text)
    for path in result_files(folder):
        if path.parent.name not in RESULTS and path.suffix == ".yaml" and path.name != "models.yaml":
            name = str(path.relative_to(folder))
            for command in (("verify", name), ("show", name)):
                _check(command, folder)
    return folder


def _check(command: Command, folder: Path) -> None:
    ending = run(command, folder)
    if ending.code != 0 or ending.fault:
        raise AssertionError(f"{command} {ending.fault or ending.code}: {ending.told}")


def result_files(folder: Path) -> list[Path]:
    """The results that are mutated, and their tables and records."""
    found = (path for name in RESULTS for path in (folder / name).rglob("*"))
    return sorted(path for path in found if path.suffix in _KINDS)


def files_and_drafts(folder: Path) -> list[Path]:
    """All files that are mutated: results, and what drafts are made of."""
    drafts = [path for path in folder.iterdir() if path.is_file() and path.name not in TEXTS]
    return sorted([*result_files(folder), *drafts, folder / "models.yaml", folder / "datasets.yaml"])


def commands_on(name: str) -> tuple[Command, ...]:
    """What is tried on a mutant of a file, by its path in the corpus."""
    path = Path(name)
    root = path.parts[0]
    draft = ("init", _DRAFTED, "--from", name)
    if root not in RESULTS:
        return draft, draft, ("show", name)
    document = str(path.with_suffix(".yaml"))
    drawn = ("plot", document, "-o", "drawn.svg"), ("plot", root, "-o", "drawn.svg")
    beside = ("compare", document, "later/fit/fit.yaml"), ("compare", "later", "results")
    checked = ("verify", document), ("verify", root), ("report", RESULTS[root]), ("convert", name, "-o", "points.ecsv")
    return *drawn, *drawn, *beside, *checked, ("show", name), draft
