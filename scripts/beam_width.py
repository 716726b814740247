"""Translates the test set of a run with several beam widths and prints quality and speed of each.

    python scripts/beam_width.py RUN [--width N ...] [--set search.key=value ...]

The columns: BLEU (signature below the table), output tokens per reference token, mean log p and mean rank of a
sentence, number of sentences whose rank is lower than with the first width, sentences/s.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.evaluation.evaluation_inputs import EvaluationSet, evaluation_config, locate_model, read_test_set
from nmt_attn.evaluation.metrics import bleu_parts, measure
from nmt_attn.runtime import choose_device
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator

WIDTHS = (1, 2, 3, 5, 10, 20)
HEAD = """
| beam | BLEU | length ratio | log p | rank | lower rank than beam {first} | sentences/s |
|---|---|---|---|---|---|---|
"""


class Search(NamedTuple):
    """The translations with one width."""

    beam: int
    translations: list[Translation]
    seconds: float


def search(translator: Translator, test: EvaluationSet, beam: int) -> Search:
    """Translates the test set."""
    start = time.perf_counter()
    translations = list(translator.translate(test.sources, beam=beam, with_alignments=False))
    return Search(beam, translations, time.perf_counter() - start)


def table(searches: Sequence[Search], references: Sequence[str], config: EvaluateConfig) -> str:
    """A Markdown table with one row per width, and the signature of BLEU."""
    first = searches[0]
    lines, signature = [], ""
    for found in searches:
        rows = measure("bleu", [each.text for each in found.translations], references, config)
        result, parts = rows.result(), bleu_parts(rows.rows.sum(axis=0))
        signature = result.signature
        sentences = len(found.translations)
        pairs = zip(found.translations, first.translations, strict=True)
        cells = (
            str(found.beam),
            f"{result.value:.2f}",
            f"{parts.length_ratio:.3f}",
            f"{sum(each.log_prob for each in found.translations) / sentences:.3f}",
            f"{sum(each.rank for each in found.translations) / sentences:.4f}",
            str(sum(one.rank < other.rank - 1e-5 for one, other in pairs)),
            f"{sentences / found.seconds:,.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    return f"{HEAD.format(first=first.beam).lstrip()}{''.join(lines)}\n{len(references):,} sentences, {signature}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--width", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    model = locate_model(given.run)
    test = read_test_set(None, (), model)
    translator = Translator.load(model.folder, choose_device("cpu"), given.overrides)
    search(translator, test._replace(sources=test.sources[:64]), 1)  # warm-up
    searches = [search(translator, test, width) for width in given.width]
    print(table(searches, test.references, evaluation_config(model, ())))  # noqa: T201


if __name__ == "__main__":
    main()
