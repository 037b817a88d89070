"""The recipes of docs/cluster.md: their commands are real, and the batch script runs as it is written there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from gm.cli import main as gm_command
from tests.conftest import ROOT

pytest.importorskip("distributed")

DOCS = (ROOT / "docs" / "cluster.md").read_text()
SRUN = """\
#!/bin/bash
shift; n=$2; shift 2
for ((k = 0; k < n; k++)); do "$@" & done
wait
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def commands(*words: str) -> list[list[str]]:
    """The arguments of all commands that begin with some words."""
    lines = "\n".join(blocks("bash") + blocks("console")).splitlines()
    found = (re.search(rf"(?:^|-n \d+ ){' '.join(words)} (.*?)&?$", line) for line in lines)
    return [shlex.split(match[1], comments=True) for match in found if match]


@pytest.mark.parametrize("what", ["scheduler", "worker"])
def test_dask_knows_its_options(what: str) -> None:
    main = __import__(f"distributed.cli.dask_{what}", fromlist=["main"]).main
    found = commands("dask", what)
    assert len(found) == 2
    for arguments in found:
        main.make_context(what, [argument for argument in arguments if not argument.endswith(".pem")
                                 and not argument.startswith("--tls")])  # fmt: skip
    assert {"--tls-ca-file", "--tls-cert", "--tls-key"} <= {name for option in main.params for name in option.opts}


def test_gm_knows_its_options() -> None:
    found = commands("gm", "run")
    assert len(found) == 4
    run = gm_command.get_command(click.Context(gm_command), "run")
    assert run is not None
    for arguments in found:
        assert run.make_context("run", list(arguments)).params["config"] == "config.yaml"


def test_python_recipes_are_python() -> None:
    for text in blocks("python"):
        compile(text, "docs/cluster.md", "exec")


def test_the_jobs_of_dask_jobqueue() -> None:
    """The script that the recipe hands to `sbatch`: one core, its memory, and a worker with one thread."""
    (recipe,) = (text for text in blocks("python") if "SLURMCluster" in text)
    begin, scale, _ = recipe.partition("cluster.scale(")
    assert scale
    known: dict[str, Any] = {}
    exec(begin.replace('"ib0"', '"lo"'), known)  # this machine has no such network
    try:
        lines = known["cluster"].job_script().splitlines()
        address = urlsplit(known["cluster"].dashboard_link)
    finally:
        known["cluster"].close()
    assert address.hostname == "127.0.0.1"
    options = {"-n 1", "--cpus-per-task=1", "--mem=4G", "-t 04:00:00"}
    assert {line.removeprefix("#SBATCH ") for line in lines} >= options
    (command,) = (shlex.split(line) for line in lines if "dask_worker" in line)
    worker = command[command.index("distributed.cli.dask_worker") + 1 :]
    assert worker[0].startswith("tcp://127.0.0.1:")
    assert worker[worker.index("--nthreads") + 1] == "1"
    main = __import__("distributed.cli.dask_worker", fromlist=["main"]).main
    main.make_context("worker", worker)


def test_the_batch_script(shared: Path, tmp_path: Path) -> None:
    """With two workers instead of forty, and a stand-in for `srun` that runs so many copies on this machine."""
    (script,) = (text for text in blocks("bash") if "#SBATCH" in text)
    reference = shared / "reference" / "hess-crab-1d"
    text = f"version: 1\ndatasets: {reference}/datasets.yaml\nmodels: {reference}/models_start.yaml\noutput: results\n"
    (tmp_path / "config.yaml").write_text(text + "fit: {}\n")
    (tmp_path / "job.sh").write_text(re.sub(r"\b40\b", "2", script))
    programs = {"srun": SRUN}
    for name in ("dask", "gm"):
        programs[name] = f'#!/bin/bash\nexec {shlex.quote(sys.executable)} -m {name} "$@"\n'
    for name, content in programs.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    known = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **known, "SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "1"}
    with (
        (tmp_path / "told").open("w") as told,
        subprocess.Popen(
            ["bash", "job.sh"], cwd=tmp_path, env=environment, stderr=told, start_new_session=True
        ) as running,
    ):
        try:
            assert running.wait(timeout=240) == 0, (tmp_path / "told").read_text()
        finally:
            os.killpg(running.pid, signal.SIGKILL)  # as the end of a job does
    record = yaml.safe_load((tmp_path / "results" / "provenance.yaml").read_text())
    assert "dask" in str(record["config"]["engine"])
    assert (tmp_path / "results" / "fit" / "fit.yaml").is_file()
