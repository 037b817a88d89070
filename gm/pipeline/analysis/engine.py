"""Where the likelihood is computed, as the config and the command line say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import UsageError
from gm.io.processes import most_processes
from gm.pipeline.analysis.paths import data_file

if TYPE_CHECKING:
    from gm.config_schemas.reader import Document
    from gm.pipeline.analysis.findings import Findings
    from gm.pipeline.analysis.request import Request

ENGINE: dict[str, Any] = {"kind": "local", "workers": None, "scheduler": None, "tls": None}
_TLS = ("ca", "cert", "key")
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):\d{1,5}/?")
_WITHOUT_PROTOCOL = re.compile(r"[^\s/]+:\d{1,5}")


@dataclass(frozen=True)
class Certificates:
    """The files of the authority's certificate, of the client's, and of its key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class EngineSettings:
    """workers : processes, None where nobody has said how many; scheduler : address of a cluster, or the file that its
    scheduler has written, None for one of this machine; tls : None where the connection is not encrypted; asked : how
    many workers were asked for, where this machine gets fewer
    """

    kind: str = "local"
    workers: int | None = None
    scheduler: str | None = None
    tls: Certificates | None = None
    asked: int | None = None

    @property
    def is_dask(self) -> bool:
        return self.kind == "dask"

    def remark(self) -> str:
        """What the user should know of the workers; empty where they are as asked for."""
        return f"{self.asked} workers are too many for this machine: it gets {self.workers}" if self.asked else ""

    def recorded(self) -> dict[str, Any]:
        """What results tell of it: nothing about addresses."""
        return {"kind": self.kind} if self.is_dask else {"kind": self.kind, "workers": self.workers}


def check_engine(data: Mapping[str, Any], config: Document, findings: Findings) -> None:
    """What the schema cannot see of the section: keys without a meaning, files that are not there."""
    if data["kind"] != "dask":
        for key in ("scheduler", "tls"):
            if data[key] is not None:
                findings.add(
                    config, ("engine", key), "belongs to the engine 'dask'", "engine: {kind: dask, ...}", key=True
                )
        return
    if problem := _address_problem(data["scheduler"]):
        findings.add(config, ("engine", "scheduler"), *problem)
    for key, name in (data["tls"] or {}).items():
        if key in _TLS and not data_file(config.directory, name).is_file():
            findings.add_missing(config, ("engine", "tls", key), f"no such file: {name}")
    if (data["tls"] is not None) and _is_plain(data["scheduler"]):
        hint = "tls://HOST:PORT, or a scheduler file"
        findings.add(config, ("engine", "scheduler"), "a connection with tls has another address", hint)


def _address_problem(text: str | None) -> tuple[str, str] | None:
    """What is wrong with an address, and a hint; whether the file of a scheduler is there is seen when it is needed."""
    if text is None or not ("://" in text or _WITHOUT_PROTOCOL.fullmatch(text)) or _ADDRESS.fullmatch(text):
        return None
    host = text.split("://")[-1].rstrip("/")
    meant = f"'tcp://{host}'" if _WITHOUT_PROTOCOL.fullmatch(host) else "tcp://HOST:PORT, tls://HOST:PORT"
    return f"'{text}' is no address of a scheduler", f"{meant}, or the file that the scheduler has written"


def _is_plain(scheduler: str | None) -> bool:
    return scheduler is None or ("://" in scheduler and not scheduler.startswith("tls://"))


def engine_settings(data: Mapping[str, Any], directory: Path, request: Request) -> EngineSettings:
    """Of a section that agrees with the schema, with what the command line says instead. Raises `UsageError`."""
    kind = request.engine or ("dask" if request.scheduler is not None else data["kind"])
    if request.scheduler is not None and kind != "dask":
        raise UsageError("--scheduler belongs to --engine dask")
    if problem := _address_problem(request.scheduler):
        raise UsageError(f"--scheduler: {problem[0]}; expected {problem[1]}")
    workers = data["workers"] if request.workers is None else request.workers
    if kind != "dask":
        return _on_this_machine(EngineSettings(kind, workers))
    tls = data["tls"]
    settings = EngineSettings(
        kind=kind,
        workers=workers,
        scheduler=request.scheduler or _scheduler(data["scheduler"], directory),
        tls=None if tls is None else Certificates(*(data_file(directory, tls[key]) for key in _TLS)),
    )
    return settings if settings.scheduler is not None else _on_this_machine(settings)


def _on_this_machine(settings: EngineSettings) -> EngineSettings:
    """With as many workers as are started at most."""
    workers, most = settings.workers, most_processes()
    return settings if workers is None or workers <= most else replace(settings, workers=most, asked=workers)


def _scheduler(text: str | None, directory: Path) -> str | None:
    """An address as it is; a file from where the config is."""
    return text if text is None or "://" in text else str(data_file(directory, text))
