"""Mutated inputs for every reader: what damage and malice do to a small analysis, and how every command has to end.

A mutant is one changed file of a small analysis with every kind of input: config, models, datasets, GADF and OGIP
spectra, a map with responses, SED tables in FITS and ECSV, a template, regions. A command ends with an exit code of the
contract, in bounded time and memory, with a message that names a place; never with a bug's exit code.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from astropy.table import Table

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.datasets import write_dataset
from gm.io.yaml_writer import dump_yaml
from tests.estimators.test_light_curve import good_time
from tests.map_samples import cube, write_template
from tests.samples import flux_points, on_off

MAX_SECONDS, MAX_BYTES = 20, 2 << 30
_PROC = Path("/proc/self")
ENDINGS = {0, 1, 2, 3, 4, 5}
Random = np.random.Generator
Command = tuple[str, ...]

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
parameters:
  crab.index: {value: 2.2, min: 1.0, max: 5.0}
links:
  - {parameter: other.index, equals: crab.index, scale: 1.0, offset: 0.1}
operations:
  - cutout: {dataset: map, name: cut, center: [83.63, 22.01], frame: icrs, width: 1.5 deg}
  - to_spectrum_dataset: {dataset: cut, name: inside, keep: true, target: [crab],
                          region: {type: file, filename: on.reg}}
fit:
  datasets: ["gadf", "ogip", "points", "table", "cut"]
  energy_range:
    - {datasets: "gadf*", min: 0.6 TeV, max: 18 TeV}
  mask:
    - {datasets: cut, exclude: {type: circle, center: [84.2, 22.0], frame: icrs, radius: 0.1 deg}}
  minos: [crab.index]
flux_points:
  - {source: crab, name: sed, energy_edges: {min: 1 TeV, max: 10 TeV, per_decade: 2}}
"""

SIMULATION = """\
version: 1
output: simulated
models: simulated-models.yaml
simulate:
  seed: 3
  datasets:
    - {name: run, copies: 2, response: iact, livetime: 30 min, energy: {min: 1 TeV, max: 10 TeV, per_decade: 3}}
    - {name: like, response: {filename: gadf.fits}, acceptance_off: 5}
fit: {}
"""

LATER = """\
version: 1
output: later
datasets:
  datasets:
    - {name: gadf, type: SpectrumDatasetOnOff, filename: gadf.fits}
    - {name: timed, type: SpectrumDatasetOnOff, filename: timed.fits}
models: later-models.yaml
fit: {}
light_curves:
  - {source: crab, name: light, datasets: timed, energy_range: [1 TeV, 10 TeV], time_bins: {width: 1 d},
     confidence: {sigma: 2}}
profiles:
  - {parameter: crab.index, name: along, sigma: 2, n: 5}
  - {quantity: "flux(crab, 1 TeV, 10 TeV)", name: flux, n: 3}
impacts:
  - {parameter: crab.amplitude, nuisances: "crab.*"}
select:
  - {component: crab, criterion: ts, sigma: 3,
     spectral: [pl, {type: ecpl, name: hard, parameters: [{name: index, value: 1.5}]}]}
sensitivity:
  - {source: crab, name: seen, energy_edges: {min: 1 TeV, max: 10 TeV, per_decade: 1}}
goodness: {simulations: 3, seed: 2}
toys: {n: 3, seed: 3, from: best-fit, minos: [crab.index], test: [crab]}
report: {title: A title}
"""

SKY = """\
version: 1
output: sky
datasets: {datasets: [{name: map, type: MapDataset, filename: map.fits}]}
models: sky-models.yaml
maps:
  - {type: ts, kernel: {spatial: {type: gauss, sigma: 0.1 deg}, spectral: {type: pl, index: 2.3}}}
  - {type: excess, correlation_radius: 0.2 deg}
  - {type: residual, correlation_radius: 0.2 deg}
  - {type: profile, name: rings, source: crab, center: [83.63, 22.01], max: 1 deg, n: 4}
  - {type: peaks, of: ts, threshold: 5, min_distance: 0.3 deg}
localize:
  - {source: crab}
extension:
  - {source: crab, shape: gauss, n: 3}
find: {threshold: 6, iterations: 1, spectral: pl}
"""

LATER_MODELS = """\
components:
  - name: crab
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters: [{name: index, value: 2.3}, {name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1}]
"""

