"""Subjects: which models an evaluation is about, on which sentences, with which gold alignments."""

from pathlib import Path
from typing import NamedTuple

import typer

from nmt_attn.alignment.link_files import LinkFile, read_links, tell_of_stray_links
from nmt_attn.alignment.links import GoldLinks, Link
from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.schema import Config, CorpusConfig, DataConfig, EvaluateConfig
from nmt_attn.data.corpus import read_test
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.find_model import find_model
from nmt_attn.model.store import BEST, CONFIG


class Subject(NamedTuple):
    """What is evaluated: a model, alone or as the best one of a run."""

    name: str
    model: Path
    run: Path | None
    config: Config


class EvaluationSet(NamedTuple):
    """Sentences and their translations by people; `name` is for files."""

    name: str
    sources: list[str]
    references: list[str]


def find_subject(folder: Path | None) -> Subject:
    """The model meant by a run's or a model's folder, or by none; the run's configuration counts, if there is a run."""
    model = find_model(folder)
    run = model.parent if model.name == BEST and (model.parent / CONFIG).is_file() else None
    name = run or model
    return Subject(name.resolve().name, model, run, load_config(name / CONFIG, []))


def evaluation_config(subject: Subject | None, overrides: tuple[str, ...]) -> EvaluateConfig:
    """What is reported: as the first model's configuration says, or by default, with `evaluate.key=value` on top."""
    for override in overrides:
        if not override.startswith("evaluate."):
            raise ConfigError(f"--set: expected a key of evaluate, such as evaluate.tokenize=none, got {override!r}")
    if subject is None:
        return parse_config("", overrides, "--set").evaluate
    return load_config((subject.run or subject.model) / CONFIG, overrides).evaluate


def read_test_set(source: Path | None, reference: Path | None, subject: Subject | None) -> EvaluationSet:
    """The files, or the data.test of the subject's run. Raises ConfigError if there is neither, DataError."""
    if source is not None and reference is not None:
        files = CorpusConfig(source=str(source), target=str(reference))
        undecodable = subject.config.data.undecodable if subject else DataConfig().undecodable
        data, name = DataConfig(test=files, undecodable=undecodable), source.name.removesuffix(".gz")
    elif subject is None:
        raise ConfigError("--hypothesis: expected --source FILE --reference FILE or --model RUN beside it, got neither")
    elif subject.run is not None:
        data, name = subject.config.data, "test"
    else:
        raise ConfigError(
            f"{subject.model}: expected a run, which has a test set of its own, got a model folder "
            "(name a test set: --source FILE --reference FILE)"
        )
    corpus = read_test((subject.config if subject else Config()).model_copy(update={"data": data}))
    if corpus.report.notes:
        typer.echo(corpus.report.text(), err=True)
    if not corpus.pairs:
        raise DataError(f"{corpus.report.source}: expected at least 1 sentence, got 0")
    return EvaluationSet(name, [pair.source for pair in corpus.pairs], [pair.target for pair in corpus.pairs])


def read_gold(file: LinkFile, test: EvaluationSet) -> list[GoldLinks]:
    """The gold links of each sentence; those out of range count as never found, and are told of. Raises DataError."""
    gold = read_links(file, len(test.sources))
    if len(gold) != len(test.sources):
        raise DataError(
            f"{file.path}: expected {len(test.sources)} lines, one a sentence of the test set, got {len(gold)}"
        )
    lengths = [[len(line.split()) for line in side] for side in (test.sources, test.references)]
    tell_of_stray_links(file, gold, "--gold-base", *lengths)
    return gold


def built_in_gold(subject: Subject) -> list[GoldLinks] | None:
    """The links that the built-in corpus brings along, if that is what the run is tested on."""
    corpus = subject.config.data.test
    if subject.run is None or corpus.builtin is None:
        return None
    from nmt_attn.demo.corpus import demo_corpus

    links = [
        frozenset(Link(*link) for link in pair.links) for pair in demo_corpus(corpus.split or "train", corpus.limit)
    ]
    return [GoldLinks(each, each) for each in links]
