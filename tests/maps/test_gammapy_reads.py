"""What gm writes opens in Gammapy with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.io.fits_writer import write_fits
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.regions import Region, RegionGeometry
from gm.maps.sky_region import SkyRegion
from gm.maps.writing import map_hdus, write_map

READ = """
import json, sys
from gammapy.maps import Map, RegionNDMap
out = {}
for name in sys.argv[2:]:
    m = (RegionNDMap if name.startswith("R_") else Map).read(sys.argv[1], hdu=name)
    g = m.geom
    center = g.center_skydir
    out[name] = dict(
        data=m.data.astype(float).ravel().tolist(), shape=list(m.data.shape), kind=m.data.dtype.kind, unit=str(m.unit),
        axes=[[a.name, a.node_type, a.interp, str(a.unit), a.edges.value.tolist()] for a in reversed(g.axes)],
        frame=g.frame, center=[center.data.lon.deg, center.data.lat.deg],
        region=str(type(g.region).__name__) if g.is_region else "",
    )
print(json.dumps(out))
"""

WRITE = """
import sys
import numpy as np, astropy.units as u
from gammapy.maps import Map, MapAxis, WcsGeom, RegionGeom
energy = MapAxis.from_energy_bounds("0.1 TeV", "10 TeV", nbin=3)
nodes = MapAxis.from_nodes([30, 100, 3000] * u.GeV, name="energy_true", interp="log")
random = np.random.default_rng(1)
for number, (proj, frame) in enumerate([("CAR", "icrs"), ("TAN", "galactic"), ("AIT", "galactic")]):
    m = Map.create(skydir=(10, 20), npix=(5, 4), binsz=0.5, proj=proj, frame=frame, axes=[energy, nodes], unit="m2 s")
    m.data = random.normal(size=m.data.shape).astype("float32") * (random.uniform(size=m.data.shape) > 0.5)
    m.write(f"{sys.argv[1]}/{number}.fits", overwrite=True)
    m.write(f"{sys.argv[1]}/{number}-sparse.fits", overwrite=True, sparse=True)
    np.save(f"{sys.argv[1]}/{number}.npy", m.data)
