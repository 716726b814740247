"""Which keys contradict each other. An option that would change nothing is refused, with the reason.

Every message names both keys. What a single key accepts: nmt_attn/config/schema.py.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

from nmt_attn.config.key_paths import is_default, value_at
from nmt_attn.config.messages import complain, complain_idle, join_words, show, with_value
from nmt_attn.config.model_rules import model_contradictions
from nmt_attn.config.options import unread_options
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.config.tokenizer_section import SIDES, SideTokenizerConfig
from nmt_attn.registries import CORPUS_FORMS, NORMALISERS, SCORES

_CORPORA = ("train", "valid", "test")
_MOST_HELD_OUT = 0.5
_OF_ATTENTION = (
    "model.attention.window",
    "model.attention.normalise",
    "model.attention.attend_eos",
    "model.attention.half_width",
    "model.attention.sigma",
    "model.attention.renormalise",
    "model.attention.position",
    "training.alignment_picture",
    "search.coverage_penalty",
)
"""Keys that have no effect without attention."""


def contradictions(config: Config) -> list[str]:
    """One message for each pair of keys that cannot stand together."""
    return [message for rule in _RULES for message in rule(config)]


def _idle_keys(config: Config) -> Iterator[str]:
    """Keys whose value has no effect with the chosen parts, each reported once."""
    reported = dict([*_without_attention(config), *unread_options(config)])
    yield from reported.values()


def _without_attention(config: Config) -> Iterator[tuple[str, str]]:
    score = "model.attention.score"
    if config.model.attention.score == "none":
        hint = f"it is for {join_words(map(show, SCORES))}"
        keys = (key for key in _OF_ATTENTION if not is_default(config, key))
        yield from ((key, complain_idle(config, key, with_value(config, score), hint)) for key in keys)
    elif config.model.attention.fixed_context:
        key = "model.attention.fixed_context"
        yield key, complain_idle(config, key, with_value(config, score), "it is for 'none'")


def _corpora(config: Config) -> Iterator[str]:
    train = _place(config, "data.train")
    for name in _CORPORA:
        where = f"data.{name}"
        yield from _corpus(config, where, value_at(config, where))
        place = _place(config, where)
        if train.endswith(".builtin") != place.endswith(".builtin") and value_at(config, place) is not None:
            expected = f"null beside {with_value(config, train)}, as a built-in corpus goes with no other"
            yield complain(config, place, expected, "name the places of all three corpora")
    yield from _held_out(config)
    if config.data.root is not None and all(value_at(config, f"data.{name}.builtin") for name in _CORPORA):
        yield complain_idle(config, "data.root", with_value(config, "data.train.builtin"))


def _held_out(config: Config) -> Iterator[str]:
    """A share that is held out has no text of its own beside it."""
    where, data = "data.held_out", config.data
    for name in ("valid", "test"):
        share, place = value_at(config, f"{where}.{name}"), _place(config, f"data.{name}")
        if share > 0 and value_at(config, place) is not None:
            yield complain(config, f"{where}.{name}", f"0.0 beside {with_value(config, place)}")
    if data.held_out.valid + data.held_out.test > _MOST_HELD_OUT:
        expected = f"at most {_MOST_HELD_OUT} together with {with_value(config, f'{where}.valid')}"
        yield complain(config, f"{where}.test", expected)
    if data.held_out.valid == data.held_out.test == 0 and not is_default(config, f"{where}.seed"):
        yield complain_idle(config, f"{where}.seed", with_value(config, f"{where}.valid"))


def _is_left_out(config: Config, where: str) -> bool:
    """Whether a corpus may name no place: it is held out, or no test corpus beside text of the user's own."""
    if value_at(config, where).is_named or where == "data.train":
        return False
    if where == "data.test" and not _place(config, "data.train").endswith(".builtin"):
        return True
    return bool(value_at(config, where.replace("data.", "data.held_out.")) > 0)


def _place(config: Config, where: str) -> str:
    """The key that says where the corpus is."""
    places = (f"{where}.{place}" for place in CORPUS_FORMS if value_at(config, f"{where}.{place}") is not None)
    return next(places, f"{where}.source")


def _corpus(config: Config, where: str, corpus: CorpusConfig) -> Iterator[str]:
    """One place, and keys that mean something there."""
    if _is_left_out(config, where):
        if where == "data.test" and config.data.held_out.test == 0 and corpus.limit is not None:
            yield complain_idle(config, f"{where}.limit", with_value(config, "data.held_out.test"))
        for name in ("subset", "revision", "split"):
            if value_at(config, f"{where}.{name}") is not None:
                yield complain(config, f"{where}.{name}", f"null without {where}.dataset")
        return
    place = _place(config, where)
    for other in (f"{where}.{name}" for name in CORPUS_FORMS):
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
        others = join_words(f"{where}.{other}" for other in CORPUS_FORMS)
        yield complain(config, keys[0], f"a file (and one in {keys[1]}) where there is no {others}")


def _training(config: Config) -> Iterator[str]:
    training = config.training
    if training.metric != "loss" and not training.validate_translation:
        yield complain(config, "training.validate_translation", f"true with {with_value(config, 'training.metric')}")
    if training.validate_updates is not None and not is_default(config, "training.validate_epochs"):
        yield complain_idle(config, "training.validate_epochs", with_value(config, "training.validate_updates"))
    if training.updates is not None and training.warmup_updates >= training.updates:
        yield complain(config, "training.warmup_updates", f"fewer than {with_value(config, 'training.updates')}")
    if training.cuda_graphs is True:
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


def _scheduled_sampling(config: Config) -> Iterator[str]:
    where = "training.scheduled_sampling"
    for key in (f"{where}.{name}" for name in ("decay", "updates", "choice")):
        if config.training.scheduled_sampling.rate == 0 and not is_default(config, key):
            yield complain_idle(config, key, with_value(config, f"{where}.rate"))


