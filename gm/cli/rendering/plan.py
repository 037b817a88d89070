"""What ``gm plan`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gm.cli.options import Display
from gm.cli.rendering.edits import operation_lines
from gm.cli.terminal.output import print_json, print_result, print_text
from gm.cli.terminal.tables import count, fitted, link_text, number, shortened, table, without
from gm.readable import plural

if TYPE_CHECKING:
    from gm.pipeline.commands.plan import Plan


def show_plan(plan: Plan, display: Display) -> int:
    """The plan is the result of this command, so it goes to standard output."""
    if display.json:
        print_json(asdict(plan))
    else:
        print_result("\n".join(fitted(plan_lines(plan))))
        if not display.quiet:
            print_text("Nothing was run.")
    return 0


def plan_lines(plan: Plan) -> list[str]:
    """Stages with their reasons, the parameters, the datasets."""
    width = max(len(stage.name) for stage in plan.stages)
    what = max(len(stage.text) for stage in plan.stages)
    lines = [f"{plan.name}   {plural(len(plan.components), 'component')}, memory about {plan.memory / 1e9:.1f} GB", ""]
    lines += operation_lines(plan.operations)
    for stage in plan.stages:
        state = "yes" if stage.up_to_date else f"no ({stage.reason})"
        lines.append(f"{stage.name:<{width}}   {stage.text:<{what}}   up to date: {state}")
    lines += engine_lines(plan.engine)
    lines += [f"warning: {text}" for text in plan.warnings]
    rows = [_parameter(row) for row in plan.parameters]
    lines += ["", *table(["parameter", "value", "limits", "state", "unit"], shortened(rows, 60))]
    if plan.datasets:
        data = [
            [
                *(row["name"], row["type"], str(row["bins"]), count(row["counts"]), ", ".join(row["components"])),
                without(row),
            ]
            for row in plan.datasets
        ]
        lines += ["", *table(["dataset", "type", "bins", "counts", "components", ""], shortened(data), left=2)]
    return lines


def engine_lines(engine: Mapping[str, Any]) -> list[str]:
    """How the fit would be spread over workers; nothing where it is computed in one place."""
    if "shards" not in engine:
        return []
    workers = engine["workers"]
    who = "as many workers as there are" if workers is None else plural(workers, "worker")
    sent = f"{engine['bytes_per_evaluation'] / 1e3:.1f} kB travel per evaluation"
    lines = [f"{engine['kind']}: {plural(engine['shards'], 'shard')} on {who}, {sent}"]
    held = f"    largest shard about {_megabytes(engine['largest_shard'])}"
    if engine["memory_per_worker"]:
        low, high = min(engine["memory_per_worker"]), max(engine["memory_per_worker"])
        held += ", a worker " + (f"{_megabytes(low)} to " if low < high else "") + _megabytes(high)
    lines.append(f"{held}, beside the program's own 100 MB")
    if engine["travelling"]:
        lines.append(f"    {plural(len(engine['travelling']), 'dataset')} in no file: sent whole")
    return lines


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def _parameter(row: dict[str, Any]) -> list[str]:
    limits = "" if row["min"] is None and row["max"] is None else f"{number(row['min'])} ... {number(row['max'])}"
    state = "frozen" if row["frozen"] else "free"
    if row["link"] is not None:
        state = link_text(row["link"])
    if row["prior"] is not None:
        state += f", {row['prior']}"
    value = "-" if row["value"] is None else f"{row['value']:.6g}"
    return [row["name"], value, limits, state, row["unit"]]
