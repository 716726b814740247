"""`nmt-attn shortlist`: reads training pairs with a model's attention, and writes beside its weights which target words
are likely for each source word.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import NoReturn

import typer
from tqdm import tqdm

from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.evaluation_inputs import locate_model
from nmt_attn.model.store import SHORTLIST
from nmt_attn.options.models import ShortlistOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.forced import force_decode
from nmt_attn.search.request import WINDOW_LINES
from nmt_attn.search.shortlist import AlignmentCounts
from nmt_attn.search.translator import Translator
from nmt_attn.types import SentencePair


def make_shortlist(options: ShortlistOptions) -> None:
    """Writes the shortlist into the model's folder. Raises UserError."""
    if (options.source is None) != (options.target is None):
        given, other = ("source", "target") if options.source else ("target", "source")
        raise ConfigError(f"--{given}: expected --{other} beside it, got {options.source or options.target} alone")
    model = locate_model(options.model)
    translator = Translator.load(model.folder, choose_device(options.device))
    if not translator.has_attention:
        raise ConfigError(f"shortlist: expected a model with attention, got {translator.name} (attention.score: none)")
    report = CorpusReport("data.train")
    counts = AlignmentCounts(translator.codecs.source.size, translator.codecs.target.size)
    pairs = 0
    with tqdm(total=options.limit, unit=" pairs", file=sys.stderr, disable=None, leave=False) as bar:
        kept = _pairs(_corpus_config(model.config, options), translator, report)
        kept = islice(kept, options.limit)
        while window := list(islice(kept, WINDOW_LINES)):
            pairs += _count(window, translator, counts, bar)
    if pairs == 0:
        raise DataError(f"{report.source}: expected at least one usable pair, got none\n{report.text()}")
    found = counts.shortlist(options.frequent, options.candidates)
    found.save(model.folder / SHORTLIST)
    linked = found.candidates.bool().sum(1)
    mean = linked.sum().item() / max(1, int(linked.bool().sum()))
    typer.echo(
        f"{model.folder / SHORTLIST}: {pairs:,} pairs, {len(found.frequent):,} frequent words, "
        f"{mean:.1f} candidates of a source word",
        err=True,
    )


def _corpus_config(config: Config, options: ShortlistOptions) -> Config:
    """The model's configuration, with the files that are named as its training corpus."""
    if options.source is None:
        return config
    files = CorpusConfig(
        source=str(options.source.absolute()), target=str(options.target and options.target.absolute())
    )
    return config.model_copy(update={"data": config.data.model_copy(update={"train": files})})


def _pairs(config: Config, translator: Translator, report: CorpusReport) -> Iterator[SentencePair]:
    """The pairs that training uses: none is over-long."""
    codecs, most = translator.codecs, config.data.max_length
    for pair in read_part(config, "train", report):
        if max(len(codecs.source.pieces(pair.source)), len(codecs.target.pieces(pair.target))) <= most:
            yield SentencePair(pair.source, pair.target)
        else:
            report.drop("over-long", pair.number)


def _count(window: list[SentencePair], translator: Translator, counts: AlignmentCounts, bar: "tqdm[NoReturn]") -> int:
    """Counts the links of the pairs; how many pairs."""
    sources, targets = zip(*window, strict=True)
    forced = force_decode(translator, sources, targets, with_alignments=True, progress=bar.update)
    for pair, found in zip(window, forced, strict=True):
        assert found.weights is not None, "asked for"
        codecs = translator.codecs
        counts.add(codecs.source.encode(pair.source), codecs.target.encode(pair.target), found.weights)
    return len(window)
