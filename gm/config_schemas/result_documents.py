"""Results read again: a document that has to be of one kind, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput

READERS = {
    "extension": "Extension",
    "find": "FoundSources",
    "fit": "FitResult",
    "flux-points": "FluxPoints",
    "goodness": "Goodness",
    "impacts": "Impacts",
    "light-curve": "LightCurve",
    "localize": "Localization",
    "maps": "SkyMaps",
    "profile": "LikelihoodProfile",
    "sample": "Posterior",
    "select": "Selection",
    "sensitivity": "Sensitivity",
    "toys": "ToySummary",
}
"""The class whose ``read`` takes a document of a kind."""


def read_result_document(path: str | Path, kind: str) -> dict[str, Any]:
    """The document of a result of a kind, as ``light-curve`` of ``gm/light-curve/1``. Raises `InvalidInput` and
    `DataError`."""
    document = read_document(path)
    data = document.data if isinstance(document.data, dict) else {}
    schema = data.get("schema")
    if isinstance(schema, str) and (found := _kind(schema)) != kind:
        hint = f"gm.{READERS[found]}.read reads it" if found in READERS else f"expected gm/{kind}/1"
        raise InvalidInput([document.problem(("schema",), f"'{schema}' is no {kind.replace('-', ' ')}", hint)])
    if problems := check(document, kind):
        raise InvalidInput(problems)
    return data


def _kind(schema: str) -> str:
    return schema.removeprefix("gm/").rpartition("/")[0]


@contextmanager
def belonging_together(path: str | Path) -> Iterator[None]:
    """Numbers of a document become a value, or a `DataError` with the place: its own, or that they do not fit."""
    try:
        yield
    except DataError as error:
        raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        what = f"without {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{path}: its numbers do not belong together ({what})\n    run gm again to write it anew"
        ) from error
