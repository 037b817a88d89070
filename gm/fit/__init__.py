"""The fit: minimiser, covariance, asymmetric errors, contours, tests of components."""

from gm.fit.fit import Fit
from gm.fit.objective import NothingToFit
from gm.fit.parts import Contour, FittedComponent, FittedParameter, MinimizerReport
from gm.fit.result import FitResult

__all__ = ["Contour", "Fit", "FitResult", "FittedComponent", "FittedParameter", "MinimizerReport", "NothingToFit"]
