"""The way back from datasets to images that they share: what each sends is gathered, and brought home together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gm.arrays import Array, IntArray

if TYPE_CHECKING:  # spectra do without the transforms
    from gm.likelihood.maps.folding.shared_kernels import Seat, Sent


class SentBack:
    """What datasets send back in one evaluation of derivatives; the order in which they do so does not matter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[tuple[int, int], tuple[Seat, Array, IntArray, float, list[Sent]]] = {}

    def add(self, seat: Seat, images: Array, columns: IntArray, precision: float, sent: Sent) -> None:
        """Of a dataset, with derivatives (m, *support) of an image by values at ``columns`` of the vector: (m,), or
        (m, 2) for second derivatives."""
        with self._lock:
            key = id(seat.shared), id(images)
            self._sent.setdefault(key, (seat, images, columns, precision, []))[-1].append(sent)

    def bring(self) -> Iterator[tuple[IntArray, Array]]:
        """Columns, and derivatives (m,) with respect to the values there."""
        for seat, images, columns, precision, sent in self._sent.values():
            yield columns, seat.shared.along(images, sent, precision)
