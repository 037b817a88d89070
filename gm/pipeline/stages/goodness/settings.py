"""The ``goodness:`` section as frozen settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GoodnessSettings:
    """How many simulations, and their seed."""

    simulations: int = 1000
    seed: int = 1
