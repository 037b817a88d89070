"""What the fit of all energies knows of the other parameters, as priors for the fits of single bands."""

from __future__ import annotations

from collections.abc import Sequence

from gm.errors import DataError, UsageError
from gm.models import GaussianPrior, Layout, Models


def own_addresses(models: Models, layout: Layout, source: str) -> list[str]:
    """The parameters that a source's spectrum is made of: its own, and those that these follow."""
    slots, roots = layout.slots(source), models.roots()
    leaders = {roots[k].root if k in roots else k for k in range(slots.start, slots.stop)}
    return [layout.addresses[k] for k in sorted(leaders)]


def with_nuisance_priors(models: Models, sources: Sequence[str], factor: float) -> tuple[Models, tuple[str, ...]]:
    """The models with a Gaussian prior on each free parameter that is not of the ``sources``.

    -2 ln L of a band becomes ``-2 ln L(band) + sum over k of ((theta_k - t_k) / (factor s_k))^2``, but for a constant,
    with ``t_k`` the values and ``s_k`` the errors of the fit of all energies. That fit holds the parameters' own priors
    already, so these take no part; it holds the band too, and correlations between parameters are left out: both make
    errors too small, by less the larger the ``factor`` is.

    Also what a reader should know: parameters without an error, which have no prior in bands but their own. Raises
    `DataError` where no error is known, and `UsageError` for a factor that is not above 0.
    """
    if not factor > 0:
        raise UsageError(f"nuisance_prior is {factor}, expected a factor above 0")
    layout = Layout(models)
    own = {address for source in sources for address in own_addresses(models, layout, source)}
    others = [address for address in layout.free_addresses if address not in own]
    values = dict(zip(layout.free_addresses, zip(layout.start, layout.error, strict=True), strict=True))
    known = {name: values[name] for name in others if values[name][1] > 0}
    if others and not known:
        raise DataError(
            "nuisance_prior needs errors of the other parameters, and the models have none\n    fit them before"
        )
    priors = {
        name: {"prior": GaussianPrior(mu=float(value), sigma=factor * float(error))}
        for name, (value, error) in known.items()
    }
    unknown = [name for name in others if name not in known]
    told = (f"without an error, and so without a nuisance prior: {', '.join(unknown)}",) if unknown else ()
    return models.with_parameters(priors) if priors else models, told
