"""The second opinion: what `jsonschema` says of a document that the validator of this package finds nothing in.

It finds nothing either, as long as the two agree; ``gm validate``, which has the time, asks nevertheless.
"""

from __future__ import annotations

from gm.config_schemas.reader import Document
from gm.config_schemas.validator import load_schema
from gm.errors import Problem


def second_opinion(document: Document, schema: str) -> list[Problem]:
    """Every departure from the schema of that name, in the words of `jsonschema`, sorted by place."""
    from jsonschema import Draft7Validator

    errors = Draft7Validator(load_schema(schema)).iter_errors(document.data)
    return sorted({document.problem(tuple(error.absolute_path), error.message) for error in errors})
