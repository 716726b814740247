"""Benchmarks training and decoding, the peak speed of the machine, and the time of each stage.

Writes docs/benchmarks.md.

    python scripts/benchmark.py --quick                               under five minutes, a synthetic corpus
    python scripts/benchmark.py --corpus F.de F.en --test T.de --reference T.en
    python scripts/benchmark.py --corpus F.de F.en --peer opennmt --peer-python .peers/venv-onmt/bin/python
    python scripts/benchmark.py --corpus F.de F.en --machine epyc-avx512 --peer ... --peer-python ...

One thread; processor seconds. Each measurement runs in a separate process; figures are medians of interleaved runs.
--corpus takes two files of space-separated tokens; batches are 64 lines in file order. --test (tokens) and --reference
(plain text, if the tokens are SentencePiece pieces) are translated after `--updates` updates and scored by BLEU. A peer
is another toolkit in its own environment: eole 0.6.4, joeynmt 2.3.0, Marian 1.12 (pymarian), OpenNMT-py 3.5.1, yoyodyne
0.5.27. It trains on the same batches and, joeynmt and OpenNMT-py with --corpus, translates the same lines. bf16 is left
out where the CPU has no instructions for it.

--machine NAME trains and translates with fewer lines and writes docs/benchmarks/NAME.json: the processor, what it
multiplies fast, threads, load, the share of the cores that other processes had, and every rate. The page then shows all
such files side by side. `--parts decoding` uses the models that --folder already has, so that training and
timing can be separate calls: `--parts models`, then `--parts decoding`.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.decoding_tables import decoding_rows, decoding_section, measure_decoding
from bench.growth import AXES, QUICK_AXES, GrowthJob, exponent
from bench.jobs import run_job
from bench.machine import busy, describe
from bench.machines import machines_section, save
from bench.page import date_and_machine, refresh, table
from bench.peer_settings import VARIANTS, Peer
from bench.plan import Plan, Result, say
from bench.systems import SYSTEMS, Corpus, synthetic
from bench.training_tables import measure_training, training_rows, training_sections

from nmt_attn.runtime import cpu_has_bfloat16

QUICK_SYSTEMS = ("luong-feeding",)
"""Systems whose growth is measured with --quick."""
PARTS = ("training", "models", "decoding", "growth", "start")


def main() -> None:
    """Measures the selected parts and updates their sections of the page."""
    arguments = _arguments()
    start = busy()
    with tempfile.TemporaryDirectory() as temporary:
        plan = _plan(arguments, arguments.folder or Path(temporary))
        ceiling = run_job("ceiling", {})
        sections = {"machine": _machine(ceiling)}
        record: Result = {"ceiling": ceiling, "updates": plan.updates}
        if "training" in arguments.parts:
            found = measure_training(plan)
            record["training"] = training_rows(found)
            if not arguments.machine:
                sections |= training_sections(found, plan, ceiling)
        if "models" in arguments.parts or "decoding" in arguments.parts:
            plan.train_missing()
        if "decoding" in arguments.parts:
            searched = measure_decoding(plan)
            record["decoding"] = decoding_rows(searched)
            sections["decoding"] = decoding_section(plan, searched)
        if "growth" in arguments.parts:
            sections["growth"] = growth(plan.axes, QUICK_SYSTEMS if arguments.quick else tuple(SYSTEMS))
        if "start" in arguments.parts:
            sections["start-up"] = start_up(plan)
        if arguments.machine:
            folder = arguments.output.with_suffix("")
            save(folder, arguments.machine, {"machine": describe(start, busy()), **record})
            sections = {"machines": machines_section(folder)}
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
    precisions = ["fp32", "bf16"] if cpu_has_bfloat16() else ["fp32"]
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=precisions)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--peer", nargs="+", choices=sorted(VARIANTS), default=[])
    parser.add_argument("--peer-python", nargs="+", type=Path, default=[], help="one for each --peer")
    parser.add_argument("--folder", type=Path, help="folder for caches and models; default: temporary")
    parser.add_argument("--machine", metavar="NAME", help="compare with other machines: see above")
    default = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    parser.add_argument("--output", type=Path, default=default, help="default: docs/benchmarks.md")
    arguments = parser.parse_args()
    if len(arguments.peer) != len(arguments.peer_python):
        parser.error(f"--peer-python: expected one for each --peer, got {len(arguments.peer_python)}")
    if arguments.machine and not re.fullmatch(r"[a-z0-9-]+", arguments.machine):
        parser.error(f"--machine: expected small letters, digits and '-', got {arguments.machine!r}")
    if arguments.machine:
        arguments.parts = [part for part in arguments.parts if part in ("training", "models", "decoding")]
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
        updates=arguments.updates or (6 if is_quick else 45 if arguments.machine else 60),
        seed=arguments.seed,
        repeats=arguments.repeats or (1 if is_quick else 2 if arguments.machine else 3),
        precisions=tuple(arguments.precisions),
        axes=QUICK_AXES if is_quick else AXES,
        lines={32: 64, 1: 8} if is_quick else {32: 320, 1: 40} if arguments.machine else {32: 1000, 1: 100},
        peers=tuple(map(Peer, arguments.peer, arguments.peer_python)),
    )


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
    rows = [[name.replace("_", " "), "-" if value is None else value / 1e9] for name, value in ceiling.items()]
    head = f"Measured on {date_and_machine()}. Its peak speed (products of 2048 x 2048 matrices, a copy in memory):\n\n"
    return head + table(["what", "GFLOP/s or GB/s"], rows)


if __name__ == "__main__":
    main()