SKY_MODELS = """\
components:
  - name: crab
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters: [{name: index, value: 2.3}, {name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}]
    spatial:
      type: PointSpatialModel
      frame: icrs
      parameters: [{name: lon_0, value: 83.63, unit: deg}, {name: lat_0, value: 22.01, unit: deg}]
  - {name: map-bkg, type: FoVBackgroundModel, datasets_names: [map], spectral: {type: PowerLawNormSpectralModel}}
"""

MODELS = """\
components:
  - name: crab
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - name: index
          value: 2.3
          prior: {type: GaussianPrior, parameters: [{name: mu, value: 2.3}, {name: sigma, value: 1}], weight: 1}
        - {name: amplitude, value: 3.0e-11, unit: cm-2 s-1 TeV-1}
        - {name: reference, value: 1.0, unit: TeV, frozen: true}
    spatial:
      type: PointSpatialModel
      frame: icrs
      parameters:
        - {name: lon_0, value: 83.63, unit: deg, frozen: true}
        - {name: lat_0, value: 22.01, unit: deg, frozen: true}
  - name: other
    type: SkyModel
    datasets_names: [map]
    spectral:
      type: PowerLawSpectralModel
      parameters: [{name: index, value: 2.3}, {name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}]
    spatial: {type: TemplateSpatialModel, filename: template.fits, normalize: true}
    temporal: {type: ConstantTemporalModel}
  - {name: map-bkg, type: FoVBackgroundModel, datasets_names: [map], spectral: {type: PowerLawNormSpectralModel}}
"""

SIMULATED_MODELS = """\
components:
  - name: source
    type: SkyModel
    spectral:
      type: ExpCutoffPowerLawSpectralModel
      parameters: [{name: amplitude, value: 3.0e-11, unit: cm-2 s-1 TeV-1}, {name: lambda_, value: 0.1, unit: TeV-1}]
"""

DATASETS = """\
datasets:
  - {name: gadf, type: SpectrumDatasetOnOff, filename: gadf.fits}
  - {name: ogip, type: SpectrumDatasetOnOff, filename: pha_ogip.fits}
  - {name: map, type: MapDataset, filename: map.fits}
  - {name: points, type: FluxPointsDataset, filename: points.fits}
  - {name: table, type: FluxPointsDataset, filename: table.ecsv}
"""

REGION = """\
# Region file format: DS9 version 4.1
fk5
circle(83.63,22.01,720")
-ellipse(83.7,22.1,120",60",30)
"""

TEXTS = {
    "config.yaml": CONFIG,
    "simulation.yaml": SIMULATION,
    "models.yaml": MODELS,
    "simulated-models.yaml": SIMULATED_MODELS,
    "later.yaml": LATER,
    "later-models.yaml": LATER_MODELS,
    "sky.yaml": SKY,
    "sky-models.yaml": SKY_MODELS,
    "datasets.yaml": DATASETS,
    "on.reg": REGION,
}


def write_corpus(folder: Path) -> None:
    """A small analysis with every kind of input, on which every command succeeds."""
    folder.mkdir(parents=True)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    write_template(folder / "template.fits")
    write_dataset(on_off("gadf"), folder / "gadf.fits")
    write_dataset(on_off("ogip", seed=2, livetime=3600.0), folder / "pha_ogip.fits", "ogip")
    timed = good_time((0.0, 0.02), (0.03, 0.04))
    write_dataset(on_off("timed", seed=3, livetime=2592.0, gti=timed), folder / "timed.fits")
    write_dataset(cube("map").with_(mask_safe=None), folder / "map.fits")
    write_dataset(flux_points("points"), folder / "points.fits")
    table = Table.read(folder / "points.fits", hdu=1)
    table.write(folder / "table.ecsv", format="ascii.ecsv")


def corpus_files(folder: Path) -> list[Path]:
    """The files that are mutated."""
    return sorted(path for path in folder.iterdir() if path.is_file())


# Mutations: what a file becomes

HOSTILE_VALUES: tuple[Any, ...] = (
    None, True, [], {}, "", "*", "[", 0, -1, 1, 2, 10**400, -(10**18), 1e300, -1e300, 1e-300, 0.0, -0.0, ["a"], [[]],
    float("nan"), float("inf"), -float("inf"), "nan TeV", "1e400 TeV", "-1 TeV", "1 deg", "1 km99999999", "1 TeV",
    "cm-2 s-1 TeV-1", "km400", "a***a***a***a***a***a***a!", "..", "/", "/dev/zero", "/proc/self/mem", "~nobody/x",
    "$HOME", "$(id)", "a;b", "a|b", "crab", "crab.index", "map", "x" * 5000, {"a": {}}, [1e300, 1e-300],
    "\u202egnp.exe", "PointSpatialModel", "ShellSpatialModel", "ExpCutoffPowerLawSpectralModel", "1:2:3", "2008-11-01",
)  # fmt: skip
HOSTILE_CARDS = (
    "0", "-1", "1", "T", "F", "99999999999", "-99999999999999999999", "1E400", "NaN", "'x'", "''", "'1D'", "'PQ(1)'",
    "'1J'", "'999999999E'", "'TeV'", "'kmkm'", "", "(1,2)", "1.5", "8", "16", "-64", "'RA---ZEA'", "'XXXX-CAR'",
)  # fmt: skip
HOSTILE_NUMBERS = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 1e-300, 1e38, -1e38])


