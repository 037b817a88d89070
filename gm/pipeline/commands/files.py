"""What files that a person names hold, from their content."""

from __future__ import annotations

from pathlib import Path

from gm.config_schemas.reader import Document
from gm.datasets import Dataset
from gm.errors import DataError

_FITS_MAGIC = (b"SIMPLE  =", b"\x1f\x8b")


def first_bytes(path: Path) -> bytes:
    """The first 32 of a file; none of a folder. Raises `DataError`."""
    try:
        with path.open("rb") as file:
            return file.read(32)
    except IsADirectoryError:
        return b""
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def is_fits(start: bytes) -> bool:
    """Whether a file that starts so is a FITS file, packed or not."""
    return start.startswith(_FITS_MAGIC)


def listed_datasets(document: Document) -> list[Dataset]:
    """Those of a datasets.yaml, from their files. Raises `InvalidInput`, with places in it, and `DataError`."""
    from gm.pipeline.analysis.build import read_parts
    from gm.pipeline.analysis.checks import check_files
    from gm.pipeline.analysis.documents import part_of
    from gm.pipeline.analysis.findings import Findings

    findings = Findings()
    parts = [part_of(document, None, "datasets", findings)]
    check_files(parts, findings)
    findings.stop_if_any()
    return list(read_parts(parts, None))
