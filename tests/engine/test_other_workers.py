"""Workers that are not what they should be, and what Dask says by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gm.engine.dask_pool import Cluster, DaskEngine
from gm.errors import EngineError
from gm.likelihood import JointLikelihood
from tests.conftest import ROOT
from tests.engine.clusters import running_cluster
from tests.engine.sameness import DATASETS, SMOOTH

pytest.importorskip("distributed")


def test_a_worker_with_another_source_of_the_same_version(tmp_path: Path) -> None:
    """Numbers of two checkouts of one version may differ: the worker is refused, and named."""
    shutil.copytree(ROOT / "gm", tmp_path / "other" / "gm")
    with (tmp_path / "other" / "gm" / "units.py").open("a") as file:
        file.write("\n# another line\n")
    with running_cluster(tmp_path, 0) as cluster:
        cluster.start_worker(tmp_path / "other")  # where Python looks for modules first
        engine = DaskEngine(Cluster(cluster.address, n_workers=1))
        with pytest.raises(
            EngineError, match=r"worker tcp://127.0.0.1:\d+ .* has other versions: gm .*source"
        ) as failed:
            JointLikelihood(DATASETS, SMOOTH, engine=engine)
        there, here = str(failed.value).split("\n    here: ")
        assert here.split(", ")[1:] == there.split(", ")[1:], "all but gm is the same"
        engine.close()


def test_dask_says_nothing_by_itself() -> None:
    """What its processes log belongs to no result; importing it makes loggers that speak."""
    code = (
        "import logging\n"
        "from gm.pipeline.analysis.engine import EngineSettings\n"
        "from gm.pipeline.engines import build_engine\n"
        "logging.getLogger('gm').setLevel(logging.WARNING)\n"
        "build_engine(EngineSettings('dask'), lambda done, all: None)\n"
        "import distributed\n"
        "for name in ('distributed', 'distributed.client', 'distributed.nanny', 'tornado.application', 'asyncio'):\n"
        "    assert not logging.getLogger(name).isEnabledFor(logging.ERROR), name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
