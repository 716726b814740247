"""Benchmarks training and decoding, the peak speed of the machine, and the time of each stage.

Writes docs/benchmarks.md.

    python scripts/benchmark.py --quick                               under five minutes, a synthetic corpus
    python scripts/benchmark.py --corpus F.de F.en --test T.de --reference T.en
    python scripts/benchmark.py --corpus F.de F.en --peer opennmt --peer-python .peers/venv-onmt/bin/python

One thread; processor seconds. Each measurement runs in a separate process; figures are medians of interleaved runs.
--corpus takes two files of space-separated tokens; batches are 64 lines in file order. --test (tokens) and --reference
(plain text, if the tokens are SentencePiece pieces) are translated after `--updates` updates and scored by BLEU. A peer
is another toolkit in its own environment: joeynmt 2.3.0 or OpenNMT-py 3.5.1. It trains on the same batches and, with
--corpus, translates the same lines. `--parts decoding` uses the models that --folder already has, so that training and
timing can be separate calls: `--parts models`, then `--parts decoding`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.decoding_tables import decoding_section
from bench.growth import AXES, QUICK_AXES, GrowthJob, exponent
from bench.jobs import run_job
from bench.page import date_and_machine, refresh, table
from bench.peers import VARIANTS, Peer
from bench.plan import Plan, Result, say
from bench.systems import SYSTEMS, Corpus, synthetic

QUICK_SYSTEMS = ("luong-feeding",)
"""Systems whose growth is measured with --quick."""
DENORMAL_UPDATES = 45
"""With fewer updates, no denormal numbers occur, so there is nothing to measure."""
PARTS = ("training", "models", "decoding", "growth", "start")


def main() -> None:
    """Measures the selected parts and updates their sections of the page."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        plan = _plan(arguments, arguments.folder or Path(temporary))
        ceiling = run_job("ceiling", {})
        sections = {"machine": _machine(ceiling)}
        if "training" in arguments.parts:
            sections |= training(plan, ceiling)
        if "models" in arguments.parts or "decoding" in arguments.parts:
            plan.train_missing()
        if "decoding" in arguments.parts:
            sections["decoding"] = decoding_section(plan)
        if "growth" in arguments.parts:
            sections["growth"] = growth(plan.axes, QUICK_SYSTEMS if arguments.quick else tuple(SYSTEMS))
        if "start" in arguments.parts:
            sections["start-up"] = start_up(plan)
        refresh(arguments.output, sections)
    say(f"wrote {arguments.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few updates, no repeats")
    parser.add_argument("--corpus", type=Path, nargs=2, metavar=("SOURCE", "TARGET"), help="space-separated tokens")
    parser.add_argument("--test", type=Path, help="source lines to translate (default: the corpus)")
    parser.add_argument("--reference", type=Path, help="reference translations as plain text, for BLEU")
    parser.add_argument("--updates", type=int, help="default: 60, quick 6")
    parser.add_argument("--seed", type=int, default=1, help="seed of every model, including peers")
    parser.add_argument("--repeats", type=int, help="interleaved runs; default: 3, quick 1")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--peer", nargs="+", choices=sorted(VARIANTS), default=[])
    parser.add_argument("--peer-python", nargs="+", type=Path, default=[], help="one for each --peer")
    parser.add_argument("--folder", type=Path, help="folder for caches and models; default: temporary")
    default = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    parser.add_argument("--output", type=Path, default=default, help="default: docs/benchmarks.md")
    arguments = parser.parse_args()
    if len(arguments.peer) != len(arguments.peer_python):
        parser.error(f"--peer-python: expected one for each --peer, got {len(arguments.peer_python)}")
    if arguments.updates is not None and arguments.updates < 3:
        parser.error(f"--updates: expected at least 3, as the first third is not timed, got {arguments.updates}")
    return arguments


def _plan(arguments: argparse.Namespace, folder: Path) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    is_quick = arguments.quick
    corpus = Corpus(arguments.corpus[0], arguments.corpus[1], folder) if arguments.corpus else synthetic(folder)
    return Plan(
        corpus=corpus,
        is_synthetic=not arguments.corpus,
        test=arguments.test or corpus.source,
        reference=arguments.reference,
        updates=arguments.updates or (6 if is_quick else 60),
        seed=arguments.seed,
        repeats=arguments.repeats or (1 if is_quick else 3),
        precisions=tuple(arguments.precisions),
        axes=QUICK_AXES if is_quick else AXES,
        lines={32: 64, 1: 8} if is_quick else {32: 1000, 1: 100},
        peers=tuple(map(Peer, arguments.peer, arguments.peer_python)),
    )


