"""Predictions that are nowhere negative though a flux is: known from one of them, without asking all bins again."""

from __future__ import annotations

from typing import final

import numpy as np

from gm.arrays import Array

_ROUNDING = 1e-9
_TRIES = 3


@final
class KnownPositive:
    """Amounts (n,) of columns, none of which is negative in any bin, that together predict nothing negative.

    A prediction is linear in its amounts. Where ``g`` predicts nothing negative and ``f >= c g`` in every column for
    some ``c >= 0``, then ``f`` is ``c g`` and something positive, and predicts nothing negative either.
    """

    def __init__(self) -> None:
        self._known: Array | None = None
        self._tries = _TRIES

    @property
    def may_learn(self) -> bool:
        """Whether it is worth while to ask what the positive and the negative amounts predict."""
        return self._tries > 0

    def covers(self, amounts: Array) -> bool:
        """Whether these amounts (n,) are known to predict nothing negative."""
        if (known := self._known) is None:
            return False
        if amounts[known == 0].min(initial=0.0) < 0:
            return False
        least = (amounts[known < 0] / known[known < 0]).max(initial=0.0)
        most = (amounts[known > 0] / known[known > 0]).min(initial=np.inf)
        return bool(least <= most)

    def learn(self, positive: Array, negative: Array, more: Array, less: Array) -> None:
        """From amounts (n,) of both signs and what they predict in all bins, (n_bins,): the negative ones are kept as
        large as the positive ones allow."""
        taken = less < 0
        stretch = float((more[taken] / -less[taken]).min(initial=np.inf)) * (1 - _ROUNDING)
        if 1 <= stretch < np.inf:
            self._known = positive + stretch * negative
        else:
            self._tries -= 1
