"""Write many On/Off runs as GADF spectra: the four H.E.S.S. runs of the references, perturbed.

Each run is one of the four files with counts and OFF counts drawn anew (Poisson, around those observed) and its
exposure scaled by a factor around 1. The bytes of the file are changed in place, so they have exactly
Gammapy's layout.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from cases import DATA

RUNS = ("23523", "23526", "23559", "23592")


def _column(content: bytes, extension: str) -> tuple[int, np.dtype, int]:
    """Where the rows of a binary table ``CHANNEL, DATA`` begin, their type, and how many there are."""
    block = 2880
    position = 0
    while position < len(content):
        end = content.index(b"END" + b" " * 77, position)
        header = content[position:end].decode("ascii")
        lines = [header[i : i + 80] for i in range(0, len(header), 80)]
        cards = {line[:8].strip(): line[10:].split(" /")[0].strip(" '") for line in lines}
        data = position + -(-(end + 80 - position) // block) * block
        if cards.get("EXTNAME") == extension:
            kind = {"E": ">f4", "D": ">f8"}[cards["TFORM2"].lstrip("1")]
            return data, np.dtype([("channel", ">i2"), ("data", kind)]), int(cards["NAXIS2"])
        size = int(cards["NAXIS1"]) * int(cards["NAXIS2"]) if cards.get("NAXIS") == "2" else 0
        position = data + -(-size // block) * block
    raise ValueError(f"no extension {extension}")


def write_runs(folder: Path, n_runs: int, seed: int = 4242) -> Path:
    """``n_runs`` files and their datasets.yaml in ``folder``; returns the YAML's path."""
    generator = np.random.default_rng(seed)
    templates = []
    for run in RUNS:
        content = gzip.decompress((DATA / f"reference/hess-crab-1d/pha_obs{run}.fits.gz").read_bytes())
        templates.append((content, {name: _column(content, name) for name in ("COUNTS", "COUNTS_OFF", "EXPOSURE")}))
    entries = ["datasets:"]
    for i in range(n_runs):
        content, columns = templates[i % len(templates)]
        # Gammapy names On/Off datasets by the file and refuses equal names
        name_card, own_name = (f"NAME    = '{name}   '".encode() for name in (RUNS[i % len(RUNS)], f"{i:05d}"))
        changed = bytearray(content.replace(name_card, own_name, 1))
        factor = generator.lognormal(0.0, 0.1)
        for name, (start, dtype, n_rows) in columns.items():
            rows = np.frombuffer(changed, dtype, n_rows, start)
            rows["data"] = rows["data"] * factor if name == "EXPOSURE" else generator.poisson(rows["data"])
        filename = f"run-{i:04d}.fits.gz"
        (folder / filename).write_bytes(gzip.compress(bytes(changed), compresslevel=3, mtime=0))
        entries.append(f"- {{name: run-{i:04d}, type: SpectrumDatasetOnOff, filename: {filename}}}")
    path = folder / "datasets.yaml"
    path.write_text("\n".join(entries) + "\n")
    return path
