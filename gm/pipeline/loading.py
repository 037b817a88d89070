"""An analysis as its files were at one moment: none that was read is another one by the time that it is on record."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from gm.errors import DataError
from gm.io.files import stamp_of
from gm.pipeline.analysis.load import Analysis, Stages, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.sources import read_files

States: TypeAlias = Mapping[Path, tuple[int, ...] | None]
"""What tells files from others in their place, and from themselves after any change; None of what is not there."""

_TICK = 20_000_000  # [ns] by which the clock of a file system may lag behind


def load_whole(request: Request, stages: Stages) -> tuple[Analysis, States]:
    """The analysis, and the files that were read for it, as they were before and after.

    Loaded once more where one of them is so new that it may have changed meanwhile. Raises `InvalidInput`, and
    `DataError` where one changes again.
    """
    begin = time.time_ns() - _TICK
    analysis = load(request, stages)
    states = states_of(read_files(analysis))
    if any(max(state[-2:]) >= begin for state in states.values() if state is not None) and request.config != "-":
        analysis = load(request, stages)
        check_unchanged(states, states_of(read_files(analysis)))
    return analysis, states


def states_of(files: Collection[Path]) -> States:
    """As the files are now."""
    return {file: stamp_of(file) for file in files}


def check_unchanged(before: States, now: States) -> None:
    """Raises `DataError` where one of the files is another one ``now``."""
    changed = next((file for file, state in now.items() if before.get(file) != state), None)
    if changed is not None:
        raise DataError(f"{changed}: was changed after it was read\n    run the command again")
