"""Commands, called in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gm.cli import main

Command = Callable[..., tuple[str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls ``gm`` with arguments that end with a ``code``; returns standard output and standard error."""

    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.out, told.err

    return call
