"""What two papers claim, measured on the built-in corpus: trains every kind of attention and writes docs/study.md.

    python scripts/study.py [--seeds 1 2] [--systems plain bahdanau ...] [--set KEY=VALUE ...]

A driver over `nmt-attn train` and `nmt-attn eval`. Interrupted, it goes on where it was: what is trained is not trained
again, what is evaluated is not evaluated again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nmt_attn.model.store import BEST, load_model

LUONG = [
    "model.decoder.style=luong",
    "model.decoder.init=bridge",
    "model.decoder.readout=linear",
    "model.decoder.readout_hidden=null",
]
TRAINING = ["training.minutes=null", "training.epochs=8", "training.validate_bleu=false"]
"""The same updates for every system, however long they take; so on every machine the same models."""
SYSTEMS = {
    "plain": ["model.attention.score=none"],
    "bahdanau": [],
    "dot": [*LUONG, "model.attention.score=dot"],
    "general": [*LUONG, "model.attention.score=general"],
    "concat": [*LUONG, "model.attention.score=concat"],
    "location": [*LUONG, "model.attention.score=location"],
    "local-m": [*LUONG, "model.attention.score=general", "model.attention.window=local-m"],
    "local-p": [*LUONG, "model.attention.score=general", "model.attention.window=local-p"],
}
"""Overrides of configs/demo.yaml, where `bahdanau` is."""


class Result(NamedTuple):
    """One system, means over its seeds."""

    bleu: float
    bleu_of_seeds: list[float]
    by_length: dict[str, float]  # BLEU of each bucket that has sentences
    error_rate: float | None  # of argmax links
    perplexity: float
    parameters: int
    training_tokens_per_second: float  # target tokens
    decoding_sentences_per_second: float


class Claim(NamedTuple):
    """What a paper says, and whether the results agree."""

    text: str
    needs: tuple[str, ...]
    holds: Callable[[dict[str, Result]], bool]
    measured: Callable[[dict[str, Result]], str]


def fall(result: Result) -> float:
    """BLEU lost from the shortest bucket to the longest."""
    values = list(result.by_length.values())
    return values[0] - values[-1]


def error_rate(result: Result) -> float:
    """Of a system that attends."""
    assert result.error_rate is not None
    return result.error_rate


def compare(first: str, second: str) -> Callable[[dict[str, Result]], str]:
    """Both BLEU values, in words."""
    return lambda found: f"BLEU {found[first].bleu:.2f} and {found[second].bleu:.2f}"


CLAIMS = [
    Claim(
        "A fixed vector loses with length, attention does not (Bahdanau et al., fig. 2)",
        ("plain", "bahdanau"),
        lambda found: fall(found["plain"]) > 2 * max(fall(found["bahdanau"]), 1),
        lambda found: (
            f"from the shortest to the longest bucket {fall(found['plain']):.1f} BLEU are lost without "
            f"attention, {fall(found['bahdanau']):.1f} with it"
        ),
    ),
    Claim(
        "Attention is better than none (both papers)",
        ("plain", "bahdanau"),
        lambda found: found["bahdanau"].bleu > found["plain"].bleu,
        compare("bahdanau", "plain"),
    ),
    Claim(
        "Global attention to the content, by dot, beats location (Luong et al., table 4)",
        ("dot", "location"),
        lambda found: found["dot"].bleu > found["location"].bleu,
        compare("dot", "location"),
    ),
    Claim(
        "dot is better than general for global attention (Luong et al., table 4)",
        ("dot", "general"),
        lambda found: found["dot"].bleu > found["general"].bleu,
        compare("dot", "general"),
    ),
    Claim(
        "concat does not work well (Luong et al., section 5.3)",
        ("concat", "general"),
        lambda found: found["concat"].bleu < found["general"].bleu - 1,
        compare("concat", "general"),
    ),
    Claim(
        "local-p is the best (Luong et al., table 4)",
        ("local-p", "general", "local-m"),
        lambda found: found["local-p"].bleu > max(found["general"].bleu, found["local-m"].bleu),
        lambda found: ", ".join(f"{name} {found[name].bleu:.2f}" for name in ("local-p", "general", "local-m")),
    ),
    Claim(
        "Local attention has a lower alignment error rate than global (Luong et al., table 6)",
        ("local-m", "local-p", "location"),
        lambda found: max(error_rate(found[name]) for name in ("local-m", "local-p")) < error_rate(found["location"]),
        lambda found: ", ".join(f"{name} {error_rate(found[name]):.3f}" for name in ("local-m", "local-p", "location")),
    ),
]


def nmt_attn(*arguments: str) -> None:
    """Runs the command; its mistakes end the study."""
    print("$ nmt-attn", *arguments, file=sys.stderr)  # noqa: T201  what is going on
    subprocess.run([sys.executable, "-m", "nmt_attn", *arguments], check=True, stdout=sys.stderr)


def run_system(name: str, seed: int, runs: Path, overrides: Sequence[str]) -> Path:
    """The run, trained and evaluated."""
    run = runs / f"{name}-{seed}"
    if not (run / "eval" / "eval.json").is_file():
        keys = [f"run.name={run.name}", f"run.dir={runs}", f"run.seed={seed}", *TRAINING, *SYSTEMS[name], *overrides]
        nmt_attn("train", "configs/demo.yaml", *(part for key in keys for part in ("--set", key)))
        nmt_attn("eval", "--model", str(run))
    return run


def read_result(runs: Sequence[Path]) -> Result:
    """The means over runs that differ in their seed alone."""
    figures = [json.loads((run / "eval" / "eval.json").read_text(encoding="utf-8")) for run in runs]

    def mean(value: Callable[[dict[str, Any]], float]) -> float:
        return statistics.mean(map(value, figures))

    def bucket_mean(place: int) -> float:
        return mean(lambda each: each["by_length"][place]["metrics"][0]["value"])

    rows = [(place, row["words"]) for place, row in enumerate(figures[0]["by_length"]) if row["metrics"]]
    return Result(
        mean(lambda each: each["metrics"][0]["value"]),
        [each["metrics"][0]["value"] for each in figures],
        {words: bucket_mean(place) for place, words in rows},
        mean(lambda each: each["alignments"][0]["error_rate"]) if figures[0]["alignments"] else None,
        mean(lambda each: each["perplexity"]),
        sum(parameter.numel() for parameter in load_model(runs[0] / BEST).parameters()),
        statistics.mean(map(training_speed, runs)),
        mean(lambda each: each["sentences"] / each["decoding_seconds"]),
    )


def training_speed(run: Path) -> float:
    """Target tokens a second, validation not counted."""
    with (run / "log.jsonl").open(encoding="utf-8") as lines:
        updates = [record for record in map(json.loads, lines) if record["kind"] == "update"]
    return sum(each["target_tokens"] for each in updates) / sum(each["seconds"] for each in updates)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of Markdown."""
    return ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]


