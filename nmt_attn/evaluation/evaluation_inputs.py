"""Evaluation inputs: the models, the test set and its gold alignments."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import typer

from nmt_attn.alignment.link_files import LinkFile, read_links, warn_of_stray_links
from nmt_attn.alignment.links import GoldLinks
from nmt_attn.config.file import load_resolved, parse_config
from nmt_attn.config.schema import Config, CorpusConfig, DataConfig, EvaluateConfig
from nmt_attn.data.corpus import has_test, read_whole
from nmt_attn.data.factors import FactorFormat
from nmt_attn.data.held_out import CorpusPart
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.evaluation.lengths import units_of
from nmt_attn.evaluation.references import join_sources
from nmt_attn.files import check_count
from nmt_attn.model.seed_runs import find_seed_runs
from nmt_attn.model.store import BEST, CONFIG, check_own, find_model
from nmt_attn.text_io import read_lines

ONE_A_SENTENCE = "one a sentence of the test set"


class EvaluatedModel(NamedTuple):
    """A model folder, alone or as the best model of a run."""

    name: str
    folder: Path
    run: Path | None
    config: Config


class EvaluationSet(NamedTuple):
    """Sentences and their reference translations; `name` is for file names. Metrics know the `further` ones too.

    Where sources are joined, `lines` says from which line of the `lines_in_all` of the test set each is.
    """

    name: str
    sources: list[str]
    references: list[str]
    further: Sequence[list[str]] = ()
    lines: Sequence[int] | None = None
    lines_in_all: int = 0

    def golds(self) -> list[list[str]]:
        """The distinct references of each sentence."""
        return [list(dict.fromkeys(texts)) for texts in zip(self.references, *self.further, strict=True)]


def joined(test: EvaluationSet) -> EvaluationSet:
    """One line for each distinct source, with the references of all its lines."""
    found = join_sources(test.sources, [test.references, *test.further])
    return EvaluationSet(test.name, found.sources, found.first, found.further, found.lines, len(test.sources))


def locate_model(folder: Path | None) -> EvaluatedModel:
    """The model of a run's or a model's folder; None: the newest run. The run's configuration if there is one."""
    found = find_model(folder)
    run = found.parent if found.name == BEST and (found.parent / CONFIG).is_file() else None
    place = run or found
    check_own(place)
    return EvaluatedModel(place.resolve().name, found, run, load_resolved(place / CONFIG))


class Family(NamedTuple):
    """Models that an ensemble is made of; with --seeds, the runs of one --model."""

    name: str
    models: list[EvaluatedModel]


def find_families(named: Sequence[Path | None], seeds: int | None) -> list[Family]:
    """The models, all in one family or, with --seeds, one family a --model. Equal names become paths."""
    if seeds is None:
        models = {each.folder.resolve(): each for each in map(locate_model, named)}
        return [Family("all", _with_own_names(list(models.values())))]
    found = [find_seed_runs(model, seeds) for model in named]
    families = {each.stem.resolve(): each for each in found}.values()
    names = Counter(each.stem.name for each in families)
    models_of = iter(_with_own_names([locate_model(run) for each in families for run in each.runs]))
    return [
        Family(each.stem.name if names[each.stem.name] == 1 else str(each.stem), [next(models_of) for _ in each.runs])
        for each in families
    ]


def _with_own_names(models: Sequence[EvaluatedModel]) -> list[EvaluatedModel]:
    names = Counter(model.name for model in models)
    return [model._replace(name=str(model.run or model.folder)) if names[model.name] > 1 else model for model in models]


def check_search(models: Sequence[EvaluatedModel], keys: Sequence[str], evaluate: EvaluateConfig) -> None:
    """Raises ConfigError if one of the models cannot search with these keys of search, or for this evaluation."""
    for model in models:
        load_resolved(model.folder / CONFIG, (*keys, f"evaluate.top={evaluate.top}"))


def evaluation_config(model: EvaluatedModel | None, overrides: Sequence[str]) -> EvaluateConfig:
    """`evaluate` of the first model's configuration, or the default, with overrides of `evaluate` and `search`."""
    if model is None:
        return parse_config("", overrides, "--set").evaluation
    return load_resolved((model.run or model.folder) / CONFIG, overrides).evaluation


def read_test_set(source: Path | None, references: Sequence[Path], model: EvaluatedModel | None) -> EvaluationSet:
    """The files, or data.test of the model's run; data.valid, with a note, if the run has no test set.

    Raises ConfigError if there is neither files nor a run, and DataError.
    """
    part: CorpusPart = "test"
    if source is not None and references:
        files = CorpusConfig(source=str(source), target=str(references[0]))
        undecodable = model.config.data.undecodable if model else DataConfig().undecodable
        data, name = DataConfig(test=files, undecodable=undecodable), source.name.removesuffix(".gz")
    elif model is None:
        raise ConfigError("--hypothesis: expected --source FILE --reference FILE or --model RUN beside it, got neither")
    elif model.run is not None:
        part = "test" if has_test(model.config) else "valid"
        data, name = model.config.data, part
        if part == "valid":
            typer.echo(f"note: {model.run} has no test set (data.test), so this is its validation set", err=True)
    else:
        raise ConfigError(
            f"{model.folder}: expected a run, which has a test set of its own, got a model folder "
            "(name a test set: --source FILE --reference FILE)"
        )
    corpus = read_whole((model.config if model else Config()).model_copy(update={"data": data}), part)
    if corpus.report.notes:
        typer.echo(corpus.report.text(), err=True)
    if not corpus.pairs:
        raise DataError(f"{corpus.report.source}: expected at least 1 sentence, got 0")
    further = [read_lines(path) for path in references[1:]]
    for path, lines in zip(references[1:], further, strict=True):
        check_count(path, len(lines), len(corpus.pairs), ONE_A_SENTENCE)
    return EvaluationSet(name, [pair.source for pair in corpus.pairs], [pair.target for pair in corpus.pairs], further)


def without_factors(test: EvaluationSet, model: EvaluatedModel | None) -> EvaluationSet:
    """The set with the sources as the model's language is written: without what the model reads beside its words."""
    form = None if model is None else FactorFormat.of(model.config.tokenizer.side("source"))
    return test if form is None else test._replace(sources=list(map(form.strip, test.sources)))


def _most_positions(lines: Sequence[str]) -> list[int]:
    """Of what links are between: words, or letters, as many as there can be, where every line is one word."""
    if units_of(lines).name == "characters":
        return [len(normalize("NFD", line)) for line in lines]
    return [len(line.split()) for line in lines]


def read_gold(file: LinkFile, test: EvaluationSet) -> list[GoldLinks]:
    """The gold links of each sentence. Reports links out of range, which count as never found. Raises DataError."""
    gold = read_links(file, len(test.sources))
    check_count(file.path, len(gold), len(test.sources), ONE_A_SENTENCE)
    lengths = [_most_positions(side) for side in (test.sources, test.references)]
    warn_of_stray_links(file, gold, "--gold-base", *lengths)
    return gold


def built_in_gold(model: EvaluatedModel) -> list[GoldLinks] | None:
    """The links of the built-in corpus, if that is the run's test set."""
    corpus = model.config.data.test
    if model.run is None or corpus.builtin is None:
        return None
    from nmt_attn.demo.corpus import demo_corpus

    links = [frozenset(pair.links) for pair in demo_corpus(corpus.split or "train", corpus.limit)]
    return [GoldLinks(each, each) for each in links]
