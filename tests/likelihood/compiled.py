"""The terms of a likelihood that is compiled in this process."""

from __future__ import annotations

from gm.likelihood import JointLikelihood, LocalTerms
from gm.likelihood.contract import LikelihoodTerm
from gm.likelihood.maps.term import MapTerm


def local_terms(likelihood: JointLikelihood) -> tuple[LikelihoodTerm, ...]:
    assert isinstance(likelihood.terms, LocalTerms)
    return likelihood.terms.terms


def map_terms(likelihood: JointLikelihood) -> list[MapTerm]:
    """Of datasets that are all maps."""
    found = [term for term in local_terms(likelihood) if isinstance(term, MapTerm)]
    assert len(found) == len(local_terms(likelihood))
    return found
