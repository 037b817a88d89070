"""How a likelihood is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from gm.conventions import Conventions


@final
@dataclass(frozen=True)
class Treatment:
    """How counts are predicted, and what may change afterwards.

    for_fit : whether free shapes are sampled so that the statistic is smooth in their parameters
    frozen_shapes : whether shapes stay as they are in the models, whatever the vector says
    counts_alone : whether nothing but predicted counts is asked for, so that no source needs responses
    """

    conventions: Conventions = Conventions.GAMMAPY
    for_fit: bool = False
    frozen_shapes: bool = False
    counts_alone: bool = False
