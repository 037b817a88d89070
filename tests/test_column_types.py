"""Columns of a type that nobody expects: every reader takes them, or says which column of which file it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets import write_dataset
from gm.datasets.files.formats import read_dataset
from gm.errors import GmError
from gm.makers.maps import MapDatasetMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sky_region import SkyRegion
from gm.models import EBLAbsorptionNormSpectralModel, TemplateSpatialModel
from gm.observations import DataStore, EventSelection, ObservationSelection
from tests.dl3_files import write_observation, write_store
from tests.samples import on_off

Read = Callable[[Path], object]
ENERGY, TRUE = np.geomspace(0.3, 50.0, 5), np.geomspace(0.2, 80.0, 7)


def ogip(folder: Path) -> list[str]:
    write_dataset(on_off("ogip", livetime=3600.0), folder / "run.fits", "ogip")
    return ["run.fits", "run_arf.fits", "run_rmf.fits", "run_bkg.fits"]


def observation(folder: Path) -> list[str]:
    write_observation(folder / "run.fits")
    return ["run.fits"]


def store(folder: Path) -> list[str]:
    write_observation(folder / "run.fits")
    write_store(folder, {1: folder / "run.fits"}, ".fits", RA_PNT=(np.array([83.6]), "deg"),
                DEC_PNT=(np.array([22.5]), "deg"), TSTART=(np.zeros(1), "s"), TSTOP=(np.full(1, 1e3), "s"))  # fmt: skip
    return ["hdu-index.fits", "obs-index.fits"]


def absorption(folder: Path) -> list[str]:
    tables = {
        "PARAMETERS": [fits.Column("VALUE", "2E", array=[[0.1, 0.5]])],
        "ENERGIES": [fits.Column(f"ENERG_{end}", "E", array=np.geomspace(1e8, 1e10, 4) * by, unit="keV")
                     for end, by in (("LO", 1.0), ("HI", 4.6))],
        "SPECTRA": [fits.Column("PARAMVAL", "E", array=[0.1, 0.5]),
                    fits.Column("INTPSPEC", "4E", array=np.ones((2, 4)))],
    }  # fmt: skip
    hdus = [fits.BinTableHDU.from_columns(columns, name=name) for name, columns in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / "ebl.fits")
    return ["ebl.fits"]


def healpix(folder: Path) -> list[str]:
    sky = fits.BinTableHDU.from_columns([fits.Column(f"ENERGY{k}", "D", array=np.ones(12)) for k in (1, 2)])
    sky.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 1, "COORDSYS": "C"})
    energies = fits.BinTableHDU.from_columns([fits.Column("ENERGY", "D", array=[1e6, 1e7])], name="ENERGIES")
    fits.HDUList([fits.PrimaryHDU(), sky, energies]).writeto(folder / "sky.fits")
    return ["sky.fits"]


def reduce(folder: Path) -> None:
    run = DataStore.open(folder / "run.fits").observation(1, selection=EventSelection(offset=(0.0, 2.0)))
    energies = EnergyAxis(ENERGY), EnergyAxis(TRUE, "energy_true")
    circle = {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": "0.2 deg"}
    SpectrumDatasetMaker(containment_correction=True).run(
        empty_spectrum("x", *energies, SkyRegion.from_mapping(circle)), run
    )
    grid = WcsGeometry.create(83.63, 22.01, 0.5, shape=(4, 4), projection="TAN")
    MapDatasetMaker().run(empty_map("x", grid, *energies, pixel_irf=0.5), run)


def select(folder: Path) -> None:
    found = DataStore.open(folder)
    chosen = ObservationSelection(within=(83.6, 22.0, 2.0, "icrs"), time=(50000.0, 60000.0, "tt"))
    for number in chosen.select(found):
        assert found.observation(number).events.n


def absorb(folder: Path) -> object:
    model = EBLAbsorptionNormSpectralModel(filename=str(folder / "ebl.fits"))
    return model.evaluate(np.array([0.5]), model.values())


FILES: dict[Callable[[Path], list[str]], Read] = {
    ogip: lambda folder: read_dataset("SpectrumDatasetOnOff", folder / "run.fits", "x"),
    observation: reduce,
    store: select,
    absorption: absorb,
    healpix: lambda folder: TemplateSpatialModel(filename=str(folder / "sky.fits")).remarks(),
}


def types(name: str, n: int) -> Iterator[tuple[str, fits.Column | None]]:
    yield "text", fits.Column(name, "8A", array=np.array(["abc"] * n))
    yield "complex", fits.Column(name, "C", array=np.ones(n, dtype=complex))
    yield "pairs", fits.Column(name, "2D", array=np.ones((n, 2)))
    yield "flags", fits.Column(name, "8X", array=np.ones((n, 8), dtype=bool))
    yield "truth", fits.Column(name, "L", array=np.ones(n, dtype=bool))
    yield "not there", None


def changed(content: fits.HDUList) -> Iterator[tuple[str, fits.HDUList]]:
    """The file with each of its columns in each of the types."""
    for place, hdu in enumerate(content):
        for name in hdu.columns.names if isinstance(hdu, fits.BinTableHDU) else ():
            for kind, column in (*types(name, len(hdu.data)), ("whole", _whole(hdu, name))):
                columns = [column if one.name == name else one for one in hdu.columns]
                new = fits.BinTableHDU.from_columns([one for one in columns if one is not None], name=hdu.name)
                layout = ("TTYPE", "TFORM", "TUNIT", "TDIM", "TNULL", "TSCAL", "TZERO", "NAXIS", "PCOUNT", "TFIELDS")
                new.header.update({k: v for k, v in hdu.header.items() if not k.startswith(layout)})
                yield f"{hdu.name} {name}: {kind}", fits.HDUList([*content[:place], new, *content[place + 1 :]])


def _whole(hdu: fits.BinTableHDU, name: str) -> fits.Column | None:
    values = hdu.data[name]
    if values.dtype.kind != "f":
        return None
    size = int(np.prod(values.shape[1:]))
    return fits.Column(
        name, f"{size}K", unit=hdu.columns[name].unit, array=values.astype(int), dim=hdu.columns[name].dim
    )


@pytest.mark.parametrize("write", FILES, ids=lambda write: write.__name__)
def test_columns_of_another_type(tmp_path: Path, write: Callable[[Path], list[str]]) -> None:
    """Text for counts, pairs for times, whole numbers for rates: all of these ended as bugs somewhere."""
    faults, read = [], FILES[write]
    for name in write(tmp_path):
        original = (tmp_path / name).read_bytes()
        with fits.open(tmp_path / name, lazy_load_hdus=False, memmap=False) as content:
            for what, mutant in changed(content):
                (tmp_path / name).unlink()
                mutant.writeto(tmp_path / name)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of numbers that mean nothing
                        read(tmp_path)
                except GmError:
                    pass
                except Exception as error:
                    faults.append(f"{name}: {what}: {error!r}")
        (tmp_path / name).write_bytes(original)
    read(tmp_path)
    assert not faults, "\n".join(faults)
