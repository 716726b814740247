"""Preparation: encodes the training and validation corpora and caches the result for later starts.

    FINGERPRINT/train.arrow  valid.arrow  vocab/  reports.json        in `data.cache`

Text is read line by line, once for each pass; no corpus is held in memory.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from nmt_attn.alignment.pieces import link_pieces
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.data.alignments import with_links
from nmt_attn.data.cache import filling, fingerprint, is_whole
from nmt_attn.data.codec import Codecs, TextCodec, learn_codec, like_codecs, load_codecs, side_tokenizer
from nmt_attn.data.columns import source_columns
from nmt_attn.data.copying import source_rows, target_rows
from nmt_attn.data.corpus import cache_folder, read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.corpus_tokenizer import with_tokenizer
from nmt_attn.data.encoded import EncodedCorpus, EncodedPair, open_encoded, open_table, write_encoded
from nmt_attn.data.held_out import CorpusPart, is_held_out
from nmt_attn.data.readers import NumberedPair
from nmt_attn.data.sampled import SampledCorpus, SamplingPlan
from nmt_attn.data.subwords import SubwordSampling
from nmt_attn.data.tags import DefaultTags
from nmt_attn.data.tokenizer import Tokenizer
from nmt_attn.errors import DataError
from nmt_attn.files import write_text
from nmt_attn.text_io import read_text
from nmt_attn.types import SentencePair

_PARTS: tuple[CorpusPart, ...] = ("train", "valid")


class PreparedData(NamedTuple):
    """The corpora and codecs for training. The validation corpus has its `texts`."""

    config: Config  # with the tokenizer that the corpus has suggested, where it named none
    codecs: Codecs
    train: EncodedCorpus
    valid: EncodedCorpus
    train_report: CorpusReport
    valid_report: CorpusReport
    is_cached: bool
    folder: Path

    @property
    def source(self) -> TextCodec:
        """The codec of the source side."""
        return self.codecs.source

    @property
    def target(self) -> TextCodec:
        """The codec of the target side."""
        return self.codecs.target


def prepare_training(config: Config) -> PreparedData:
    """The encoded corpora of `config` and the codecs learned from data.train, from the cache if possible.

    Raises DataError if a corpus cannot be read or has no usable pair, ConfigError if the tokenizer cannot be learned.
    """
    config = with_tokenizer(config)
    folder = cache_folder(config) / fingerprint(config)
    is_cached = is_whole(folder)
    if not is_cached:
        with filling(folder) as temporary:
            _prepare(config, temporary)
    train_report, valid_report = map(CorpusReport.from_json, json.loads(read_text(folder / "reports.json")))
    codecs = load_codecs(folder / "vocab")
    return PreparedData(
        config=config,
        codecs=codecs,
        train=_open_train(folder / "train.arrow", config, codecs),
        valid=open_encoded(folder / "valid.arrow"),
        train_report=train_report,
        valid_report=valid_report,
        is_cached=is_cached,
        folder=folder,
    )


def _prepare(config: Config, folder: Path) -> None:
    codecs = _learn(config)
    codecs.save(folder / "vocab")
    reports = [_encode(config, part, codecs, folder / f"{part}.arrow") for part in _PARTS]
    write_text(folder / "reports.json", json.dumps([report.to_json() for report in reports], indent=2) + "\n")


def _learn(config: Config) -> Codecs:
    tokenizer = config.tokenizer
    if tokenizer.like is not None:
        return like_codecs(tokenizer)
    if not config.model.has_source:
        targets = (pair.target for pair in _learnable(config, "target side"))
        target = learn_codec(targets, tokenizer.side("target"), "data.train")
        return Codecs(target, target)
    if tokenizer.shared:
        both = (text for pair in _learnable(config, "both sides") for text in pair)
        shared = learn_codec(both, tokenizer, "data.train")
        return Codecs(shared, shared)
    sources = (pair.source for pair in _learnable(config, "source side"))
    targets = (pair.target for pair in _learnable(config, "target side"))
    source = learn_codec(sources, tokenizer.side("source"), "the source side of data.train", default_tags(config))
    return Codecs(source, learn_codec(targets, tokenizer.side("target"), "the target side of data.train"))


def _learnable(config: Config, side: str) -> Iterator[SentencePair]:
    """The training pairs except those known to be over-long, whose words would be in the vocabulary but in no pair."""
    source, target = side_tokenizers(config)
    report = CorpusReport("data.train")
    is_empty = True
    for pair in _progress(read_part(config, "train", report), f"vocabulary, {side}"):
        if max(len(source.encode(pair.source)), len(target.encode(pair.target))) <= config.data.max_length:
            is_empty = False
            yield SentencePair(pair.source, pair.target)
        else:
            report.drop("over-long", pair.number)
    if is_empty:
        raise _no_pairs(report, config)


def side_tokenizers(config: Config) -> tuple[Tokenizer, Tokenizer]:
    """Those of both sides, before anything is learned."""
    source, target = (config.tokenizer.side(side if config.model.has_source else "target") for side in SIDES)
    return side_tokenizer(source, default_tags(config)), side_tokenizer(target, None)


def default_tags(config: Config) -> DefaultTags | None:
    """The tags of a source text without any; None if no source text has tags."""
    columns = source_columns(config.data.columns)
    return DefaultTags(*columns.default_tags()) if columns is not None and columns.has_tags else None


def _encode(config: Config, part: CorpusPart, codecs: Codecs, path: Path) -> CorpusReport:
    """Writes a corpus as ids and returns its statistics."""
    report = CorpusReport(f"data.{part}")
    has_links = part == "train" and config.data.alignments is not None
    keep_text = part == "valid" or _resamples(config)
    pairs = _encoded(config, part, codecs, report)
    write_encoded(
        path,
        pairs,
        keep_text=keep_text,
        keep_links=has_links,
        has_factors=bool(codecs.source.vocabulary.factors),
        keep_rows=_copies(config),
    )
    if report.kept == 0:
        raise _no_pairs(report, config)
    return report


def _encoded(config: Config, part: CorpusPart, codecs: Codecs, report: CorpusReport) -> Iterator[EncodedPair]:
    pairs = _progress(read_part(config, part, report), f"data.{part}")
    for pair, links in _with_links(config, part, pairs, report):
        source, target = codecs.source.encode(pair.source), codecs.target.encode(pair.target)
        if part == "train" and _is_over_long(pair, source, target, config, report):
            report.drop("over-long", pair.number)
            continue
        report.source_tokens.add(len(source), codecs.source.vocabulary.count_unknown(source))
        report.target_tokens.add(len(target), codecs.target.vocabulary.count_unknown(target))
        text = SentencePair(pair.source, pair.target)
        if links is not None and not _resamples(config):  # else the pair is segmented when it is read
            links = _piece_links(links, text, codecs)
        rows = None
        if _copies(config):
            pieces, words = codecs.source.pieces(pair.source), codecs.target.vocabulary
            rows, target = source_rows(pieces, words), target_rows(codecs.target.pieces(pair.target), pieces, words)
        yield EncodedPair(source, target, text, links, rows)


def _with_links(
    config: Config, part: CorpusPart, pairs: Iterator[NumberedPair], report: CorpusReport
) -> Iterator[tuple[NumberedPair, Sequence[tuple[int, int]] | None]]:
    """The pairs with the given word links; only training pairs can have them. Raises DataError."""
    if part == "train" and config.data.alignments is not None:
        return ((pair, links) for pair, links in with_links(config, pairs, report))
    return ((pair, None) for pair in pairs)


def _resamples(config: Config) -> bool:
    """True if training text is segmented anew in every epoch, so that the text must be kept."""
    return config.training.subword_sampling.alpha is not None


def _copies(config: Config) -> bool:
    """True if words may be taken over from the source."""
    return config.model.decoder.copying != "none"


def _open_train(path: Path, config: Config, codecs: Codecs) -> EncodedCorpus:
    sampling = config.training.subword_sampling
    if sampling.alpha is None:
        return open_encoded(path)
    plan = SamplingPlan(
        codecs,
        SubwordSampling(config.tokenizer.side("source").algorithm, sampling.alpha, sampling.nbest),
        config.run.seed,
        config.data.max_length,
    )
    return SampledCorpus(open_table(path), plan)


def _piece_links(links: Sequence[tuple[int, int]], text: SentencePair, codecs: Codecs) -> list[tuple[int, int]]:
    source, target = codecs.source.tokenizer, codecs.target.tokenizer
    return link_pieces(
        links, source.word_indices(source.encode(text.source)), target.word_indices(target.encode(text.target))
    )


def _is_over_long(
    pair: NumberedPair, source: list[int], target: list[int], config: Config, report: CorpusReport
) -> bool:
    most, longest = config.data.max_length, max(len(source), len(target))
    if longest > most and config.data.over_long == "error":
        name = report.source if len(source) > most else report.target
        hint = "data.over_long: drop leaves such pairs out"
        raise DataError(
            f"{name}:{pair.number}: expected at most {most} tokens (data.max_length), got {longest} ({hint})"
        )
    return longest > most


def _progress(pairs: Iterable[NumberedPair], what: str) -> Iterator[NumberedPair]:
    """The pairs, with a progress bar if standard error is a terminal."""
    yield from tqdm(pairs, desc=what, unit=" pairs", disable=None, leave=False)


def _no_pairs(report: CorpusReport, config: Config) -> DataError:
    is_share = report.corpus == "data.valid" and is_held_out(config.data, "valid")
    hint = f" (data.held_out.valid {config.data.held_out.valid:g} is the share of data.train)" if is_share else ""
    return DataError(f"{report.corpus}: expected at least one usable pair, got none{hint}\n{report.text()}")
