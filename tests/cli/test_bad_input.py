"""Bad input: one clear message, the right exit code, and no result file, not even half of one."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Change = Callable[[Path], None]

USAGE, INVALID, DATA, ENGINE = 2, 3, 4, 5
TOO_LONG = "x" * 5000


def replaced(file: str, old: str, new: str) -> Change:
    """Replace a text in a file of the analysis."""

    def change(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    return change


def appended(file: str, text: str) -> Change:
    """Add a text at the end of a file of the analysis."""

    def change(folder: Path) -> None:
        with (folder / file).open("a") as stream:
            stream.write(text)

    return change


def written(file: str, content: str | bytes) -> Change:
    """Write a file of the analysis anew."""

    def change(folder: Path) -> None:
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def cut(file: str, keep: float) -> Change:
    """Keep the first part of a file."""

    def change(folder: Path) -> None:
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: int(len(data) * keep)])

    return change


def gzip_cut_short(folder: Path) -> None:
    packed = gzip.compress((folder / "run-1.fits").read_bytes())
    (folder / "run-1.fits").unlink()
    (folder / "run-1.fits.gz").write_bytes(packed[: len(packed) // 2])
    replaced("datasets.yaml", "run-1.fits", "run-1.fits.gz")(folder)


def folder_in_the_way(file: str) -> Change:
    def change(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).mkdir()

    return change


def counts_with(value: float) -> Change:
    """Put a value into the counts of the first run."""

    def change(folder: Path) -> None:
        from astropy.io import fits

        with fits.open(folder / "run-1.fits") as hdus:
            hdus["COUNTS"].data["DATA"][5] = value
            hdus.writeto(folder / "run-1.fits", overwrite=True)

    return change


def wrong_hdu(folder: Path) -> None:
    from astropy.io import fits

    with fits.open(folder / "run-1.fits") as hdus:
        hdus["COUNTS"].name = "COUNTZ"
        hdus.writeto(folder / "run-1.fits", overwrite=True)


def arf_of_another_length(folder: Path) -> None:
    from astropy.io import fits

    with fits.open(folder / "pha_run-2_arf.fits") as hdus:
        hdus["SPECRESP"].data = hdus["SPECRESP"].data[:-3]
        hdus.writeto(folder / "pha_run-2_arf.fits", overwrite=True)


def garbage_of_one_gigabyte(folder: Path) -> None:
    """A sparse file: it has the size, but takes no space."""
    (folder / "config.yaml").unlink()
    with (folder / "config.yaml").open("wb") as file:
        file.truncate(2**30)


def follower_of_crab(folder: Path) -> None:
    """A component ``jet`` whose index follows that of ``crab``, which is tested."""
    models = (folder / "models.yaml").read_text()
    (folder / "models.yaml").write_text(models + models.replace("components:\n", "").replace("crab", "jet"))
    links = "links: [{parameter: jet.index, equals: crab.index}]\nfit:\n  test: [crab]\n"
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("fit:\n", links))


def crab_in_one_run_and_the_other_fitted(folder: Path) -> None:
    replaced("models.yaml", "type: SkyModel", "type: SkyModel\n    datasets_names: [run-2]")(folder)
    replaced("config.yaml", "energy_range:", "datasets: run-1\n  energy_range:")(folder)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
)
PRIOR = "prior: {type: GaussianPrior, parameters: [{name: mu, value: 2.3}, {name: sigma, value: 0}]}"
INDEX = "{name: index, value: 2.3}"
TWICE = "  - {name: crab, type: SkyModel, spectral: {type: pl}}\n"
CIRCLE = "links:\n  - {parameter: crab.index, equals: crab.index}\n"
DANGLING = "links:\n  - {parameter: crab.index, equals: vela.index}\n"


def flux_per_steradian(folder: Path) -> None:
    shape = "spatial: {type: ConstantSpatialModel, parameters: [{name: value, value: 1.0, unit: sr-1}]}"
    replaced("models.yaml", "cm-2 s-1 TeV-1", "cm-2 s-1 TeV-1 sr-1")(folder)
    replaced("models.yaml", "type: SkyModel", f"type: SkyModel\n    {shape}")(folder)


CASES: dict[str, tuple[Change, int, list[str]]] = {
    "typographic quotes": (
        replaced("config.yaml", "source: crab", "source: \u201ccrab\u201d"),
        INVALID,
        ["config.yaml:9:14", "typographic quotes", 'write "crab"'],
    ),
    "no-break space": (
        replaced("models.yaml", "name: crab", "name:\u00a0crab"),
        INVALID,
        ["models.yaml:3", "a no-break space"],
    ),
    "file name with a typo": (
        replaced("datasets.yaml", "pha_run-2.fits", "pha_run_2.fits"),
        DATA,
        ["datasets.yaml:3", "no such file", "pha_run-2.fits'?"],
    ),
    "variable that is not set": (
        replaced("datasets.yaml", "run-1.fits", "$GM_NOT_SET/run-1.fits"),
        DATA,
        ["datasets.yaml:2", "no such file: $GM_NOT_SET/run-1.fits", "the variable GM_NOT_SET is not set"],
    ),
    "file name that is too long": (
        replaced("datasets.yaml", "run-1.fits", TOO_LONG),
        DATA,
        ["datasets.yaml:2", f"no such file: {TOO_LONG}"],
    ),
    "covariance with a name that is too long": (
        appended("config.yaml", f"covariance: {TOO_LONG}\n"),
        DATA,
        ["$.covariance: no such file"],
    ),
    "template with a name that is too long": (
        replaced(
            "models.yaml",
            "    spectral:",
            f"    spatial: {{type: TemplateSpatialModel, filename: {TOO_LONG}}}\n    spectral:",
        ),
        INVALID,
        ["models.yaml:4", "$.components[0].spatial.filename", "does not exist"],
    ),
    "results in a folder with a name that is too long": (
        replaced("config.yaml", "output: results", f"output: {TOO_LONG}"),
        DATA,
        ["$.output", "File name too long", "another folder"],
    ),
    "nothing finite is predicted": (
        replaced("models.yaml", "value: 3.0e-11", "value: 1.0e+305"),
        DATA,
        ["not finite at the start: datasets run-1 (run-1.fits), run-2 (pha_run-2.fits)"],
    ),
    "config missing": (lambda folder: (folder / "config.yaml").unlink(), DATA, ["config.yaml", "no such file"]),
    "config is a folder": (folder_in_the_way("config.yaml"), DATA, ["config.yaml", "directory"]),
    "config empty": (written("config.yaml", ""), INVALID, ["config.yaml:1:1", "empty"]),
    "config is a bomb": (written("config.yaml", BOMB), INVALID, ["config.yaml", "alias"]),
    "config is a gigabyte": (garbage_of_one_gigabyte, INVALID, ["config.yaml", "too big"]),
    "config is FITS": (written("config.yaml", b"SIMPLE  =                    T"), DATA, ["FITS"]),
    "config is not UTF-8": (written("config.yaml", b"name: \xff\xfe"), INVALID, ["UTF-8"]),
    "models missing": (lambda folder: (folder / "models.yaml").unlink(), DATA, ["config.yaml:4:9", "models.yaml"]),
    "models is a folder": (folder_in_the_way("models.yaml"), DATA, ["config.yaml:4:9", "directory"]),
    "models empty": (written("models.yaml", ""), INVALID, ["models.yaml:1:1", "empty"]),
    "datasets missing": (lambda folder: (folder / "datasets.yaml").unlink(), DATA, ["config.yaml:3:11"]),
    "data file missing": (lambda folder: (folder / "run-1.fits").unlink(), DATA, ["datasets.yaml:2", "run-1.fits"]),
    "data file is a folder": (folder_in_the_way("run-1.fits"), DATA, ["run-1.fits", "directory"]),
    "FITS truncated": (cut("run-1.fits", 0.5), DATA, ["run-1.fits", "truncated"]),
    "FITS empty": (written("run-1.fits", b""), DATA, ["run-1.fits", "not a FITS file"]),
    "FITS is garbage": (written("run-1.fits", b"\x00\x01garbage" * 1000), DATA, ["run-1.fits", "not a FITS file"]),
    "gzip cut short": (gzip_cut_short, DATA, ["run-1.fits.gz", "cut short"]),
    "wrong HDU": (wrong_hdu, DATA, ["run-1.fits", "COUNTS"]),
    "NaN counts": (counts_with(float("nan")), DATA, ["run-1", "counts", "nan"]),
    "negative counts": (counts_with(-3.0), DATA, ["run-1", "counts", "-3"]),
    "ARF missing": (lambda folder: (folder / "pha_run-2_arf.fits").unlink(), DATA, ["pha_run-2_arf.fits"]),
    "ARF and RMF differ": (arf_of_another_length, DATA, ["run-2", "true-energy bins"]),
    "all bins masked": (
        replaced("config.yaml", "0.8 TeV, max: 30 TeV", "90 TeV, max: 91 TeV"),
        DATA,
        ["no bin is left"],
    ),
    "no free parameter": (
        replaced("config.yaml", "fit:", 'parameters: {"*": {frozen: true}}\nfit:'),
        INVALID,
        ["config.yaml:6:1", "nothing to fit: no parameter is free", "{frozen: false}"],
    ),
    "free parameters elsewhere": (
        crab_in_one_run_and_the_other_fitted,
        INVALID,
        ["config.yaml:5:1", "nothing to fit: no dataset depends on any free parameter"],
    ),
    "test of a component that another follows": (
        follower_of_crab,
        INVALID,
        ["config.yaml:7:10", "'jet.index' follows 'crab.index'", "turn the link around"],
    ),
    "key misspelt": (
        replaced("config.yaml", "energy_range", "energy_rage"),
        INVALID,
        ["config.yaml:6", "'energy_range'?"],
    ),
    "parameter misspelt": (
        replaced("models.yaml", "name: index", "name: indx"),
        INVALID,
        ["models.yaml:7", "'index'?"],
    ),
    "type misspelt": (replaced("models.yaml", "PowerLawSp", "PowerLowSp"), INVALID, ["'PowerLawSpectralModel'?"]),
    "dataset misspelt": (
        replaced("config.yaml", '"run-*"', '"rnu-*"'),
        INVALID,
        ["config.yaml:7", "no dataset matches"],
    ),
    "datasets_names misspelt": (
        replaced("models.yaml", "type: SkyModel", "type: SkyModel\n    datasets_names: [run-3]"),
        INVALID,
        ["models.yaml:4:22", "'run-3'", "run-1, run-2"],
    ),
    "source misspelt": (replaced("config.yaml", "source: crab", "source: crap"), INVALID, ["config.yaml:9", "'crab'?"]),
    "flux points per steradian": (
        flux_per_steradian,
        INVALID,
        ["config.yaml:9:14", "'crab': its spectrum is in 'TeV-1 s-1 cm-2 sr-1'", "need a differential flux"],
    ),
    "edit of nothing": (
        replaced("config.yaml", "fit:", "parameters:\n  crab.indx: {value: 2}\nfit:"),
        INVALID,
        ["config.yaml:6:3", "'crab.index'?"],
    ),
    "link dangling": (replaced("config.yaml", "fit:", f"{DANGLING}fit:"), INVALID, ["config.yaml:6", "vela.index"]),
    "link circular": (replaced("config.yaml", "fit:", f"{CIRCLE}fit:"), INVALID, ["config.yaml:6", "circle"]),
    "sigma 0": (
        replaced("models.yaml", INDEX, f"{{name: index, value: 2.3, {PRIOR}}}"),
        INVALID,
        ["models.yaml:7", "sigma"],
    ),
    "min above max": (
        replaced("models.yaml", INDEX, "{name: index, value: 2.3, min: 3, max: 1}"),
        INVALID,
        ["models.yaml:7"],
    ),
    "start outside": (
        replaced("models.yaml", INDEX, "{name: index, value: 2.3, min: 3, max: 4}"),
        INVALID,
        ["models.yaml:7"],
    ),
    "unit wrong": (
        replaced("models.yaml", "cm-2 s-1 TeV-1", "cm s-1 TeV-1"),
        INVALID,
        ["models.yaml:8", "cm-2 s-1 TeV-1"],
    ),
    "energy in seconds": (replaced("config.yaml", "0.8 TeV", "0.8 s"), INVALID, ["config.yaml:7", "'s'"]),
    "energy range upside down": (replaced("config.yaml", "0.8 TeV", "80 TeV"), INVALID, ["config.yaml:7", "not above"]),
    "component twice": (appended("models.yaml", TWICE), INVALID, ["models.yaml:10", "crab"]),
    "dataset twice": (replaced("datasets.yaml", "run-2,", "run-1,"), INVALID, ["datasets.yaml:3", "run-1"]),
    "flux points twice": (
        appended("config.yaml", "  - {source: crab, energy_edges: [1 TeV, 2 TeV]}\n"),
        INVALID,
        ["config.yaml:10", "crab-sed"],
    ),
    "key twice": (
        replaced("config.yaml", "output: results", "output: results\noutput: others"),
        INVALID,
        ["config.yaml:3:1"],
    ),
    "output is a file": (written("results", "mine"), DATA, ["results", "is a file"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, gm: Any, analysis: Path) -> None:
    change, code, words = CASES[case]
    change(analysis)
    before = sorted(path for path in analysis.rglob("*"))

    called = gm("fit", "config.yaml")

    assert called.code == code, called.err
    assert called.out == ""
    for word in words:
        assert word in called.err
    assert "Traceback" not in called.err
    assert len(called.err.splitlines()) < 12, called.err
    after = sorted(path for path in analysis.rglob("*"))
    assert [path for path in after if path not in before and path.is_file()] == []


@pytest.mark.parametrize(
    "case",
    ["all bins masked", "no free parameter", "free parameters elsewhere", "test of a component that another follows"],
)
def test_validate_refuses_what_the_fit_refuses(case: str, gm: Any, analysis: Path) -> None:
    change, code, words = CASES[case]
    change(analysis)
    called = gm("validate", "config.yaml")
    assert called.code == code, called.err
    for word in words:
        assert word in called.err


def test_all_problems_of_all_files_at_once(gm: Any, analysis: Path) -> None:
    replaced("config.yaml", "run-*", "rnu-*")(analysis)
    replaced("models.yaml", "name: index", "name: indx")(analysis)
    replaced("datasets.yaml", "filename: run-1.fits", "filename: run-0.fits")(analysis)
    called = gm("validate", "config.yaml")
    places = [line.split(": ")[0] for line in called.err.splitlines() if line[0] != " "]
    assert places[:3] == ["config.yaml:7:18", "datasets.yaml:2:57", "models.yaml:7:18"]
    assert "3 problems; nothing was run." in called.err
    assert called.code == INVALID


def test_problems_as_json(gm: Any, analysis: Path) -> None:
    replaced("config.yaml", "energy_range", "energy_rage")(analysis)
    called = gm("fit", "config.yaml", "--json")
    assert called.json["status"] == "error"
    assert called.json["exit_code"] == called.code == INVALID
    (problem,) = called.json["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("config.yaml", 6, 3)
    assert "energy_range" in problem["hint"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            replaced("models.yaml", "PowerLawSpectralModel", "PowerlawSpectralModel"),
            "did you mean 'PowerLawSpectralModel'",
        ),
        (replaced("datasets.yaml", "filename: run-1.fits", "filename: $GM_NOT_SET/r*.fits"), "GM_NOT_SET is not set"),
    ],
)
def test_consequences_of_a_mistake_are_not_told(gm: Any, analysis: Path, change: Change, message: str) -> None:
    """That a component or a dataset is not there, of which something is wrong where it is written."""
    change(analysis)
    called = gm("validate", "config.yaml")
    assert message in called.err
    assert "1 problem;" in called.err


def test_wrong_command_line_as_json(gm: Any, analysis: Path) -> None:
    called = gm("fit", "config.yaml", "--json", "--workers", "0")
    assert called.code == called.json["exit_code"] == USAGE


def test_full_disk(gm: Any, analysis: Path) -> None:
    """A tiny file system, full but for a little: the message names the file and the reason, nothing is left behind."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    disk = analysis / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=16k tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        with pytest.raises(OSError, match="No space left"):
            (disk / "ballast").write_bytes(b"x" * 2**20)
        called = gm("fit", "config.yaml", "-o", disk / "results")
        assert called.code == DATA
        assert "No space left on device" in called.err
        assert called.out == ""
        assert [path for path in disk.rglob("*") if path.is_file()] == [disk / "ballast"]
    finally:
        os.system(f"umount {disk}")


def test_output_in_a_folder_that_cannot_be_written(gm: Any, analysis: Path) -> None:
    called = gm("fit", "config.yaml", "-o", "/proc/nowhere")
    assert called.code == DATA
    assert "/proc/nowhere" in called.err


def test_full_standard_output(analysis: Path, start_gm: Any) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = start_gm("fit", "-q", "config.yaml", stdout=full)
        _, err = done.communicate(timeout=120)
    assert done.returncode == DATA
    assert "No space left" in err
