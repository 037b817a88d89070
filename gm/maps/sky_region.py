"""Regions of the sky: unions of shapes, from YAML, DS9 and FITS, as masks of pixel grids."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.io.tables import CardValue, Column
from gm.maps.geometry import WcsGeometry
from gm.maps.regions import Region
from gm.maps.rotation import rotate
from gm.maps.shapes import KINDS, PixelShape, SkyShape
from gm.maps.sphere import lon_lat, separation, unit_vectors
from gm.units import UnitError, convert

DEFAULT_BIN = 0.1  # [deg] pixels of the grid on which Gammapy looks at a region
_SIZES = {
    "circle": ("radius",),
    "annulus": ("inner_radius", "outer_radius"),
    "ellipse": ("width", "height"),
    "rectangle": ("width", "height"),
}
_DS9 = {
    "CircleSkyRegion": "circle",
    "CircleAnnulusSkyRegion": "annulus",
    "EllipseSkyRegion": "ellipse",
    "RectangleSkyRegion": "rectangle",
    "PolygonSkyRegion": "polygon",
    "PointSkyRegion": "point",
}


@dataclass(frozen=True)
class SkyRegion:
    """A union of shapes, less those that are not included."""

    shapes: tuple[SkyShape, ...]

    def __post_init__(self) -> None:
        if not any(shape.include for shape in self.shapes):
            raise DataError("the region holds no shape")

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], directory: Path | None = None) -> SkyRegion:
        """From a YAML mapping such as ``{type: circle, center: [83.63, 22.01], frame: icrs, radius: 0.11 deg}``.

        A file of regions is looked up in ``directory``. Raises `DataError`.
        """
        kind = str(data.get("type"))
        if kind == "file":
            return read_ds9((directory or Path()) / str(data.get("filename")))
        try:
            points = data.get("vertices", []) if kind == "polygon" else [data["center"]]
            lon = tuple(convert(point[0], "deg") for point in points)
            lat = tuple(convert(point[1], "deg") for point in points)
            sizes = tuple(convert(data[name], "deg") for name in _SIZES.get(kind, ()))
            angle = convert(data.get("angle", 0.0), "deg")
        except KeyError as error:
            raise DataError(f"region of type {kind}: no {error.args[0]}") from error
        except (UnitError, TypeError, IndexError) as error:
            raise DataError(f"region of type {kind}: {error}") from error
        return cls((SkyShape(kind, str(data.get("frame", "icrs")), lon, lat, sizes, angle),))

    @classmethod
    def from_file_region(cls, region: Region) -> SkyRegion:
        """From the rows of a FITS region table. Raises `DataError`."""
        grid = WcsGeometry(_grid_shape(region.wcs_shape), region.wcs)
        columns = {column.name.upper(): np.asarray(column.values) for column in region.columns}
        if not {"X", "Y"} <= columns.keys():
            raise DataError("a region table needs the columns X and Y")
        rows = len(columns["X"])
        names = region.shapes or ("point",) * rows
        return cls(tuple(_from_row(name, columns, row, grid) for row, name in zip(range(rows), names, strict=True)))

    def to_file_region(self, grid: WcsGeometry | None = None) -> Region:
        """The rows of a FITS region table, in the pixels of ``grid`` (default: those of `grid`)."""
        grid = grid or self.grid()
        signs = ["" if shape.include else "!" for shape in self.shapes]
        return file_region([shape.to_pixels(grid) for shape in self.shapes], grid, signs)

    def contains(self, grid: WcsGeometry, *, on_sky: bool = False) -> BoolArray:
        """``(n_y, n_x)``: pixels with their centre inside.

        on_sky : whether sizes are distances on the sky where pixels are no squares; else, as in Gammapy, numbers of
        pixels there too
        """
        mask = np.zeros(grid.shape, dtype=np.bool_)
        for shape in self.shapes:
            if shape.include:
                mask |= shape.contains(grid, on_sky=on_sky)
        for shape in self.shapes:
            if not shape.include:
                mask &= ~shape.contains(grid, on_sky=on_sky)
        return mask

    def bent(self, grid: WcsGeometry) -> list[SkyShape]:
        """The shapes on a grid that its pixels distort, see `SkyShape.is_bent`."""
        return [shape for shape in self.shapes if shape.is_bent(grid) and shape.contains(grid).any()]

    def contains_pixels(self, grid: WcsGeometry, x: Array, y: Array) -> BoolArray:
        """Whether points at pixel coordinates of a grid are inside, broadcast; a point holds what is closer than a
        pixel."""
        inside: dict[bool, BoolArray] = {include: np.zeros(x.shape, dtype=np.bool_) for include in (True, False)}
        for shape in self.shapes:
            with suppress(DataError):  # on the other side of the sky
                inside[shape.include] |= shape.to_pixels(grid).contains(x, y)
        return inside[True] & ~inside[False]

    def weights(self, grid: WcsGeometry, k: int = 10) -> Array:
        """``(n_y, n_x)``: the fraction of each pixel that is inside, from ``k x k`` points."""
        fine = self.contains(grid.upsample(k))
        return np.asarray(fine.reshape(grid.shape[0], k, grid.shape[1], k).mean(axis=(1, 3)))

    @property
    def is_point(self) -> bool:
        return all(shape.kind == "point" for shape in self.shapes)

    def center(self) -> tuple[float, float]:
        """Position [deg] in the frame of the first shape: the mean direction of the shapes' centres."""
        frame = self.shapes[0].frame
        if len(self.shapes) == 1 and len(self.shapes[0].lon) == 1:
            return self.shapes[0].lon[0], self.shapes[0].lat[0]
        centers = []
        for shape in self.shapes:
            vectors = unit_vectors(*rotate(np.array(shape.lon), np.array(shape.lat), shape.frame, frame))
            centers.append(vectors.mean(axis=1) / np.linalg.norm(vectors.mean(axis=1)))
        lon, lat = lon_lat(np.sum(centers, axis=0))
        return float(lon), float(lat)

    @property
    def frame(self) -> str:
        """Frame of the first shape."""
        return self.shapes[0].frame

    def grid(self, binsz: float = DEFAULT_BIN, width_min: float = 0.0) -> WcsGeometry:
        """A gnomonic grid around the region, at least ``width_min`` [deg] wide, that holds all of it."""
        lon, lat = self.center()
        reach = 0.0
        for shape in self.shapes:
            there = rotate(np.array(shape.lon), np.array(shape.lat), shape.frame, self.frame)
            reach = max(reach, float(separation(lon, lat, *there).max()) + shape.reach)
        if reach > 60.0:
            raise DataError(f"the region reaches {reach:.0f} deg from its centre, too far for one flat image")
        n = max(1, 2 * int(np.ceil(max(reach, 0.5 * width_min) / binsz - 1e-9)))  # as Gammapy: even, 1 for a point
        return WcsGeometry.create(lon, lat, binsz, shape=(n, n), frame=self.frame, projection="TAN")


