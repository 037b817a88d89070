"""How large a source is, as values, a document and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final

import numpy as np

from gm.arrays import Array
from gm.estimators.told import Told, numbers
from gm.io.tables import Column, Table
from gm.models import Models
from gm.values import finite


@final
@dataclass(frozen=True, eq=False)
class Size:
    """The size of a source in a band of energy [TeV].

    status : ``ok``, ``upper_limit`` where ``ts`` is below 4, or ``failed``; ts : -2 ln L of a point less that of the
    best size; size, errn, errp, ul : [deg], None where a number does not exist, and ``missing`` why; ul_method : what
    the limit is, a `SizeLimit`; ``missing`` has why it is not ``marginal``; sizes, stats : (n,) the profile: sizes
    [deg] and -2 ln L, everything else fitted again; models : the best fit
    """

    e_min: float
    e_max: float
    status: Literal["ok", "upper_limit", "failed"]
    reason: str | None
    stat_point: float | None = None
    stat: float | None = None
    size: float | None = None
    errn: float | None = None
    errp: float | None = None
    ul: float | None = None
    ul_method: Literal["marginal", "profile"] | None = None
    sizes: Array | None = None
    stats: Array | None = None
    missing: dict[str, str] | None = None
    models: Models | None = None

    @property
    def ts(self) -> float | None:
        """-2 ln L of a point, less that of the best size."""
        return None if self.stat is None or self.stat_point is None else self.stat_point - self.stat


@final
@dataclass(frozen=True, eq=False, repr=False)
class Extension(Told):
    """The size of a source over all energies, ``whole``, and in ``bands``; as a pair it is the two.

    shape : ``gauss`` or ``disk``; parameter : of that shape, which is the size
    """

    source: str
    shape: str
    parameter: str
    whole: Size
    bands: tuple[Size, ...]
    datasets: tuple[str, ...]

    told_as: ClassVar[str] = "extension"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.whole, list(self.bands)))

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        has_failed = any(size.status == "failed" for size in self.bands)
        return {
            "schema": "gm/extension/1",
            "name": name or f"{self.source}-ext",
            "source": self.source,
            "status": "failed" if self.whole.status == "failed" else "incomplete" if has_failed else "ok",
            "message": self._message(),
            "shape": self.shape,
            "parameter": self.parameter,
            "conventions": "exact",
            "confidence": {"sigma": 1, "ul": 0.95},
            "datasets": list(self.datasets),
            "unit": "deg",
            "all": _row(self.whole),
            "bands": [_row(size) for size in self.bands],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """No document has the models of its fits."""
        about = data["source"], data["shape"], data["parameter"]
        return cls(*about, _size_from(data["all"]), tuple(map(_size_from, data["bands"])), tuple(data["datasets"]))

    def table(self) -> Table | None:
        """The profiles, a row for each size of each band, the whole range first; None where nothing was measured."""
        rows = [
            (size.e_min, size.e_max, one, np.nan if size.stat is None else value - size.stat)
            for size in (self.whole, *self.bands)
            if size.sizes is not None and size.stats is not None
            for one, value in zip(size.sizes.tolist(), size.stats.tolist(), strict=True)
        ]
        if not rows:
            return None
        units = {"e_min": "TeV", "e_max": "TeV", "size": "deg", "rise": ""}
        columns = zip(units.items(), zip(*rows, strict=True), strict=True)
        return Table(
            "PROFILE", tuple(Column(name, np.array(values, dtype=float), unit) for (name, unit), values in columns), {}
        )

    def told(self) -> str:
        return f"{self.source!r} as a {self.shape}, {self._message()}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """All energies, and each band."""
        for size in (self.whole, *self.bands):
            numbers = {"size": size.size, "size_errn": size.errn, "size_errp": size.errp, "size_ul": size.ul}
            where = {"e_min": size.e_min, "e_max": size.e_max}
            yield {**where, **numbers, "ts": size.ts, "status": size.status, "reason": size.reason}

    def _message(self) -> str:
        whole, n_failed = self.whole, sum(size.status == "failed" for size in self.bands)
        if whole.size is None:
            return str(whole.reason)
        limit = "" if whole.ul is None else f", 95 % limit {whole.ul:.3g} deg ({whole.ul_method})"
        size = f"size {whole.size:.3g} deg, TS {whole.ts:.3g}{limit}"
        return size if not self.bands else f"{size}; {len(self.bands)} bands, {n_failed} failed"


def _row(size: Size) -> dict[str, Any]:
    profile = None
    if size.sizes is not None and size.stats is not None and size.stat is not None:
        profile = {"size": size.sizes.tolist(), "rise": [finite(value - size.stat) for value in size.stats.tolist()]}
    return {
        "e_min": size.e_min,
        "e_max": size.e_max,
        "energy_unit": "TeV",
        "status": size.status,
        "reason": size.reason,
        "ts_ext": finite(size.ts),
        "size": finite(size.size),
        "size_errn": finite(size.errn),
        "size_errp": finite(size.errp),
        "size_ul": finite(size.ul),
        "ul_method": size.ul_method,
        "missing": dict(size.missing or {}),
        "stat": finite(size.stat),
        "stat_point": finite(size.stat_point),
        "profile": profile,
    }


def _size_from(row: Mapping[str, Any]) -> Size:
    profile = row["profile"]
    return Size(
        e_min=row["e_min"],
        e_max=row["e_max"],
        status=row["status"],
        reason=row["reason"],
        stat_point=row["stat_point"],
        stat=row["stat"],
        size=row["size"],
        errn=row["size_errn"],
        errp=row["size_errp"],
        ul=row["size_ul"],
        ul_method=row["ul_method"],
        sizes=None if profile is None else numbers(profile["size"]),
        stats=None if profile is None else numbers(profile["rise"]) + row["stat"],
        missing=dict(row["missing"]) or None,
    )
