"""How flux points of several bands are measured."""

from __future__ import annotations

from gm.estimators.choice import Choice


class PointsMethod(Choice, what="method for flux points"):
    """What is fitted at once.

    - ``bands``: each band of reconstructed energy by itself;
    - ``joint``: all bands of reconstructed energy, with one value of every other parameter for all of them;
    - ``unfold``: bands of true energy: the spectrum is the reference times a norm that is constant in each, and all
      data that enter the fit see all of them through the energy dispersion.
    """

    BANDS = "bands"
    JOINT = "joint"
    UNFOLD = "unfold"