def document(found: dict[str, Result], seeds: Sequence[int], pictures: Path) -> str:
    """docs/study.md. `pictures` is the folder beside it."""
    buckets = list(next(iter(found.values())).by_length)
    quality = [
        [
            name,
            f"{result.bleu:.2f}",
            " / ".join(f"{value:.2f}" for value in result.bleu_of_seeds),
            *(f"{result.by_length[bucket]:.1f}" for bucket in buckets),
            "-" if result.error_rate is None else f"{result.error_rate:.3f}",
            f"{result.perplexity:.3f}",
        ]
        for name, result in found.items()
    ]
    cost = [
        [
            name,
            f"{result.parameters:,}",
            f"{result.training_tokens_per_second:,.0f}",
            f"{result.decoding_sentences_per_second:,.0f}",
        ]
        for name, result in found.items()
    ]
    claims = [
        [claim.text, claim.measured(found), "yes" if claim.holds(found) else "**not confirmed**"]
        for claim in CLAIMS
        if set(claim.needs) <= found.keys()
    ]
    seed = f"-{seeds[0]}"
    images = [
        f"![{path.suffixes[0][1:]}]({pictures.name}/{path.name})"
        for path in sorted(pictures.glob(f"alignment-*{seed}.png"))
    ]
    lines = [
        "# What the papers claim, and what the built-in corpus shows",
        "",
        f"Written by `scripts/study.py`: means over the seeds {', '.join(map(str, seeds))}; BLEU on the 490 test",
        "sentences, an equal number of each length; alignment error rate of argmax links against the corpus's own gold",
        "links, from forced decoding. One small grammar, small models and minutes of training: where a claim is not",
        "confirmed here, that says no more than that.",
        "",
        *table(
            ["system", "BLEU", "each seed", *(f"{bucket} words" for bucket in buckets), "AER", "perplexity"], quality
        ),
        "",
        f"![BLEU by length]({pictures.name}/bleu-by-length.png)",
        "",
        *table(["system", "parameters", "training, target tokens/s", "decoding, sentences/s"], cost),
        "",
        "## The claims",
        "",
        *table(["claim", "measured", "confirmed"], claims),
        "",
        "## One sentence, every kind of attention",
        "",
        *images,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The whole study."""
    parser = argparse.ArgumentParser(description="Trains every kind of attention and writes docs/study.md.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--runs", type=Path, default=Path("runs/study"))
    parser.add_argument("--output", type=Path, default=Path("docs/study.md"))
    parser.add_argument("--only-runs", action="store_true", help="train and evaluate, write no document")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    options = parser.parse_args()
    trained = {
        name: [run_system(name, seed, options.runs, options.overrides) for seed in options.seeds]
        for name in options.systems
    }
    if options.only_runs:
        return
    pictures = options.output.with_suffix("")
    if not (pictures / "eval.json").is_file():
        models = [part for runs in trained.values() for part in ("--model", str(runs[0]))]
        nmt_attn("eval", *models, "--report", str(pictures))
    found = {name: read_result(runs) for name, runs in trained.items()}
    options.output.write_text(document(found, options.seeds, pictures), encoding="utf-8")


if __name__ == "__main__":
    main()
