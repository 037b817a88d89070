"""The second opinion: what `jsonschema` says of a document that the validator of this package finds nothing in.

It finds nothing either, as long as the two agree; ``gm validate``, which has the time, asks nevertheless, unless the
document is so large that the answer takes seconds.
"""

from __future__ import annotations

from gm.config_schemas.reader import Document, Place
from gm.config_schemas.schema_files import load_schema
from gm.errors import Problem

MAX_VALUES = 20_000


def second_opinion(document: Document, schema: str) -> list[Problem]:
    """Every departure from the schema of that name, in the words of `jsonschema`, sorted by place."""
    if _is_large(document.root):
        return []
    from jsonschema import Draft7Validator

    errors = Draft7Validator(load_schema(schema)).iter_errors(document.data)
    return sorted({document.problem(tuple(error.absolute_path), error.message) for error in errors})


def _is_large(root: Place) -> bool:
    """Whether there are more than `MAX_VALUES` values."""
    pending, found = [root], 0
    while pending and found <= MAX_VALUES:
        inside = pending.pop().inside.values()
        found += len(inside)
        pending.extend(inside)
    return found > MAX_VALUES
