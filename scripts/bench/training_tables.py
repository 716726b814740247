"""Training compared with the peers: what is measured, and three sections of the page."""

import statistics
from collections.abc import Mapping
from typing import NamedTuple

from bench.jobs import run_job
from bench.machines import OURS
from bench.page import percent, table
from bench.peer_settings import VARIANTS
from bench.peers import PeerResult
from bench.plan import Plan, Result, say

DENORMAL_UPDATES = 45
"""With fewer updates, no denormal numbers occur, so there is nothing to measure."""


class Trainings(NamedTuple):
    """The runs of each system, by precision or peer."""

    ours: dict[tuple[str, str], list[Result]]
    theirs: dict[tuple[str, str], list[PeerResult]]


def measure_training(plan: Plan) -> Trainings:
    """Trains every system, and the peers, `plan.repeats` times, interleaved."""
    found = Trainings({}, {})
    for _ in range(plan.repeats):
        for system in plan.systems:
            for precision in plan.precisions:
                found.ours.setdefault((system, precision), []).append(plan.train(system, precision))
            for peer in plan.peers:
                if system in VARIANTS[peer.name]:
                    found.theirs.setdefault((system, peer.name), []).append(plan.train_peer(peer, system))
    return found


def training_sections(found: Trainings, plan: Plan, ceiling: Result) -> dict[str, str]:
    """Speed of every system and peer, share of peak speed, stages, denormals."""
    sections = {"training": _training_table(found, ceiling, plan), "stages": _stages(plan)}
    if plan.updates >= DENORMAL_UPDATES:
        sections["denormals"] = _denormals(plan)
    return sections


def training_rows(found: Trainings) -> list[Result]:
    """The same for the record of the machine (bench/machines.py): medians."""
    ours = {(system, f"{OURS}{precision}"): runs for (system, precision), runs in found.ours.items()}
    theirs = {key: [run._asdict() for run in runs] for key, runs in found.theirs.items()}
    values = ("tokens_a_second", "peak_mebibytes", "cpu_share", "flops_a_second")  # the last of ours alone
    return [
        {
            "system": system,
            "who": who,
            **{name: statistics.median(run[name] for run in runs) for name in values if name in runs[0]},
        }
        for (system, who), runs in {**ours, **theirs}.items()
    ]


def _training_table(found: Trainings, ceiling: Result, plan: Plan) -> str:
    peers = [peer.name for peer in plan.peers]
    head = ["system", "precision", "target tokens/s", "ms an update", "GFLOP an update", "share of ceiling"]
    head += ["page faults an update", "peak MiB", "core's share", *(f"ours / {peer}" for peer in peers)]
    head += [f"{peer}: tokens/s, MiB" for peer in peers]
    rows = []
    for (system, precision), runs in found.ours.items():
        middle = sorted(runs, key=lambda run: run["tokens_a_second"])[len(runs) // 2]
        rate = middle["tokens_a_second"]
        row: list[object] = [system, precision, rate, 1000 * middle["update_seconds"]]
        row += [sum(middle["flops_by_part"].values()) / 1e9, percent(middle["flops_a_second"] / ceiling[precision])]
        row += [middle["faults_an_update"], middle["peak_mebibytes"], percent(middle["cpu_share"])]
        known = [_medians(found.theirs.get((system, peer), [])) for peer in peers]
        row += [rate / each.tokens_a_second if each else "-" for each in known]
        row += [f"{each.tokens_a_second:,.0f}, {each.peak_mebibytes:,.0f}" if each else "-" for each in known]
        rows.append(row)
    what = "a synthetic corpus" if plan.is_synthetic else "the given corpus"
    text = f"Training on {what}, {plan.updates} updates, the first third not timed; medians of {plan.repeats}.\n\n"
    return text + table(head, rows) + "\n" + _flops_table(found.ours)


def _medians(runs: list[PeerResult]) -> PeerResult | None:
    return PeerResult(*map(statistics.median, zip(*runs, strict=True))) if runs else None


def _flops_table(ours: Mapping[tuple[str, str], list[Result]]) -> str:
    parts = {system: runs[0]["flops_by_part"] for (system, _), runs in ours.items()}
    names = list(next(iter(parts.values())))
    rows = [[system, *(counts[name] / 1e9 for name in names)] for system, counts in parts.items()]
    return "GFLOP of one update by part:\n\n" + table(["system", *names], rows)


def _stages(plan: Plan) -> str:
    columns: dict[str, dict[str, float]] = {}
    for system in plan.systems:
        for precision in plan.precisions:
            say(f"stages: {system}, {precision}")
            job = {"system": system, "precision": precision, "updates": plan.updates // 3, "settings": ()}
            columns[f"{system}, {precision}"] = run_job("profile", {**plan.corpus._asdict(), **job})
    names = dict.fromkeys(name for column in columns.values() for name in column)
    stages = ("data", "forward", "loss", "backward", "clipping", "optimizer")
    ordered = [*stages, *(name for name in names if name not in stages)]
    rows = [[name, *(column.get(name, 0.0) for column in columns.values())] for name in ordered]
    text = "Milliseconds of an update. The first six rows add up to it; the others are parts of them.\n\n"
    return text + table(["stage", *columns], rows)


def _denormals(plan: Plan) -> str:
    rows = []
    for system in ("bahdanau", "luong-feeding"):
        # flushed last, because its model is kept
        kept, flushed = (
            plan.train(system, "fp32", flushes_denormals=flushes)["tokens_a_second"] for flushes in (False, True)
        )
        rows.append([system, flushed, kept, flushed / kept])
    return "Denormal numbers, fp32, target tokens/s:\n\n" + table(["system", "flushed", "kept", "ratio"], rows)
