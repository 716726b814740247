"""Training counts: how often a run has seen each word, or character, of the sources."""

from collections import Counter

import typer

from nmt_attn.data.columns import TAG
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import UserError
from nmt_attn.evaluation.evaluation_inputs import EvaluatedModel
from nmt_attn.evaluation.lengths import Units


def count_training(model: EvaluatedModel | None, units: Units) -> Counter[str] | None:
    """Of the model's training corpus, in the same units; None, with a note, where that cannot be read."""
    if model is None or model.run is None:
        typer.echo("note: no table by frequency, as no run says what it was trained on", err=True)
        return None
    counts: Counter[str] = Counter()
    try:
        for pair in read_part(model.config, "train", CorpusReport("data.train")):
            words = [word for word in pair.source.split() if not TAG.fullmatch(word)]
            counts.update(words if units.name == "words" else [character for word in words for character in word])
    except UserError as error:
        typer.echo(f"note: no table by frequency, as the training corpus cannot be read: {error}", err=True)
        return None
    return counts