def _guided_attention(config: Config) -> Iterator[str]:
    where, alignments = "training.guided_attention", config.data.alignments
    for key in (f"{where}.{name}" for name in ("weight", "decay", "updates")):
        if alignments is None and not is_default(config, key):
            yield complain_idle(config, key, with_value(config, "data.alignments"))
    if alignments is None:
        return
    if config.training.guided_attention.decay == "none" and not is_default(config, f"{where}.updates"):
        yield complain_idle(config, f"{where}.updates", with_value(config, f"{where}.decay"))
    if config.model.attention.score == "none":
        expected = f"null with {with_value(config, 'model.attention.score')}, as there are no weights to guide"
        yield complain(config, "data.alignments", expected)
    key = "model.attention.normalise"
    if not is_default(config, key) and NORMALISERS[config.model.attention.normalise].is_sparse:
        reason = with_value(config, key)
        yield complain(config, "data.alignments", f"null with {reason}, whose weights of 0 cannot learn from them")
    is_builtin = config.data.train.builtin is not None
    if is_builtin != (alignments == "builtin"):
        reason = with_value(config, "data.train.builtin")
        yield complain(config, "data.alignments", f"{'builtin' if is_builtin else 'a file'} with {reason}")


def _tokenizer(config: Config) -> Iterator[str]:
    """A vocabulary for both sides has one tokenizer; what both sides have of their own is not read from `tokenizer`."""
    for name in SideTokenizerConfig.model_fields:
        own = [f"tokenizer.{side}.{name}" for side in SIDES if value_at(config, f"tokenizer.{side}.{name}") is not None]
        if config.tokenizer.shared:
            yield from (complain(config, key, f"null beside {with_value(config, 'tokenizer.shared')}") for key in own)
        elif len(own) == len(SIDES) and not is_default(config, f"tokenizer.{name}"):
            reason = " and ".join(with_value(config, key) for key in own)
            yield complain_idle(config, f"tokenizer.{name}", reason)


def _subword_sampling(config: Config) -> Iterator[str]:
    sampling, where = config.training.subword_sampling, "training.subword_sampling"
    sides = [config.tokenizer.side(side) for side in SIDES]
    is_bpe = sides[0].algorithm == "bpe"
    if sampling.alpha is None:
        if sampling.nbest is not None:
            yield complain_idle(config, f"{where}.nbest", with_value(config, f"{where}.alpha"))
    elif other := next((side for side, own in zip(SIDES, sides, strict=True) if own.kind != "sentencepiece"), None):
        is_own = value_at(config, f"tokenizer.{other}.kind") is not None
        reason = with_value(config, f"tokenizer.{other}.kind" if is_own else "tokenizer.kind")
        yield complain(config, f"{where}.alpha", f"null with {reason}, which cuts a text in one way alone")
    elif sides[0].algorithm != sides[1].algorithm:
        own = next(f"tokenizer.{side}.algorithm" for side in SIDES if value_at(config, f"tokenizer.{side}.algorithm"))
        yield complain(
            config, f"{where}.alpha", f"null with {with_value(config, own)}, as both sides are sampled alike"
        )
    elif is_bpe and not 0 < sampling.alpha < 1:
        expected = f"between 0 and 1, both left out, with {with_value(config, 'tokenizer.algorithm')}"
        yield complain(config, f"{where}.alpha", expected, "the share of merges that are left out")
    elif is_bpe and sampling.nbest is not None:
        yield complain_idle(config, f"{where}.nbest", with_value(config, "tokenizer.algorithm"))


def _vectors(config: Config) -> Iterator[str]:
    vectors, where, tie = config.data.vectors, "data.vectors", config.model.tie
    reason = with_value(config, "model.tie")
    is_one = tie in ("source-target", "all")
    if is_one and vectors.source is not None and vectors.target is not None:
        expected = f"null beside {where}.source with {reason}, as both sides have one matrix"
        yield complain(config, f"{where}.target", expected)
    for key in (f"{where}.source", f"{where}.target"):
        if config.training.init_from is not None and value_at(config, key) is not None:
            reason = with_value(config, "training.init_from")
            yield complain(config, key, f"null with {reason}, as word vectors come from one place")
    if not vectors.freeze:
        return
    if vectors.source is None and vectors.target is None:
        yield complain_idle(
            config,
            f"{where}.freeze",
            f"{with_value(config, f'{where}.source')} and {with_value(config, f'{where}.target')}",
        )
    elif tie == "all" or (tie == "target-output" and vectors.target is not None):
        yield complain(config, f"{where}.freeze", f"false with {reason}, as the output layer would not learn either")


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
    bounds = config.evaluate.length_buckets or ()
    if any(high <= low for low, high in pairwise(bounds)):
        yield complain(config, "evaluate.length_buckets", "bounds that rise")
    key = "evaluate.separator"
    if "per" not in (*config.evaluate.metrics, config.training.metric):
        if not is_default(config, key):
            yield complain_idle(config, key, with_value(config, "evaluate.metrics"), "it is for 'per'")
        return
    target = config.tokenizer.side("target")
    if target.kind == "symbols" and target.separator != config.evaluate.separator:
        own = "tokenizer.target.separator" if config.tokenizer.target.separator else "tokenizer.separator"
        yield complain(config, key, f"{show(target.separator)} with {with_value(config, own)}")


_RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    _corpora,
    _idle_keys,
    model_contradictions,
    _training,
    _scheduled_sampling,
    _guided_attention,
    _tokenizer,
    _subword_sampling,
    _vectors,
    _search,
    _evaluate,
)