def file_region(shapes: Sequence[PixelShape], grid: WcsGeometry, signs: Sequence[str] | None = None) -> Region:
    """The rows of a FITS region table with shapes in the pixels of a grid; ``!`` is the sign of one that is cut out."""
    longest = max(len(shape.x) for shape in shapes)
    most = max(1, *(len(shape.sizes) for shape in shapes))
    names = [shape.kind.replace("rectangle", "rotbox") for shape in shapes]
    columns = (
        Column("SHAPE", np.char.add([""] * len(names) if signs is None else list(signs), names)),
        Column("X", _filled([shape.x for shape in shapes], longest), "pix"),
        Column("Y", _filled([shape.y for shape in shapes], longest), "pix"),
        Column("R", _filled([np.array(_radii(shape)) for shape in shapes], most), "pix"),
        Column("ROTANG", np.array([shape.angle if shape.sizes else 0.0 for shape in shapes]), "deg"),
    )
    cards: dict[str, CardValue] = {"WCSAXES": 2, **grid.cards}
    return Region(columns, cards, (grid.shape[1], grid.shape[0]))


def _grid_shape(wcs_shape: tuple[int, ...]) -> tuple[int, int]:
    return (wcs_shape[1], wcs_shape[0]) if len(wcs_shape) >= 2 and min(wcs_shape[:2]) > 0 else (1, 1)