def mutated(content: bytes, name: str, random: Random) -> bytes:
    """The content with a change that fits its kind, or none in particular; sometimes with two or three."""
    for _ in range(int(random.choice([1, 1, 1, 1, 2, 3]))):
        content = _mutation(name, random)(content, random)
    return content


def _mutation(name: str, random: Random) -> Callable[[bytes, Random], bytes]:
    kinds: list[Callable[[bytes, Random], bytes]] = [_changed_bytes, _cut, _moved]
    if name.endswith(".yaml"):
        kinds += [_changed_tree] * 8 + [_changed_scalar] * 12 + [_changed_words] * 2
    elif name.endswith((".fits", ".fits.gz")):
        kinds += [_changed_card] * 5 + [_changed_numbers] * 8
    else:
        kinds += [_changed_words] * 6
    return kinds[int(random.integers(len(kinds)))]


def _changed_bytes(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        if data:
            data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
    return bytes(data)


def _cut(content: bytes, random: Random) -> bytes:
    at, length = int(random.integers(len(content) + 1)), int(random.integers(1, 4000))
    if random.random() < 0.5:
        return content[:at]
    return content[:at] + content[at + length :]


def _moved(content: bytes, random: Random) -> bytes:
    at, to, length = (int(random.integers(len(content) + 1)) for _ in range(3))
    return content[:to] + content[at : at + length % 3000] + content[to:]


def _changed_words(content: bytes, random: Random) -> bytes:
    """One word or number of a text becomes another of it, a hostile one, or nothing."""
    text = content.decode("utf-8", "surrogateescape")
    words = list(re.finditer(r"[^\s,:\[\]{}#()]+", text))
    if not words:
        return content
    chosen = words[int(random.integers(len(words)))]
    value = HOSTILE_VALUES[int(random.integers(len(HOSTILE_VALUES)))]
    other = words[int(random.integers(len(words)))][0]
    new = (str(value), other, "")[int(random.integers(3))]
    return (text[: chosen.start()] + new + text[chosen.end() :]).encode("utf-8", "surrogateescape")


def _changed_tree(content: bytes, random: Random) -> bytes:
    """One value of a YAML document becomes a hostile one or another of it, or its key goes, or a second one comes."""
    try:
        data = read_document("x", content.decode(), "x", Path()).data
    except Exception:  # mutated before into what is not YAML: every kind of damage may be there
        return _changed_words(content, random)
    places = list(_places(data)) if isinstance(data, dict | list) else []
    if not places:
        return content
    parent, key = places[int(random.integers(len(places)))]
    kind, (other_parent, other_key) = int(random.integers(4)), places[int(random.integers(len(places)))]
    if kind == 0:
        del parent[key]
    elif kind == 1:
        parent[key] = other_parent[other_key]
    elif kind == 2 and isinstance(parent, dict):
        parent[str(other_key)] = parent.pop(key)
    else:
        parent[key] = HOSTILE_VALUES[int(random.integers(len(HOSTILE_VALUES)))]
    try:
        return dump_yaml(data, allow_nan=True).encode()
    except Exception:  # a value that contains itself, or that gm never writes
        return content


def _changed_scalar(content: bytes, random: Random) -> bytes:
    """One number of a YAML document moves, far or a little; one text becomes another text of the document."""
    try:
        data = read_document("x", content.decode(), "x", Path()).data
    except Exception:
        return _changed_words(content, random)
    places = list(_places(data)) if isinstance(data, dict | list) else []
    kind = str if random.random() < 0.3 else (int, float)
    scalars = [(parent, key) for parent, key in places if isinstance(parent[key], kind)]
    if not scalars:
        return content
    parent, key = scalars[int(random.integers(len(scalars)))]
    if kind is str:
        other, other_key = scalars[int(random.integers(len(scalars)))]
        parent[key] = other[other_key]
    else:
        factor = float(random.choice([-1.0, 0.0, 0.5, 1.5, 10.0, 1e3, 1e-3, 1e6, 1e-6, 1e20, 1e-20]))
        parent[key] = type(parent[key])(min(parent[key] * factor, 1e18)) if factor else 0
    return dump_yaml(data, allow_nan=True).encode()


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(data.items()) if isinstance(data, dict) else list(enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _changed_card(content: bytes, random: Random) -> bytes:
    """One card of a FITS header gets another value, or another card's text."""
    cards = [at for at in range(0, len(content) - 79, 80) if re.match(rb"[A-Z][A-Z0-9_-]* *= ", content[at : at + 10])]
    if not cards:
        return content
    at = cards[int(random.integers(len(cards)))]
    value = HOSTILE_CARDS[int(random.integers(len(HOSTILE_CARDS)))].encode()
    card = content[at : at + 10] + value.rjust(20)
    if random.random() < 0.2:
        other = cards[int(random.integers(len(cards)))]
        card = content[other : other + 80]
    return content[:at] + card.ljust(80)[:80] + content[at + 80 :]


def _changed_numbers(content: bytes, random: Random) -> bytes:
    """Some numbers of a FITS file's data are scaled, or become such that are none or are absurd."""
    width = int(random.choice([4, 8]))
    numbers = np.frombuffer(content[: len(content) // width * width], f">f{width}").copy()
    with np.errstate(all="ignore"):
        plausible = np.flatnonzero((np.abs(numbers) > 1e-30) & (np.abs(numbers) < 1e30) & (numbers != 0))
        if not plausible.size:
            return content
        at = random.choice(plausible, int(random.integers(1, 30)))
        if random.random() < 0.5:
            numbers[at] *= random.choice([-1.0, 0.0, 1e-3, 1e3, 1e10])
        else:
            numbers[at] = random.choice(HOSTILE_NUMBERS)
    return numbers.tobytes() + content[len(numbers) * width :]


# Commands: how they end

CONFIG_COMMANDS = tuple(
    (command, "config.yaml") for command in ("validate", "plan", "fit", "flux-points", "apply", "deps")
)
SIMULATION_COMMANDS = tuple((command, "simulation.yaml") for command in ("validate", "plan", "simulate", "fit"))
LATER_COMMANDS = tuple(
    (command, "later.yaml")
    for command in (
        *("validate", "plan", "light-curve", "profile", "impacts", "select", "sensitivity", "goodness", "toys"),
        *("report", "deps"),
    )
)
SKY_COMMANDS = tuple((command, "sky.yaml") for command in ("validate", "plan", "maps", "localize", "extension", "find"))
COMMANDS: dict[str, tuple[Command, ...]] = {
    **dict.fromkeys(("later.yaml", "later-models.yaml", "timed.fits"), LATER_COMMANDS),
    **dict.fromkeys(("sky.yaml", "sky-models.yaml"), SKY_COMMANDS),
    "simulation.yaml": SIMULATION_COMMANDS,
    "simulated-models.yaml": SIMULATION_COMMANDS,
    **dict.fromkeys(("config.yaml", "models.yaml", "on.reg", "template.fits"), CONFIG_COMMANDS),
    "map.fits": (*CONFIG_COMMANDS, *SKY_COMMANDS),
    "gadf.fits": (*CONFIG_COMMANDS[:3], *LATER_COMMANDS),
}
"""What is tried on a mutant of a file; on others ``validate``, ``fit`` and ``show``."""


def input_commands(name: str) -> tuple[Command, ...]:
    """What is tried on a mutant of an input."""
    return (*COMMANDS.get(name, CONFIG_COMMANDS[:3]), ("show", name))


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, what it told, and what it did that none may do (empty: nothing)."""

    command: tuple[str, ...]
    code: object
    told: str
    fault: str


class _TooLong(BaseException):
    """The time of the processor is over: of this process, however busy the machine is."""


def run(command: tuple[str, ...], folder: Path) -> Ending:
    """Run a command on the analysis in ``folder``."""
    out, err, begin = io.StringIO(), io.StringIO(), time.process_time()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _TooLong

    before_directory, before_handler = os.getcwd(), signal.signal(signal.SIGPROF, stop)
    before_memory = _memory_now()
    os.chdir(folder)
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    code: object = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([*command, *(() if command[0] == "deps" else ("--json",))])
    except SystemExit as end:
        code = end.code
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before_handler)
        os.chdir(before_directory)
    seconds, memory = time.process_time() - begin, _memory("VmHWM") - before_memory
    if seconds >= MAX_SECONDS:
        return Ending(command, code, err.getvalue(), f"did not end in {MAX_SECONDS} s")
    if memory > MAX_BYTES:
        return Ending(command, code, err.getvalue(), f"took more than {MAX_BYTES >> 30} GiB")
    return Ending(command, code, err.getvalue(), _fault(command, code, out.getvalue(), err.getvalue()))


def _memory_now() -> int:
    """Bytes of memory that this process holds; its peak starts again from there.

    What ``getrusage`` gives is the peak of all that this process ever did, other tests among it.
    """
    if _PROC.exists():
        (_PROC / "clear_refs").write_text("5")  # proc(5): resets the peak
    return _memory("VmRSS")


def _memory(key: str) -> int:
    """Bytes that Linux states for this process: ``VmRSS`` now, ``VmHWM`` at its peak; 0 on other systems."""
    if not _PROC.exists():
        return 0
    (found,) = re.findall(rf"^{key}:\s+(\d+) kB$", (_PROC / "status").read_text(), re.MULTILINE)
    return int(found) * 1024


def _fault(command: tuple[str, ...], code: object, out: str, told: str) -> str:
    """What a command's end or words did that none may do."""
    if code not in ENDINGS:
        return f"ended with {code}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out + told):
        return "control characters reach the terminal"
    if command[0] == "deps":
        return ""
    try:
        document = json.loads(out)
    except ValueError:
        return "standard output is no JSON document"
    if code in (3, 4):
        problems = document.get("problems") or []
        if not all(problem["file"] and problem["line"] >= 1 and problem["column"] >= 1 for problem in problems):
            return "a problem without a place"
        if not problems and not _PLACE.search(document.get("message") or told):
            return "a message without a place"
    return ""


_ENTRIES = "light_curves|light curve|maps|profiles|localize|extension|select|sensitivity|impacts"
_PLACE = re.compile(rf"\.(yaml|fits|ecsv|reg|dat|gz)|--set|\$\.|dataset \S|({_ENTRIES}) \S|'[^']+'")


_ELSEWHERE = re.compile(rb"output\W{0,3}:\W{0,3}(/|~|\$|\.\.)")  # results in a folder that is no part of the corpus


def try_mutants(
    corpus: Path,
    scratch: Path,
    seed: int,
    numbers: range,
    of: Callable[[Path], list[Path]] = corpus_files,
    commands_on: Callable[[str], tuple[Command, ...]] = input_commands,
) -> Iterator[tuple[int, str, Ending]]:
    """Mutants one by one: number, mutated file, how a command ended; the file is kept where that is a fault.

    of : gives the files of a corpus that are mutated; commands_on : what is tried on each, by its path in the corpus
    """
    shutil.copytree(corpus, scratch)
    files = of(scratch)
    contents = {path: path.read_bytes() for path in scratch.rglob("*") if path.is_file()}
    for number in numbers:
        random = np.random.default_rng([seed, number])
        path = files[int(random.integers(len(files)))]
        name = str(path.relative_to(scratch))
        mutant = mutated(contents[path], path.name, random)
        if _ELSEWHERE.search(mutant):
            continue
        path.write_bytes(mutant)
        commands = commands_on(name)
        ending = run(commands[int(random.integers(len(commands)))], scratch)
        if ending.fault:
            (scratch.parent / f"mutant-{number}-{path.name}").write_bytes(path.read_bytes())
        yield number, name, ending
        _restore(scratch, contents)


def _restore(folder: Path, contents: dict[Path, bytes]) -> None:
    """The corpus as it was."""
    kept = {parent for path in contents for parent in path.parents}
    for made in sorted(folder.rglob("*"), reverse=True):
        if made.is_symlink() or (made.is_file() and made not in contents):
            made.unlink()
        elif made.is_dir() and made not in kept:
            shutil.rmtree(made)
    for path, content in contents.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def prepare(folder: Path) -> Path:
    """The corpus, on which every command succeeds before anything is mutated."""
    write_corpus(folder)
    for command in (*CONFIG_COMMANDS, *SIMULATION_COMMANDS, *LATER_COMMANDS, *SKY_COMMANDS):
        ending = run(command, folder)
        if ending.code != 0 or ending.fault:
            raise AssertionError(f"{command} {ending.fault or ending.code}: {ending.told}")
    for made in (folder / name for name in ("results", "simulated", "later", "sky")):
        shutil.rmtree(made)
    return folder