r = Map.from_geom(RegionGeom.create("icrs;circle(10,20,0.3)", axes=[energy]))
r.data = random.normal(size=r.data.shape)
r.write(f"{sys.argv[1]}/region.fits", overwrite=True)
np.save(f"{sys.argv[1]}/region.npy", r.data)
print('"written"')
"""


def test_gammapy_reads_what_gm_writes(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    random = np.random.default_rng(2)
    energy = EnergyAxis(np.geomspace(0.1, 10.0, 4))
    true = EnergyAxis(np.geomspace(0.05, 20.0, 3), "energy_true")
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 0.66, 7), "deg")
    nodes = NodeAxis.from_nodes("energy_true", [0.1, 1.0, 3.0], "TeV", "log")
    car = WcsGeometry.create(83.63, 22.01, 0.1, shape=(4, 5))
    tan = WcsGeometry.create(1.0, -0.5, (0.2, 0.1), shape=(6, 3), frame="galactic", projection="TAN")
    shapes = {
        "R_CIRCLE": {"type": "circle", "center": [83.63, 22.01], "radius": "0.11 deg"},
        "R_ELLIPSE": {"type": "ellipse", "center": [83.63, 22.01], "width": 1.0, "height": 0.5, "angle": 30},
        "R_RECTANGLE": {"type": "rectangle", "center": [83.63, 22.01], "width": 1.0, "height": 0.5, "angle": 30},
        "R_POLYGON": {"type": "polygon", "vertices": [[83.0, 22.0], [84.0, 22.0], [83.5, 23.0]]},
        "R_POINT": {"type": "point", "center": [83.63, 22.01]},
    }
    maps: dict[str, Map] = {
        "COUNTS": Map(car, (energy,), random.poisson(1.0, (3, 4, 5)).astype("f4")),
        "EXPOSURE": Map(tan, (true,), random.uniform(size=(2, 6, 3)), "m2 s", {"livetime": "10.0 s"}),
        "PSF": Map(car, (true, rad), random.uniform(size=(2, 6, 4, 5)).astype("f4"), "sr-1"),
        "TEMPLATE": Map(tan, (nodes,), random.uniform(size=(3, 6, 3)), "cm-2 s-1 MeV-1 sr-1"),
        "MASK_SAFE": Map(car, (energy,), random.uniform(size=(3, 4, 5)) > 0.5),
        "IMAGE": Map(car, (), random.integers(0, 9, (4, 5)).astype("i4")),
    }
    for name, shape in shapes.items():
        region = RegionGeometry(SkyRegion.from_mapping(shape).to_file_region())
        maps[name] = Map(region, (energy,), random.uniform(size=(3, 1, 1)))
    maps["R_NONE"] = Map(RegionGeometry(None), (true, energy), random.uniform(size=(2, 3, 1, 1)), "cm2 s")
    write_fits(tmp_path / "maps.fits", [hdu for name, m in maps.items() for hdu in map_hdus(m, name)])
    write_map(tmp_path / "sparse.fits", maps["PSF"], "PSF", sparse=True)
    read = gammapy(READ, tmp_path / "maps.fits", *maps)
    sparse = gammapy(READ, tmp_path / "sparse.fits", "PSF")
    assert np.array_equal(np.array(sparse["PSF"]["data"]), maps["PSF"].data.ravel())
    for name, sky_map in maps.items():
        theirs = read[name]
        assert theirs["shape"] == list(sky_map.data.shape)
        assert (theirs["kind"] == "b") == (sky_map.data.dtype.kind == "b")
        assert np.array_equal(np.array(theirs["data"]), sky_map.data.astype(float).ravel())
        for axis, (axis_name, node_type, interp, unit, edges) in zip(sky_map.axes, theirs["axes"], strict=True):
            is_edges = getattr(axis, "has_edges", True)
            assert (axis_name, node_type, interp, unit) == (
                axis.name, "edges" if is_edges else "center", axis.interp, axis.unit)  # fmt: skip
            assert edges == pytest.approx(axis.edges, rel=1e-12)
        if isinstance(sky_map.geometry, WcsGeometry):
            assert theirs["frame"] == sky_map.geometry.frame
            assert theirs["center"] == pytest.approx(sky_map.geometry.center(), abs=1e-9)
        elif name in shapes:
            assert theirs["region"].lower().startswith(str(shapes[name]["type"]))
            if name != "R_POLYGON":
                assert theirs["center"] == pytest.approx([83.63, 22.01], abs=1e-9), name


def test_gm_reads_what_gammapy_writes(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    assert gammapy(WRITE, tmp_path) == "written"
    for number in range(3):
        expected = np.load(tmp_path / f"{number}.npy")
        whole, sparse = (read_map(tmp_path / f"{number}{kind}.fits") for kind in ("", "-sparse"))
        assert whole.axis_names == ("energy_true", "energy")
        assert whole.axes[0].center == pytest.approx([0.03, 0.1, 3.0])
        assert np.array_equal(whole.data, expected)
        assert np.array_equal(sparse.data, expected)
        assert whole.grid().same_as(sparse.grid())
        lon, lat = whole.grid().center()
        assert whole.grid().projection.code != "AIT" or (lon, lat) == pytest.approx((10.0, 20.0), abs=1e-9)
    region = read_map(tmp_path / "region.fits", "SKYMAP")
    assert np.array_equal(region.data, np.load(tmp_path / "region.npy"))
    assert isinstance(region.geometry, RegionGeometry)
    held = region.geometry.region
    assert isinstance(held, Region)
    (shape,) = SkyRegion.from_file_region(held).shapes
    assert (shape.kind, shape.frame) == ("circle", "icrs")
    assert (*shape.lon, *shape.lat, *shape.sizes) == pytest.approx((10.0, 20.0, 0.3), abs=1e-8)