def _radii(shape: PixelShape) -> tuple[float, ...]:
    return tuple(0.5 * size for size in shape.sizes) if shape.kind == "ellipse" else shape.sizes


def _filled(rows: Sequence[Array], length: int) -> Array:
    """Rows of equal length, the last value repeated; plain numbers when all have one."""
    table = np.array([np.append(row, np.full(length - len(row), row[-1] if len(row) else 0.0)) for row in rows])
    return table[:, 0] if length == 1 else table


def _from_row(name: str, columns: Mapping[str, Any], row: int, grid: WcsGeometry) -> SkyShape:
    """One row of a FITS region table; pixels count from 0, as Gammapy writes them."""
    kinds = {"box": "rectangle", "rotbox": "rectangle"}
    kind = kinds.get(name.lstrip("!"), name.lstrip("!"))
    if kind not in KINDS:
        raise DataError(f"a region of the shape '{name}' is not read\n    read: {', '.join(KINDS)}")
    x, y = (np.atleast_1d(columns[axis][row]).astype(np.float64) for axis in "XY")
    radii = np.atleast_1d(columns["R"][row]).astype(np.float64) if "R" in columns else np.zeros(0)
    if len(radii) < KINDS[kind]:
        raise DataError(f"a region of the shape '{name}' has {len(radii)} sizes, expected {KINDS[kind]}")
    sizes = tuple((radii[: KINDS[kind]] * (2.0 if kind == "ellipse" else 1.0)).tolist())
    angle = float(np.atleast_1d(columns["ROTANG"][row])[0]) if "ROTANG" in columns else 0.0
    last = len(x) if kind == "polygon" else 1
    sky = PixelShape(kind, x[:last], y[:last], sizes, angle).to_sky(grid)
    return SkyShape(sky.kind, sky.frame, sky.lon, sky.lat, sky.sizes, sky.angle, not name.startswith("!"))


MAX_BYTES = 16 << 20
_SHAPE = re.compile(r"\b(?:circle|ellipse|box|rotbox|polygon|annulus|point|line|panda)\b", re.IGNORECASE)


def read_ds9(path: str | Path) -> SkyRegion:
    """The shapes of a DS9 region file; those with a minus sign are cut out. Raises `DataError`."""
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: more than {MAX_BYTES >> 20} MiB, too large for a file of regions")
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a region file: {error}") from error
    from regions import Regions

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = Regions.parse(_one_shape_a_line(text), format="ds9")
        return SkyRegion(tuple(_from_ds9(region) for region in found))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # the parser raises whatever its parts raise
        raise DataError(f"{path}: not a DS9 region file that can be used: {error}") from error


def _one_shape_a_line(text: str) -> str:
    """A region file whose lines hold one shape each, of which the parser takes the first: ``||`` joins several.

    Raises `DataError` for several that are joined by anything else.
    """
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        shapes, mark, remark = line.partition("#")
        parts = [part for part in shapes.split("||") if part.strip()] or [shapes]
        for part in parts:
            if any(len(_SHAPE.findall(one)) > 1 for one in part.split(";")):
                raise DataError(f"line {number} holds several shapes\n    write each on a line of its own")
            lines.append(f"{part}{mark}{remark}")
    return "\n".join(lines)


def _from_ds9(region: Any) -> SkyShape:
    name = type(region).__name__
    kind = _DS9.get(name)
    if kind is None:
        raise DataError(f"a {name} is not supported\n    supported, in sky coordinates: {', '.join(KINDS)}")
    position = region.vertices if kind == "polygon" else region.center
    lon, lat = np.atleast_1d(position.spherical.lon.deg), np.atleast_1d(position.spherical.lat.deg)
    sizes = tuple(float(getattr(region, size).to_value("deg")) for size in _SIZES.get(kind, ()))
    angle = float(region.angle.to_value("deg")) if hasattr(region, "angle") else 0.0
    frame = position.frame.name
    include = bool(region.meta.get("include", True))
    return SkyShape(kind, frame, tuple(lon.tolist()), tuple(lat.tolist()), sizes, angle, include)
