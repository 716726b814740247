"""Confusions: which symbols stand for which, counted over the aligned symbols of all lines, with examples."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from nmt_attn.evaluation.edits import Edit
from nmt_attn.evaluation.predictions import Prediction

EXAMPLES = 3
"""Lines that are kept for each confusion."""
MATRIX_SYMBOLS = 15
"""Rows and columns of the matrix that is shown: the symbols with the most errors."""


class Confusion(NamedTuple):
    """A gold symbol and another in its place; "" where there is none."""

    gold: str
    guess: str
    times: int
    gold_times: int  # how often the gold symbol is in the test set; 0 for ""
    examples: tuple[Prediction, ...]


class Confusions(NamedTuple):
    """All of a system's aligned symbols."""

    counts: Counter[Edit]  # equal pairs too
    errors: tuple[Confusion, ...]  # the commonest first

    def matrix(self, size: int = MATRIX_SYMBOLS) -> tuple[list[str], list[list[int]]]:
        """The symbols with the most errors, as gold or guess, and counts [gold, guess] of these; "" is the last."""
        wrong: Counter[str] = Counter()
        for each in self.errors:
            wrong.update({each.gold: each.times})
            wrong.update({each.guess: each.times})
        chosen = [symbol for symbol, _ in wrong.most_common() if symbol][:size]
        symbols = [*chosen, *([""] if "" in wrong else [])]
        return symbols, [[self.counts[gold, guess] for guess in symbols] for gold in symbols]


def confusions(predictions: Sequence[Prediction]) -> Confusions:
    """The symbols of all predictions, and their errors with examples, those of the first lines."""
    counts: Counter[Edit] = Counter()
    examples: dict[Edit, list[Prediction]] = {}
    for each in predictions:
        counts.update(each.edits)
        for edit in dict.fromkeys(edit for edit in each.edits if edit[0] != edit[1]):
            if len(found := examples.setdefault(edit, [])) < EXAMPLES:
                found.append(each)
    golds: Counter[str] = Counter()
    for (gold, _), count in counts.items():
        golds[gold] += count if gold else 0
    errors = sorted(examples, key=lambda edit: (-counts[edit], edit))
    return Confusions(
        counts, tuple(Confusion(*edit, counts[edit], golds[edit[0]], tuple(examples[edit])) for edit in errors)
    )


def confusions_as_json(found: Confusions) -> dict[str, Any]:
    """The whole matrix as a list of its cells that are not 0, and the errors with their examples."""
    return {
        "matrix": [
            {"gold": gold, "guess": guess, "count": count} for (gold, guess), count in sorted(found.counts.items())
        ],
        "errors": [
            {
                **each._asdict(),
                "examples": [{"source": one.source, "gold": one.gold, "guess": one.guess} for one in each.examples],
            }
            for each in found.errors
        ],
    }
