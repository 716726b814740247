"""Which keys contradict each other. An option that would change nothing is refused, with the reason.

Every message names both keys. What a single key accepts: nmt_attn/config/schema.py.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from nmt_attn.config.model_rules import MODEL_RULES, SCORES_WITH_TANH
from nmt_attn.config.regularisation_rules import REGULARISATION_RULES
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.config.words import complain, complain_idle, is_default, join_words, show, value_at, with_value

_SCORED = ("additive", "normed-additive", "dot", "scaled-dot", "general", "scaled-general", "concat", "location")
_FALLING = ("plateau", "halving", "step-halving", "inverse-sqrt", "cosine", "linear")
_CONTAINERS = ("tsv", "jsonl", "dataset", "builtin")
_CORPORA = ("train", "valid", "test")


class Need(NamedTuple):
    """`key` has an effect only where `other` has one of `values`; elsewhere it must be at its default."""

    key: str
    other: str
    values: tuple[str, ...]


NEEDS = (
    Need("tokenizer.algorithm", "tokenizer.kind", ("sentencepiece",)),
    Need("tokenizer.min_frequency", "tokenizer.kind", ("word", "char")),
    Need("model.attention.window", "model.attention.score", _SCORED),
    Need("model.attention.bias", "model.attention.score", SCORES_WITH_TANH),
    Need("model.attention.concat_keys", "model.attention.score", ("concat",)),
    Need("model.attention.project", "model.attention.score", ("dot", "scaled-dot")),
    Need("model.attention.attend_eos", "model.attention.score", _SCORED),
    Need("model.attention.max_positions", "model.attention.score", ("location",)),
    Need("model.attention.half_width", "model.attention.window", ("local-m", "local-p")),
    Need("model.attention.half_width", "model.attention.score", _SCORED),
    Need("model.attention.sigma", "model.attention.window", ("local-p",)),
    Need("model.attention.sigma", "model.attention.score", _SCORED),
    Need("model.attention.renormalise", "model.attention.window", ("local-p",)),
    Need("model.attention.renormalise", "model.attention.score", _SCORED),
    Need("model.attention.fixed_context", "model.attention.score", ("none",)),
    Need("model.decoder.init_cell", "model.decoder.cell", ("lstm",)),
    Need("model.decoder.input_feeding", "model.decoder.style", ("luong",)),
    Need("model.decoder.attentional_activation", "model.decoder.style", ("luong",)),
    Need("model.decoder.attentional_bias", "model.decoder.style", ("luong",)),
    Need("model.decoder.attentional_dropout", "model.decoder.style", ("luong",)),
    Need("model.decoder.readout_state", "model.decoder.style", ("bahdanau",)),
    Need("model.initial_range", "model.initialisation", ("uniform",)),
    Need("training.betas", "training.optimizer", ("adam", "adamw")),
    Need("training.rho", "training.optimizer", ("adadelta",)),
    Need("training.epsilon", "training.optimizer", ("adam", "adamw", "adadelta", "adagrad")),
    Need("training.halve_after_epochs", "training.schedule", ("halving",)),
    Need("training.decay_after", "training.schedule", ("step-halving",)),
    Need("training.decay_times", "training.schedule", ("step-halving",)),
    Need("training.decay_factor", "training.schedule", ("plateau",)),
    Need("training.decay_patience", "training.schedule", ("plateau",)),
    Need("training.minimum_rate", "training.schedule", _FALLING),
    Need("training.alignment_picture", "model.attention.score", _SCORED),
    Need("search.alpha", "search.length_penalty", ("gnmt", "reward")),
    Need("search.stop", "search.length_penalty", ("average", "gnmt", "reward")),
    Need("search.coverage_penalty", "model.attention.score", _SCORED),
)


def contradictions(config: Config) -> list[str]:
    """One message for each pair of keys that cannot stand together."""
    return [message for rule in _RULES for message in rule(config)]


def _needs(config: Config) -> Iterator[str]:
    reported = set()
    for need in NEEDS:
        if need.key in reported or is_default(config, need.key) or value_at(config, need.other) in need.values:
            continue
        reported.add(need.key)
        hint = f"it is for {join_words(show(value) for value in need.values)}"
        yield complain_idle(config, need.key, with_value(config, need.other), hint)


def _corpora(config: Config) -> Iterator[str]:
    train = _place(config, "data.train")
    for name in _CORPORA:
        where = f"data.{name}"
        yield from _corpus(config, where, value_at(config, where))
        place = _place(config, where)
        if train.endswith(".builtin") != place.endswith(".builtin") and value_at(config, place) is not None:
            expected = f"null beside {with_value(config, train)}, as a built-in corpus goes with no other"
            yield complain(config, place, expected, "name the places of all three corpora")
    if config.data.root is not None and all(value_at(config, f"data.{name}.builtin") for name in _CORPORA):
        yield complain_idle(config, "data.root", with_value(config, "data.train.builtin"))


def _place(config: Config, where: str) -> str:
    """The key that says where the corpus is."""
    places = (f"{where}.{place}" for place in _CONTAINERS if value_at(config, f"{where}.{place}") is not None)
    return next(places, f"{where}.source")


def _corpus(config: Config, where: str, corpus: CorpusConfig) -> Iterator[str]:
    """One place, and keys that mean something there."""
    place = _place(config, where)
    for other in (f"{where}.{name}" for name in _CONTAINERS):
        if other != place and value_at(config, other) is not None:
            yield complain(config, other, f"null beside {with_value(config, place)}, as a corpus has one place")
    for name in ("subset", "revision"):
        if corpus.dataset is None and value_at(config, f"{where}.{name}") is not None:
            yield complain(config, f"{where}.{name}", f"null without {where}.dataset")
    if corpus.split is not None and corpus.dataset is None and corpus.builtin is None:
        yield complain(config, f"{where}.split", f"null without {where}.dataset or {where}.builtin")
    if corpus.builtin is not None and corpus.split not in _CORPORA:
        expected = f"one of {', '.join(map(show, _CORPORA))} with {with_value(config, f'{where}.builtin')}"
        yield complain(config, f"{where}.split", expected)
    yield from _sides(config, where, place)


def _sides(config: Config, where: str, place: str) -> Iterator[str]:
    """source and target: both or neither, of the kind that the place asks for."""
    keys = [f"{where}.source", f"{where}.target"]
    given = [key for key in keys if value_at(config, key) is not None]
    if place == f"{where}.builtin":
        yield from (complain(config, key, f"null beside {with_value(config, place)}") for key in given)
        return
    for key in given:
        value = value_at(config, key)
        if place == f"{where}.tsv":
            if not isinstance(value, int) or value < 1:
                yield complain(config, key, f"the number of a column of {place}, from 1")
        elif not isinstance(value, str):
            is_file = place in keys
            words = f"a file, as there is no {where}.tsv" if is_file else f"the name of a field of {place}"
            yield complain(config, key, words)
    if len(given) == 1:
        missing = next(key for key in keys if key not in given)
        yield complain(config, missing, f"a value like that of {with_value(config, given[0])}")
    elif not given and place in keys:
        others = join_words(f"{where}.{other}" for other in _CONTAINERS)
        yield complain(config, keys[0], f"a file (and one in {keys[1]}) where there is no {others}")


def _training(config: Config) -> Iterator[str]:
    training = config.training
    if training.epochs is None and training.updates is None and training.minutes is None:
        yield complain(config, "training.epochs", "a number here, in training.updates or in training.minutes")
    if training.metric != "loss" and not training.validate_translation:
        yield complain(config, "training.validate_translation", f"true with {with_value(config, 'training.metric')}")
    if training.validate_updates is not None and not is_default(config, "training.validate_epochs"):
        yield complain_idle(config, "training.validate_epochs", with_value(config, "training.validate_updates"))
    if training.updates is not None and training.warmup_updates >= training.updates:
        yield complain(config, "training.warmup_updates", f"fewer than {with_value(config, 'training.updates')}")
    if training.cuda_graphs:
        yield from _cuda_graphs(config)
    if training.minimum_rate >= training.learning_rate:
        yield complain(config, "training.minimum_rate", f"less than {with_value(config, 'training.learning_rate')}")


def _cuda_graphs(config: Config) -> Iterator[str]:
    """A graph does the same work at every update, on a GPU."""
    key = "training.cuda_graphs"
    if config.run.device == "cpu":
        yield complain(config, key, f"false with {with_value(config, 'run.device')}, as graphs are for a GPU")
    if config.training.scheduled_sampling.rate > 0:
        reason = with_value(config, "training.scheduled_sampling.rate")
        yield complain(config, key, f"false with {reason}, which changes from update to update")
    if config.data.alignments is not None:
        reason = with_value(config, "data.alignments")
        yield complain(config, key, f"false with {reason}, whose weights have the shape of no bucket")


def _search(config: Config) -> Iterator[str]:
    search = config.search
    for key in ("search.length_penalty", "search.stop", "search.coverage_penalty"):
        if search.beam == 1 and not is_default(config, key):
            yield complain_idle(config, key, with_value(config, "search.beam"), "one hypothesis has no rivals")
    if search.beam % search.groups != 0:
        yield complain(config, "search.groups", f"a divisor of {with_value(config, 'search.beam')}")
    if search.groups == 1 and not is_default(config, "search.group_penalty"):
        yield complain_idle(config, "search.group_penalty", with_value(config, "search.groups"))
    if search.max_length is not None and search.min_length > search.max_length:
        yield complain(config, "search.min_length", f"at most {with_value(config, 'search.max_length')}")
    if search.min_length_factor > search.max_length_factor:
        yield complain(config, "search.min_length_factor", f"at most {with_value(config, 'search.max_length_factor')}")


def _evaluate(config: Config) -> Iterator[str]:
    bounds = config.evaluate.length_buckets
    if any(high <= low for low, high in pairwise(bounds)):
        yield complain(config, "evaluate.length_buckets", "bounds that rise")


_RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    _corpora,
    _needs,
    *MODEL_RULES,
    _training,
    *REGULARISATION_RULES,
    _search,
    _evaluate,
)
