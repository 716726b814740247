"""Corpora: where the text of data.train, data.valid and data.test is, and which of its lines are used.

    fault         train          valid          test
    malformed     drop (1)       drop (1)       error
    undecodable   as configured  as configured  error if configured, else U+FFFD replaces the bytes
    blank         as configured  drop           kept
    over-long     as configured  kept           kept            (judged where text is tokenised: prepare.py)

(1) error if `data.undecodable` is error: both mean that the line cannot be read. A test corpus keeps every line, so
that translations have the line numbers of its files. A blank side is white space only; a lone accent is not blank.

A language model (`model.encoder.layers: 0`) has no source: the target stands for both sides, and its decoder sees none.
"""

import functools
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from nmt_attn import registries
from nmt_attn.config.columns_section import ColumnName
from nmt_attn.config.messages import join_words
from nmt_attn.config.schema import Config, CorpusConfig, DataConfig
from nmt_attn.data.columns import SideColumns, source_columns
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.factors import FactorFormat
from nmt_attn.data.held_out import CorpusPart, is_held_out, part_of
from nmt_attn.data.readers import (
    Fault,
    NumberedPair,
    Sides,
    read_dataset,
    read_files,
    read_jsonl,
    read_tsv,
    text_pair,
)
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.files import shown, usable_path
from nmt_attn.registry import Registry
from nmt_attn.types import SentencePair


class Corpus(NamedTuple):
    """A corpus held in memory as text."""

    pairs: list[SentencePair]
    report: CorpusReport


class _Policy(NamedTuple):
    malformed: Literal["drop", "error"]
    undecodable: Literal["drop", "replace", "error"]
    blank: Literal["drop", "keep", "error"]


def read_test(config: Config) -> Corpus:
    """The pairs of data.test, as many as it has lines. Raises DataError, ConfigError."""
    return read_whole(config, "test")


def read_whole(config: Config, part: CorpusPart) -> Corpus:
    """The usable pairs of a corpus, all in memory. Raises DataError, ConfigError."""
    report = CorpusReport(f"data.{part}")
    pairs = [SentencePair(pair.source, pair.target) for pair in read_part(config, part, report)]
    return Corpus(pairs, report)


def has_test(config: Config) -> bool:
    """Whether there is a test corpus: named, or held out of data.train."""
    return config.data.test.is_named or is_held_out(config.data, "test")


def read_part(config: Config, part: CorpusPart, report: CorpusReport) -> Iterator[NumberedPair]:
    """Yields the usable pairs of a corpus and counts all lines in `report`. Raises DataError, ConfigError."""
    data = config.data
    policy = _policy(data, part)
    for pair in _pairs(config, part, report):
        fault = pair.fault
        if fault is not None and not _is_kept(fault, policy, pair.number, report):
            continue
        if pair.source.strip() and pair.target.strip():
            yield pair
        elif policy.blank == "keep":
            report.note("blank on one side or both, kept", pair.number)
            yield pair
        elif policy.blank == "drop":
            report.drop("blank", pair.number)
        else:
            name = report.target if pair.source.strip() else report.source
            raise DataError(f"{name}:{pair.number}: expected text, got a blank line (data.blank: drop leaves it out)")


def _pairs(config: Config, part: CorpusPart, report: CorpusReport) -> Iterator[NumberedPair]:
    """The pairs of a corpus, each line counted; those that data.train has lost to the others are dropped."""
    data, limit = config.data, getattr(config.data, part).limit
    if is_held_out(data, part):
        everything = islice(_read(config, "train", report), data.train.limit)
        for pair in islice((pair for pair in everything if _owner(pair, data) == part), limit):
            report.lines += 1
            yield pair
        return
    for pair in islice(_read(config, part, report), limit):
        report.lines += 1
        owner = _owner(pair, data) if part == "train" else part
        if owner == part:
            yield pair
        else:
            report.drop("held out for data.valid" if owner == "valid" else "held out for data.test", pair.number)


def _owner(pair: NumberedPair, data: DataConfig) -> CorpusPart:
    """The corpus that a pair of data.train belongs to; what cannot be used stays there, and is judged there."""
    is_usable = pair.fault is None and pair.source.strip() and pair.target.strip()
    return part_of(pair.source, data) if is_usable else "train"


def cache_folder(config: Config) -> Path:
    """`data.cache`, by default `cache` inside `run.dir`."""
    return usable_path(config.data.cache or Path(config.run.dir) / "cache", "data.cache")


def located(name: str, root: str | None) -> Path:
    """Where the file `name` of the configuration is. Raises DataError if there can be no such file."""
    return usable_path(usable_path(root or ".", "data.root") / usable_path(name, "data"), "data")


def _policy(data: DataConfig, part: CorpusPart) -> _Policy:
    malformed: Literal["drop", "error"] = "error" if data.undecodable == "error" else "drop"
    if part == "train":
        return _Policy(malformed, data.undecodable, data.blank)
    if part == "valid":
        return _Policy(malformed, data.undecodable, "drop")
    return _Policy("error", "error" if data.undecodable == "error" else "replace", "keep")


