"""What is asked of a fit by name: whether it means something in the models, in the same words wherever it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gm.errors import suggest
from gm.models.composition import Composition
from gm.models.errors import AddressError, ModelError
from gm.patterns import matching

Problem = tuple[str, str]
"""A message and a hint."""


def minos_problems(models: Composition, pattern: str) -> Iterator[Problem]:
    """Why a pattern gives no parameters for asymmetric errors."""
    try:
        found = bool(models.match(pattern))
    except AddressError as error:  # an ambiguous address
        yield error.message, error.hint
        return
    if not found:
        yield f"no parameter matches '{pattern}'", suggest(pattern, models.addresses().short, "parameters")


def test_problems(models: Composition, pattern: str) -> Iterator[Problem]:
    """Why the components of a pattern cannot be tested."""
    if not matching(models.names, pattern):
        yield f"no component matches '{pattern}'", suggest(pattern, models.names, "components")
    for name in matching(models.names, pattern):
        try:
            models.without(name)
        except ModelError as error:
            yield error.message, error.hint


def contour_problems(models: Composition, address: str) -> Iterator[Problem]:
    """Why an address is none for a contour."""
    try:
        position = models.resolve(address)
    except AddressError as error:
        yield error.message, error.hint
        return
    if models.parameters[position].frozen:
        yield f"'{address}' is frozen", "a contour needs two free parameters"


def check_asked(
    models: Composition, minos: Iterable[str], contours: Iterable[Sequence[str]], test: Iterable[str]
) -> None:
    """Raises `ModelError` for the first of what is asked that means nothing."""
    problems = [problem for pattern in minos for problem in minos_problems(models, pattern)]
    for pair in contours:
        if len(pair) != 2:
            problems.append((f"expected exactly 2 items, found {len(pair)}", "two parameter addresses"))
        problems += [problem for address in pair for problem in contour_problems(models, address)]
    problems += [problem for pattern in test for problem in test_problems(models, pattern)]
    if problems:
        raise ModelError(*problems[0])
