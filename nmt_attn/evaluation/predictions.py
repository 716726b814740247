"""Predictions: each line of a test set with what was asked, what was guessed, and where the two differ.

The gold text of a line is the reference that the guess is nearest to, in edits of symbols; a line with several, such
as a word with several pronunciations, is right if the guess is any of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt_attn.evaluation.bootstrap import confidence_interval
from nmt_attn.evaluation.edits import Edit, align, split_symbols, written
from nmt_attn.evaluation.lengths import Estimate
from nmt_attn.evaluation.metrics import Measure, share, signature_of

HEADER = ("source", "gold", "guess", "right", "edits", "log_prob", "place", "other_golds")
BETWEEN_GOLDS = " | "


class Prediction(NamedTuple):
    """One line of a test set and one system's guess."""

    source: str
    gold: str
    guess: str
    edits: tuple[Edit, ...]  # the symbols of gold and guess side by side, equal ones too
    is_right: bool
    log_prob: float | None = None  # natural, `</s>` included; None of a file of translations
    place: int | None = None  # of a right text in the n-best list, from 1
    other_golds: tuple[str, ...] = ()


class Guesses(NamedTuple):
    """What a system makes of a line: its texts, best first, and the log-probability of the best."""

    texts: Sequence[str]
    log_prob: float | None = None


def predict(
    sources: Sequence[str], golds: Sequence[Sequence[str]], guesses: Sequence[Guesses], separator: str
) -> list[Prediction]:
    """A prediction for each line; `golds` has at least one text a line, `separator` stands between two symbols."""
    return [_predict(*line, separator) for line in zip(sources, golds, guesses, strict=True)]


def _predict(source: str, golds: Sequence[str], guesses: Guesses, separator: str) -> Prediction:
    guess = guesses.texts[0]
    right = [gold.split() for gold in golds]
    aligned = [align(split_symbols(gold, separator), split_symbols(guess, separator)) for gold in golds]
    nearest = min(range(len(golds)), key=lambda number: (right[number] != guess.split(), _edits(aligned[number])))
    others = tuple(gold for number, gold in enumerate(golds) if number != nearest)
    place = next((number for number, text in enumerate(guesses.texts, start=1) if text.split() in right), None)
    is_right = guess.split() in right
    return Prediction(source, golds[nearest], guess, aligned[nearest], is_right, guesses.log_prob, place, others)


def _edits(aligned: Sequence[Edit]) -> int:
    return sum(gold != guess for gold, guess in aligned)


def as_tsv(predictions: Sequence[Prediction]) -> str:
    """A table with a line of titles; white space in a text is a blank, so that each cell is one."""
    return "".join("\t".join(row) + "\n" for row in [HEADER, *map(_cells, predictions)])


def _cells(each: Prediction) -> tuple[str, ...]:
    return (
        _cell(each.source),
        _cell(each.gold),
        _cell(each.guess),
        "yes" if each.is_right else "no",
        written(each.edits),
        "" if each.log_prob is None else f"{each.log_prob:.4f}",
        "" if each.place is None else str(each.place),
        BETWEEN_GOLDS.join(map(_cell, each.other_golds)),
    )


def _cell(text: str) -> str:
    return " ".join(text.split())


def top_accuracy(predictions: Sequence[Prediction], most: int) -> tuple[Estimate, ...]:
    """The share of lines with a right text among the best, among the two best, ..., among the `most` best."""
    places = np.array([np.inf if each.place is None else each.place for each in predictions])
    found = []
    for count in range(1, most + 1):
        rows = np.stack([places <= count, np.ones(len(places))], axis=1).astype(np.float64)
        each = Measure(f"top-{count}", signature_of("line"), rows, share)
        found.append(Estimate(each.result(), confidence_interval(each)))
    return tuple(found)
