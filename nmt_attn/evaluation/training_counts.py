"""Training counts: how often a run has seen each word, or character, of the sources, and each word of the targets."""

from collections import Counter
from typing import NamedTuple

import typer

from nmt_attn.data.columns import TAG
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import UserError
from nmt_attn.evaluation.evaluation_inputs import EvaluatedModel
from nmt_attn.evaluation.lengths import Units


class TrainingCounts(NamedTuple):
    """Of a training corpus."""

    source: Counter[str]  # tags left out
    target: Counter[str]


def count_training(model: EvaluatedModel | None, units: Units) -> TrainingCounts | None:
    """Of the model's training corpus, the sources in these units; None, with a note, where it cannot be read."""
    if model is None or model.run is None:
        typer.echo("note: no table by frequency, as no run says what it was trained on", err=True)
        return None
    counts = TrainingCounts(Counter(), Counter())
    try:
        for pair in read_part(model.config, "train", CorpusReport("data.train")):
            words = [word for word in pair.source.split() if not TAG.fullmatch(word)]
            counts.source.update(words if units.name == "words" else "".join(words))
            counts.target.update(pair.target.split())
    except UserError as error:
        typer.echo(f"note: no table by frequency, as the training corpus cannot be read: {error}", err=True)
        return None
    return counts
