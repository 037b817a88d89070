"""Observations that lack something, each beside good ones: a row with a reason, and the others done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gm.io.tables import Column, Table
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from gm.pipeline.stages.observations.stage import REDUCE
from tests.dl3_files import (
    ENERGY,
    OFFSET,
    aeff,
    bins,
    bkg,
    edisp,
    events,
    gti,
    psf,
    response,
    without,
    write_observation,
    write_store,
)

CONFIG = """\
version: 1
models: {components: []}
observations:
  - name: "map-{obs_id}"
    data: store
    dataset: map
    energy: {min: 0.3 TeV, max: 30 TeV, n_bins: 4}
    energy_true: {min: 0.15 TeV, max: 80 TeV, n_bins: 8}
    geometry: {center: [83.6, 22.3], width: 3 deg, pixel: 0.5 deg, projection: TAN}
    background: {type: fov}
    safe_mask: [{type: offset_max, offset: 1.2 deg}]
"""
Damage = tuple[str, dict[str, Table | None], str]
"""What it is called, the tables that are replaced, and what the reason has to name."""


def tables() -> dict[str, Table]:
    return {"events": events(800), "gti": gti(), "aeff": aeff(), "edisp": edisp(), "psf": psf(), "bkg": bkg()}


COLUMNS = {
    "events": ("TIME", "ENERGY", "RA", "DEC"),
    "gti": ("START", "STOP"),
    "aeff": ("ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "EFFAREA"),
    "edisp": ("ENERG_LO", "ENERG_HI", "MIGRA_LO", "MIGRA_HI", "THETA_LO", "THETA_HI", "MATRIX"),
    "psf": ("ENERG_LO", "ENERG_HI", "THETA_LO", "THETA_HI", "RAD_LO", "RAD_HI", "RPSF"),
    "bkg": ("ENERG_LO", "ENERG_HI", "DETX_LO", "DETX_HI", "DETY_LO", "DETY_HI", "BKG"),
}
CARDS = {
    "events": ("MJDREFI", "MJDREFF", "RA_PNT", "DEC_PNT", "DEADC"),
    "gti": ("MJDREFI", "MJDREFF"),
}


def changed(table: Table, name: str, *, unit: str | None = None, values: NDArray[Any] | None = None) -> Table:
    """A table with another unit or other values of a column."""
    columns = (
        replace(column, unit=column.unit if unit is None else unit, values=column.values if values is None else values)
        if column.name == name
        else column
        for column in table.columns
    )
    return Table(table.name, tuple(columns), table.header)


def with_nan(table: Table, name: str) -> Table:
    column = next(column for column in table.columns if column.name == name)
    values = np.array(column.values, dtype=np.float64)
    values.flat[0] = np.nan
    return changed(table, name, values=values)


def damages() -> Iterator[Damage]:
    good = tables()
    for part, table in good.items():
        yield f"no {part}", {part: None}, part.upper()
        for name in COLUMNS[part]:
            yield f"{part} without {name}", {part: without(table, name)}, name
            yield f"{part} with {name} in K", {part: changed(table, name, unit="K")}, name
            yield f"{part} with NaN in {name}", {part: with_nan(table, name)}, "finite"
        for name in CARDS.get(part, ()):
            yield f"{part} without the card {name}", {part: without(table, name)}, name
    none = tuple(replace(column, values=column.values[:0]) for column in good["gti"].columns)
    yield "no interval", {"gti": Table("GTI", none, good["gti"].header)}, "no interval"
    yield "events at other times", {"gti": gti((5000.0, 6000.0))}, "good time intervals"
    yield "a negative area", {"aeff": changed(good["aeff"], "EFFAREA", values=np.full((1, 2, 6), -1.0))}, "exposure"


def reduced(folder: Path, files: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    monkeypatch.chdir(folder)
    write_store(folder / "store", files, ".fits")
    Path("config.yaml").write_text(CONFIG)
    outcome = run(Request("config.yaml", output="out"), Silent(), REDUCE)
    document = outcome.products[0].document
    return {row["obs_id"]: row for row in document["observations"]}, outcome.exit_code


def test_every_damage_is_a_row_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    cases = dict(enumerate(damages(), start=2))
    files = {1: write_observation(tmp_path / "store/1.fits", **tables())}
    for number, (_, parts, _) in cases.items():
        files[number] = write_observation(tmp_path / f"store/{number}.fits", **{**tables(), **parts})
    files[1000] = write_observation(tmp_path / "store/1000.fits", **tables())
    rows, code = reduced(tmp_path, files, monkeypatch)
    assert code == 1
    assert [rows[number]["status"] for number in (1, 1000)] == ["ok", "ok"]
    faults = [
        f"{what}: {rows[number]['status']}: {rows[number]['reason']}"
        for number, (what, _, named) in cases.items()
        if rows[number]["status"] == "ok" or named not in rows[number]["reason"]
    ]
    assert faults == []


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz"])
def test_one_of_twenty_files_is_cut_off(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    files = {n: write_observation(tmp_path / f"store/{n}{suffix}", **tables()) for n in range(1, 21)}
    content = files[7].read_bytes()
    for part in (0.0, 0.02, 0.3, 0.7, 0.95):
        files[7].write_bytes(content[: int(part * len(content))])
        rows, code = reduced(tmp_path, files, monkeypatch)
        assert code == 1
        assert rows.pop(7)["status"] == "failed"
        assert {row["status"] for row in rows.values()} == {"ok"}


def test_two_entries_of_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a row of each: no dataset of it has a name that two could have."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    write_observation(tmp_path / "store/1.fits", **tables())
    (tmp_path / "store/2.fits").write_bytes(b"SIMPLE")
    first = CONFIG.replace("data: store", "data: store/*.fits")
    second = first.partition("observations:\n")[2].replace("map-", "other-")
    Path("config.yaml").write_text(first + second)
    outcome = run(Request("config.yaml"), Silent(), REDUCE)
    rows = outcome.products[0].document["observations"]
    assert [(row["dataset"], row["status"]) for row in rows] == [
        ("map-1", "ok"), ("2.fits", "failed"), ("other-1", "ok"), ("2.fits", "failed"),
    ]  # fmt: skip
    assert outcome.exit_code == 1


# other classes of responses

AXES = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
CELL = np.ones((len(OFFSET) - 1, len(ENERGY) - 1))


def parametric(kind: str, angles: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    columns = [*(Column(name, 0.1 * CELL[None], "deg") for name in angles)]
    columns += [Column(name, 2.0 * CELL[None], "") for name in numbers]
    classes = {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "RPSF", "HDUCLAS3": "FULL-ENCLOSURE", "HDUCLAS4": kind}
    return Table("PSF", (*AXES, *columns), classes)


OTHERS = {
    "psf": [
        parametric("PSF_3GAUSS", ("SIGMA_1", "SIGMA_2", "SIGMA_3"), ("SCALE", "AMPL_2", "AMPL_3")),
        parametric("PSF_KING", ("SIGMA",), ("GAMMA",)),
    ],
    "bkg": [response("BKG", AXES, "BKG", 1e-6 * CELL, "s-1 MeV-1 sr-1", "BKG", "FULL-ENCLOSURE", "BKG_2D")],
    "rad_max": [response("RAD_MAX", AXES, "RAD_MAX", 0.2 * CELL, "deg", "RAD_MAX", "POINT-LIKE", "RAD_MAX_2D")],
}
NUMBERS = ("SCALE", "AMPL_2", "AMPL_3", "GAMMA")
"""Columns that are read as they are, whatever their unit."""


def other_damages() -> Iterator[Damage]:
    for part, kinds in OTHERS.items():
        for table in kinds:
            kind = str(table.header["HDUCLAS4"])
            for name in (column.name for column in table.columns):
                yield f"{kind} without {name}", {part: without(table, name)}, name
                yield f"{kind} with NaN in {name}", {part: with_nan(table, name)}, "finite"
                if name not in NUMBERS:
                    yield f"{kind} with {name} in K", {part: changed(table, name, unit="K")}, name


def test_damage_of_other_classes_of_responses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps with parametric PSFs and radial backgrounds; spectra of a point within RAD_MAX."""
    monkeypatch.chdir(tmp_path)
    spectrum = CONFIG.split("observations:")[1].replace("map-", "run-").replace("data: store", "data: points/*.fits")
    spectrum = spectrum.replace("dataset: map", "dataset: spectrum").replace("{type: fov}", "{type: wobble, n_off: 1}")
    where = "region: {type: point, center: [83.6, 22.1]}"
    lines = [where if line.strip().startswith("geometry") else line.strip() for line in spectrum.splitlines()]
    body = "\n".join(line if line.startswith("- ") else f"  {line}" for line in lines if line)
    entries = CONFIG.replace("data: store", "data: maps/*.fits") + "\n".join(f"  {line}" for line in body.splitlines())
    Path("config.yaml").write_text(entries + "\n")
    cases = dict(enumerate(other_damages(), start=10))
    for number, parts in [(1, {}), *((n, parts) for n, (_, parts, _) in cases.items())]:
        is_point = number == 1 or "rad_max" in parts
        folder = Path("points" if is_point else "maps")
        folder.mkdir(exist_ok=True)
        usual: dict[str, Table | None] = {**tables(), "events": events(800, number)}
        if is_point:
            usual |= {"aeff": aeff(point_like=True), "psf": None, "bkg": None, "rad_max": OTHERS["rad_max"][0]}
        write_observation(folder / f"{number}.fits", number, **{**usual, **parts})
    good = [("psf", OTHERS["psf"][0]), ("psf", OTHERS["psf"][1]), ("bkg", OTHERS["bkg"][0])]
    for number, (part, table) in enumerate(good, start=2):
        write_observation(
            Path(f"maps/{number}.fits"), number, **{**tables(), "events": events(800, number), part: table}
        )
    outcome = run(Request("config.yaml", output="out"), Silent(), REDUCE)
    rows = {row["obs_id"]: row for row in outcome.products[0].document["observations"]}
    assert outcome.exit_code == 1
    assert [rows[n]["status"] for n in (1, 2, 3, 4)] == ["ok"] * 4, [rows[n]["reason"] for n in (1, 2, 3, 4)]
    faults = [
        f"{what}: {rows[number]['status']}: {rows[number]['reason']}"
        for number, (what, _, named) in cases.items()
        if rows[number]["status"] == "ok" or named not in rows[number]["reason"]
    ]
    assert faults == []