def _is_kept(fault: Fault, policy: _Policy, number: int, report: CorpusReport) -> bool:
    action = policy.malformed if fault.reason == "malformed" else policy.undecodable
    if action == "error":
        raise DataError(fault.message)
    if action == "drop":
        report.drop(fault.reason, number)
        return False
    report.note("undecodable bytes, read as U+FFFD", number)
    return True


def _read(config: Config, part: CorpusPart, report: CorpusReport) -> Iterator[NumberedPair]:
    """All pairs of a corpus in any form; where source words have factors, one without is a fault of its line."""
    pairs = _as_written(config, part, report)
    form = FactorFormat.of(config.tokenizer.side("source"))
    if form is None:
        return pairs
    columns = source_columns(config.data.columns)
    has_tags = columns is not None and columns.has_tags
    return (_checked(pair, form.fault(pair.source, has_tags=has_tags), report) for pair in pairs)


def _checked(pair: NumberedPair, wrong: str | None, report: CorpusReport) -> NumberedPair:
    if wrong is None or pair.fault is not None:
        return pair
    return NumberedPair(pair.number, "", "", Fault("malformed", f"{report.source}:{pair.number}: {wrong}"))


def _as_written(config: Config, part: CorpusPart, report: CorpusReport) -> Iterator[NumberedPair]:
    corpus: CorpusConfig = getattr(config.data, part)
    form = _form(corpus, report.corpus, has_source=config.model.has_source)
    if form is None:
        names = (corpus.source if config.model.has_source else corpus.target, corpus.target)
        source, target = (located(str(name), config.data.root) for name in names)
        return read_files(source, target, report)
    return CORPUS_FORMS[form](corpus, config, report)


def tsv_pairs(corpus: CorpusConfig, config: Config, report: CorpusReport) -> Iterator[NumberedPair]:
    """Columns of `corpus.tsv`."""
    for value, name in ((corpus.source, "source"), (corpus.target, "target")):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ConfigError(
                f"{report.corpus}.{name}: expected the number of a column, from 1, got {shown(str(value))}"
            )
    return read_tsv(located(str(corpus.tsv), config.data.root), _sides(corpus, config, 1, 2), report)


def jsonl_pairs(corpus: CorpusConfig, config: Config, report: CorpusReport) -> Iterator[NumberedPair]:
    """Fields of each line of `corpus.jsonl`."""
    sides = _sides(corpus, config, "source", "target")
    return read_jsonl(located(str(corpus.jsonl), config.data.root), sides, report)


def dataset_pairs(corpus: CorpusConfig, config: Config, report: CorpusReport) -> Iterator[NumberedPair]:
    """Fields of each row of `corpus.dataset`."""
    folder = located(str(corpus.dataset), config.data.root)
    sides = _sides(corpus, config, "source", "target")
    return read_dataset(corpus, sides, folder=folder, cache=cache_folder(config), report=report)


def builtin_pairs(corpus: CorpusConfig, config: Config, report: CorpusReport) -> Iterator[NumberedPair]:
    """A split of the corpus that the package makes itself."""
    split = corpus.split or "train"
    report.source = report.target = f"the built-in corpus ({split})"
    pairs = enumerate(_demo_pairs(split, corpus.limit), start=1)
    has_source = config.model.has_source
    return (
        text_pair(number, pair.source if has_source else pair.target, pair.target, report) for number, pair in pairs
    )


@functools.cache
def _demo_pairs(split: str, limit: int | None) -> tuple[SentencePair, ...]:
    """Cached, because generating the corpus takes seconds and it is read more than once."""
    from nmt_attn.demo.corpus import demo_corpus

    return tuple(SentencePair(pair.source, pair.target) for pair in demo_corpus(split, limit))


def _form(corpus: CorpusConfig, where: str, *, has_source: bool) -> str | None:
    """The key that says where the corpus is; None for files of text. Raises ConfigError unless there is one place."""
    given = [name for name in CORPUS_FORMS if getattr(corpus, name) is not None]
    if not given and corpus.target is not None and (corpus.source is not None or not has_source):
        return None
    if len(given) != 1:
        forms = f"one of source and target files, {join_words(CORPUS_FORMS)}"
        raise ConfigError(f"{where}: expected {forms}, got {' and '.join(given) or 'none of them'}")
    return given[0]


def _sides(corpus: CorpusConfig, config: Config, source: ColumnName, target: ColumnName) -> Sides:
    """Where the texts are: as data.columns says, else the corpus itself, else in these columns."""
    if not config.model.has_source:
        return Sides.of(corpus.target or target, corpus.target or target)
    columns = config.data.columns
    several = source_columns(columns)
    if several is not None and columns.target is not None:
        return Sides(several, SideColumns.one(columns.target))
    return Sides.of(corpus.source or source, corpus.target or target)


CORPUS_FORMS: Registry[Callable[[CorpusConfig, Config, CorpusReport], Iterator[NumberedPair]]] = registries.CORPUS_FORMS
"""(corpus, everything, report) -> all pairs of the corpus."""