def training(plan: Plan, ceiling: Result) -> dict[str, str]:
    """Speed of every system and peer, share of peak speed, stages, denormals."""
    ours: dict[tuple[str, str], list[Result]] = {}
    theirs: dict[tuple[str, str], list[float]] = {}
    for _ in range(plan.repeats):
        for system in SYSTEMS:
            for precision in plan.precisions:
                ours.setdefault((system, precision), []).append(plan.train(system, precision))
            for peer in plan.peers:
                if system in VARIANTS[peer.name]:
                    found = plan.train_peer(peer, system)
                    theirs.setdefault((system, peer.name), []).append(found.tokens_a_second)
                    theirs.setdefault((system, f"{peer.name} MiB"), []).append(found.peak_mebibytes)
    sections = {"training": _training_table(ours, theirs, ceiling, plan)}
    sections["stages"] = _stages(plan)
    if plan.updates >= DENORMAL_UPDATES:
        sections["denormals"] = _denormals(plan)
    return sections


def _training_table(
    ours: Mapping[tuple[str, str], list[Result]],
    theirs: Mapping[tuple[str, str], list[float]],
    ceiling: Result,
    plan: Plan,
) -> str:
    peers = [peer.name for peer in plan.peers]
    head = ["system", "precision", "target tokens/s", "ms an update", "GFLOP an update", "share of ceiling"]
    head += ["page faults an update", "peak MiB", "core's share", *(f"ours / {peer}" for peer in peers)]
    head += [f"{peer}: tokens/s, MiB" for peer in peers]
    rows = []
    for (system, precision), runs in ours.items():
        middle = sorted(runs, key=lambda run: run["tokens_a_second"])[len(runs) // 2]
        rate = middle["tokens_a_second"]
        row: list[object] = [system, precision, rate, 1000 * middle["update_seconds"]]
        row += [sum(middle["flops_by_part"].values()) / 1e9, _percent(middle["flops_a_second"] / ceiling[precision])]
        row += [middle["faults_an_update"], middle["peak_mebibytes"], _percent(middle["cpu_share"])]
        known = [theirs.get((system, peer)) for peer in peers]
        row += [rate / statistics.median(rates) if rates else "-" for rates in known]
        memory = [theirs.get((system, f"{peer} MiB")) for peer in peers]
        for rates, peaks in zip(known, memory, strict=True):
            row.append(f"{statistics.median(rates):,.0f}, {statistics.median(peaks):,.0f}" if rates and peaks else "-")
        rows.append(row)
    what = "a synthetic corpus" if plan.is_synthetic else "the given corpus"
    text = f"Training on {what}, {plan.updates} updates, the first third not timed; medians of {plan.repeats}.\n\n"
    return text + table(head, rows) + "\n" + _flops_table(ours)


def _flops_table(ours: Mapping[tuple[str, str], list[Result]]) -> str:
    parts = {system: runs[0]["flops_by_part"] for (system, _), runs in ours.items()}
    names = list(next(iter(parts.values())))
    rows = [[system, *(counts[name] / 1e9 for name in names)] for system, counts in parts.items()]
    return "GFLOP of one update by part:\n\n" + table(["system", *names], rows)


def _stages(plan: Plan) -> str:
    columns: dict[str, dict[str, float]] = {}
    for system in SYSTEMS:
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


def growth(axes: Mapping[str, tuple[int, ...]], systems: tuple[str, ...]) -> str:
    """Time and memory along each axis, with the fitted exponent."""
    rows = []
    for system in systems:
        for axis, points in axes.items():
            say(f"growth: {system}, {axis}")
            base = GrowthJob(system, "fp32")._asdict()
            found = [run_job("growth", {**base, axis: point}) for point in points]
            for name in ("microseconds_a_token", "peak_mebibytes"):
                values = [point[name] for point in found]
                at = ", ".join(f"{point}: {value:.0f}" for point, value in zip(points, values, strict=True))
                rows.append([system, axis.replace("_", " "), name.replace("_", " "), at, exponent(points, values)])
    base_text = ", ".join(f"{axis.replace('_', ' ')} {GrowthJob._field_defaults[axis]}" for axis in axes)
    text = f"One axis varies, the others are fixed ({base_text}); fp32; fitted y = a x^b.\n\n"
    return text + table(["system", "axis", "what", "at", "b"], rows)


def start_up(plan: Plan) -> str:
    """Seconds for `--help`, and to translate one sentence with the smallest model."""
    model = plan.model("luong", plan.precisions[-1])
    if not model.exists():
        plan.train("luong", plan.precisions[-1])
    first = plan.test.read_text(encoding="utf-8").partition("\n")[0] + "\n"
    commands = {"--help": ["--help"], "first sentence, beam 5": ["translate", "--model", str(model), "--beam", "5"]}
    rows = []
    for name, command in commands.items():
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "nmt_attn", *command], input=first, capture_output=True, text=True, check=True
            )
            seconds.append(time.perf_counter() - start)
        rows.append([name, min(seconds)])
    return "Start-up, best of 3:\n\n" + table(["what", "seconds"], rows)


def _machine(ceiling: Result) -> str:
    rows = [[name.replace("_", " "), value / 1e9] for name, value in ceiling.items()]
    head = f"Measured on {date_and_machine()}. Its peak speed (products of 2048 x 2048 matrices, a copy in memory):\n\n"
    return head + table(["what", "GFLOP/s or GB/s"], rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
