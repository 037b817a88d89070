"""Fit statistics: -2 ln L of each bin, its derivative and its curvature in the predicted counts."""

from gm.statistics.base import Statistic
from gm.statistics.cash import Cash
from gm.statistics.chi2 import Chi2, Distribution, Profile
from gm.statistics.wstat import WStat

__all__ = ["Cash", "Chi2", "Distribution", "Profile", "Statistic", "WStat"]
