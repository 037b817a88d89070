"""What every dataset answers, whatever it holds: nobody has to ask for its class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.conventions import Conventions
from gm.datasets.measurement import Measurement
from gm.datasets.origin import followed
from gm.errors import UsageError, suggest
from gm.figures.registry import draw_parts
from gm.html import html_table
from gm.io.files import refuse_existing
from gm.io.tables import Table
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Position = tuple[float, float]


WRITERS: dict[str, Callable[[Any, Path], None]] = {}
"""What writes datasets, by their type: `gm.datasets.files`, which knows them all, enters it."""

READERS: dict[str, Callable[[Path, str], Any]] = {}
"""What reads a dataset from a file under a name, in the same way."""

SUMMARY_UNITS = {"e_min": "TeV", "e_max": "TeV", "livetime": "s", "pixel_size": "deg", "center": "deg"}
"""Units of the numbers in a `Dataset.summary`."""


@final
@dataclass(frozen=True, eq=False)
class Seen:
    """How a spectrum is seen in the energy bins of a dataset.

    quantity : its ``integral`` between energies (n_columns + 1,) [TeV], or its value at the ``point`` of each,
    (n_columns,); exposure : (n_columns,) [cm2 s], None for 1; edisp : (n_columns, n_energy), None where each column is
    one bin.
    """

    quantity: Literal["integral", "point"]
    energy: Array
    exposure: Array | None = None
    edisp: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Dataset(ABC):
    """Data with what is needed to compare them with a model; a value that never changes.

    Bins, or points, are those of the masks and of what is predicted, in the shape of ``shape``: ``mask_safe`` says
    which the data are good in, ``mask_fit`` which are wanted; None for all.
    """

    name: str
    mask_safe: BoolArray | None = None
    mask_fit: BoolArray | None = None

    type: ClassVar[str]
    """As in a datasets.yaml."""
    is_binned: ClassVar[bool] = True
    """Whether its values belong to bins of energy, not to points."""
    responses: ClassVar[tuple[str, ...]]
    """The responses that predictions go through, of ``exposure``, ``psf`` and ``edisp``."""
    refused_nuisances: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Nuisance parameters of instruments that mean nothing here: by name the reason, and what to do instead."""

    @property
    @abstractmethod
    def stat_type(self) -> str:
        """Name of the statistic: ``cash``, ``wstat``, or what flux points are compared by."""

    # Bins

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the masks and of what is predicted; energy comes first."""

    @property
    def kept(self) -> BoolArray:
        """Bins that are safe and wanted."""
        safe, wanted = self.mask_safe, self.mask_fit
        if safe is None:
            return np.ones(self.shape, dtype=np.bool_) if wanted is None else wanted
        return safe if wanted is None else safe & wanted

    @abstractmethod
    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        """What the statistic has no use for, whatever the masks say: the reason, and which bins."""

    @property
    def mask(self) -> BoolArray:
        """Bins that enter the statistic: those that are `kept`, without the `unusable` ones."""
        mask = self.kept
        for _, bins in self.unusable():
            mask = mask > bins  # and not
        return mask

    def n_bins(self) -> int:
        """How many bins enter."""
        return int(self.mask.sum())

    # What was measured

    @abstractmethod
    def measurement(self) -> Measurement:
        """What the statistic of its bins is made of."""

    @property
    def is_correlated(self) -> bool:
        """Whether its values are compared with what is predicted together, with the covariance between them."""
        return False

    def counts_in(self, bins: BoolArray) -> float | None:
        """Counts in some bins, None where nothing is counted."""
        return None

    def n_counts(self) -> float | None:
        """Counts in the bins that enter, None where nothing is counted."""
        return self.counts_in(self.mask)

    @property
    def known_background(self) -> MapArray | None:
        """Background counts that are given and that a component can correct; None where there are none."""
        return None

    def expected_background(self) -> MapArray | None:
        """Background counts to expect in each bin, those that off counts measure too; None where there are none."""
        return self.known_background

    @property
    def good_time(self) -> Table | None:
        """The good time intervals (GTI), where they are known."""
        return None

    @property
    def live_time(self) -> float | None:
        """How long it was observed without dead time [s], where that is known."""
        return None

    def where_measured(self) -> Self:
        """Safe only where the background is known: off counts say nothing without an acceptance on both sides.

        The W statistic leaves such bins out, and so does whatever joins bins: without a background their counts would
        all be taken for signal.
        """
        return self

    # Where its bins are

    @abstractmethod
    def energies(self) -> Array:
        """``(n_energy,)`` [TeV]: centres of bins, or points."""

    @abstractmethod
    def energy_edges(self) -> tuple[Array, Array]:
        """Lower and upper end [TeV] of each bin, or point, (n_energy,) each; of a point without edges its energy."""

    @abstractmethod
    def energy_range(self) -> tuple[float, float]:
        """Lowest and highest energy [TeV]."""

    @abstractmethod
    def energies_of(self, first: int, last: int) -> tuple[float, float]:
        """Where energy bin ``first`` begins and ``last - 1`` ends, or from point to point [TeV]."""

    @abstractmethod
    def nearest_bins(self, energies: Array) -> IntArray:
        """The energy bins that begin nearest to energies (n,) [TeV], or the first points from there on, by number,
        (n,)."""

    @abstractmethod
    def energy_mask(self, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
        """``(n_energy,)``: bins or points that lie between two energies [TeV] as a whole."""

    def sky_mask(
        self,
        include: SkyRegion | None = None,
        exclude: SkyRegion | None = None,
        exclusion: Map | None = None,
        *,
        on_sky: bool = False,
    ) -> BoolArray | None:
        """``(n_y, n_x)``: pixels inside, outside, and not excluded; None where there are none. Raises `DataError`.

        on_sky : see `SkyRegion.contains`
        """
        return None

    def by_energy(self) -> Self:
        """With its bins in the order of their energies."""
        return self

    # Responses

    def missing_responses(self) -> tuple[str, ...]:
        """Those that predictions could use and the dataset has not: directions and energies count as exact without."""
        return tuple(name for name in self.responses if getattr(self, name) is None)

    def same_responses(self, here: Position, there: Position, frame: str, conventions: Conventions) -> bool:
        """Whether a source is seen with the same PSF and energy dispersion at two positions (lon, lat) [deg], and in
        the same window of the sky."""
        return True

    def lost_energies(self) -> tuple[float, float] | None:
        """Between which true energies [TeV] it has an exposure but no energy dispersion, and so predicts nothing.

        Of those that it counts events of: beyond, nothing may be reconstructed within its bins. None: no such energies.
        """
        return None

    def remarks(self) -> Sequence[str]:
        """What a reader should know of how it is compared, beside what is left out and what responses are missing."""
        return ()

    def sees_nothing(self) -> bool:
        """Whether bins enter, and no source is seen in any of them."""
        return False

    # Copies

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced. Raises `UsageError` for a field that it has not."""
        names = [field.name for field in fields(self) if field.init]
        for name in changes.keys() - set(names):
            raise UsageError(f"'{name}' is no field of {type(self).__name__}; {suggest(name, names, 'fields')}")
        return followed(replace(self, **changes), self, changes)

    def shared(self, keep: Callable[[Hashable, Any], Any]) -> Self:
        """With axes and responses that others have too: ``keep(key, part)`` gives the first of those that are equal."""
        return self

    def bare(self, *, keep_background: bool) -> Self:
        """A copy to predict with: all bins enter, and there is no background that is not asked for."""
        return self.with_(**self._bare_parts(keep_background))

    def _bare_parts(self, keep_background: bool) -> dict[str, Any]:
        return {"mask_safe": None, "mask_fit": None}

    @abstractmethod
    def without_data(self) -> Dataset:
        """What it is simulated from: responses and the expected background, without masks."""

    def acceptances(self) -> tuple[MapArray | None, MapArray | None]:
        """Those of on and off counts, where there are such."""
        return None, None

    # In files, words and numbers

    @classmethod
    def read(cls, path: str | Path, name: str = "") -> Self:
        """The dataset in a file, whose format is recognised; ``name`` empty: as in the file. Raises `DataError`."""
        dataset = READERS[cls.type](Path(path), name)
        assert isinstance(dataset, cls)
        return dataset

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the file that Gammapy reads. Raises `DataError`, where one is there too unless ``overwrite``."""
        refuse_existing([Path(path)], overwrite)
        WRITERS[self.type](self, Path(path))

    def __repr__(self) -> str:
        """In one line; what is still in its file stays there."""
        low, high = self.energy_range()
        shape = " x ".join(map(str, self.shape))
        return f"{type(self).__name__}({self.name!r}, {low:.4g} to {high:.4g} TeV, {shape} bins)"

    def _repr_html_(self) -> str:
        return html_table([self.summary()], SUMMARY_UNITS)

    def pictures(self) -> dict[str, list[Any]]:
        """What figures are drawn of it, the first by default: parts of each, of the bins that enter."""
        return {}

    def plot(self, figure: str | None = None, **look: Any) -> Axes:
        """Draw the data with pyplot, without a model: ``counts`` by energy above the background, ``residual-map`` of
        their significance on the sky, ``sed`` of flux points; the first axes.

        ``look`` : as for `gm.plot`. Raises `UsageError`.
        """
        return draw_parts(f"dataset {self.name}", self.pictures(), figure, look)

    def entry(self, filename: str) -> dict[str, Any]:
        """Its entry in a datasets.yaml."""
        return {"name": self.name, "type": self.type, "filename": Path(filename).as_posix()}

    def summary(self) -> dict[str, Any]:
        """In a few numbers; energies in TeV, livetime in s, angles in deg."""
        return {"name": self.name, "type": self.type, "bins": self.n_bins()}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OneDimensional(Dataset, ABC):
    """Data along the energy alone, ``(n_energy,)``: what a model predicts is linear in values of its spectrum."""

    @abstractmethod
    def seen(self, through: Collection[str]) -> Seen:
        """How a spectrum is seen through some of the `responses`."""
