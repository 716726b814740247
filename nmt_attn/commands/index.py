"""`nmt-attn index`: stores the states of training pairs beside a model, for the neighbours that the lab shows."""

import sys
from collections.abc import Iterator
from itertools import islice

import torch
import typer
from tqdm import tqdm

from nmt_attn.config.schema import Config
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import DataError
from nmt_attn.evaluation.evaluation_inputs import locate_model
from nmt_attn.lab.neighbours import INDEX, PAIRS, STATES, StateIndex
from nmt_attn.options.models import IndexOptions
from nmt_attn.search.translator import Translator
from nmt_attn.types import SentencePair


def make_index(options: IndexOptions) -> None:
    """Writes the index into the run's folder, or the model's. Raises UserError."""
    model = locate_model(options.run)
    translator = Translator.load(model.folder, torch.device("cpu"))
    folder = options.run / INDEX
    report = CorpusReport("data.train")
    pairs = islice(_pairs(model.config, translator, report), options.limit)
    with tqdm(total=options.limit, unit=" pairs", file=sys.stderr, disable=None, leave=False) as bar:
        index = StateIndex.build(translator, pairs, bar.update)
    if index.pairs == 0:
        raise DataError(f"{report.source}: expected at least one usable pair, got none\n{report.text()}")
    index.save(folder)
    size = sum((folder / name).stat().st_size for name in (STATES, PAIRS))
    typer.echo(f"{folder}: states of {index.pairs:,} pairs, {size / 1e6:.1f} MB", err=True)


def _pairs(config: Config, translator: Translator, report: CorpusReport) -> Iterator[SentencePair]:
    """The pairs that training uses: none is over-long, none blank."""
    codecs, most = translator.codecs, config.data.max_length
    for pair in read_part(config, "train", report):
        source, target = codecs.source.pieces(pair.source), codecs.target.pieces(pair.target)
        if source and target and max(len(source), len(target)) <= most:
            yield SentencePair(pair.source, pair.target)
