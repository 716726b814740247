"""Which keys contradict each other. An option that would change nothing is refused, with the reason.

Every message names both keys. What a single key accepts: nmt_attn/config/schema.py.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

from nmt_attn.config.corpus_rules import corpus_contradictions
from nmt_attn.config.key_paths import asks_for_nothing, is_default, value_at
from nmt_attn.config.messages import Idle, complain, complain_idle, join_words, show, with_value
from nmt_attn.config.model_rules import model_contradictions
from nmt_attn.config.options import unread_options
from nmt_attn.config.risk_rules import risk_contradictions
from nmt_attn.config.schema import Config
from nmt_attn.config.source_rules import like
from nmt_attn.config.tokenizer_section import SIDES, SideTokenizerConfig
from nmt_attn.registries import NORMALISERS, SCORES

_OF_ATTENTION = (
    "model.attention.window",
    "model.attention.alignment",
    "model.attention.normalise",
    "model.attention.coverage",
    "model.decoder.copying",
    "model.attention.attend_eos",
    "model.attention.half_width",
    "model.attention.sigma",
    "model.attention.renormalise",
    "model.attention.position",
    "training.alignment_picture",
    "search.coverage_penalty",
    "training.coverage_loss",
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


def _factors(config: Config) -> Iterator[str]:
    """Source words have factors of distinct names, and as many sizes as names."""
    names, key = config.tokenizer.factors.names, "tokenizer.factors.names"
    sizes, reason = config.model.encoder.factors, with_value(config, key)
    if not names:
        others = ("tokenizer.factors.separator", "model.encoder.factors")
        yield from (complain_idle(config, other, reason) for other in others if not is_default(config, other))
        return
    if len(set(names)) < len(names):
        yield complain(config, key, "each name once")
    if config.tokenizer.shared:
        yield complain(config, "tokenizer.shared", f"false with {reason}, as the target has no factors")
    if sizes != "sum" and len(sizes) != len(names):
        yield complain(config, "model.encoder.factors", f"sum or a size for each of {reason}")
    source, own = config.tokenizer.side("source"), "tokenizer.source.separator"
    if source.kind == "symbols" and config.tokenizer.factors.separator in source.separator:
        divider = own if config.tokenizer.source.separator else "tokenizer.separator"
        yield complain(config, "tokenizer.factors.separator", f"another than in {with_value(config, divider)}")


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
        if search.beam == 1 and not asks_for_nothing(config, key):
            yield complain_idle(config, key, with_value(config, "search.beam"), "one hypothesis has no rivals")
    if search.language_model is None and not is_default(config, "search.language_model_weight"):
        yield complain_idle(config, "search.language_model_weight", with_value(config, "search.language_model"))
    if search.mbr == "none" and not is_default(config, "search.mbr_samples"):
        yield complain_idle(config, "search.mbr_samples", with_value(config, "search.mbr"))
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
    if config.evaluate.top > config.search.beam:
        yield Idle(complain(config, "evaluate.top", f"at most {with_value(config, 'search.beam')}"))
    target, separator = config.tokenizer.side("target"), config.evaluate.separator
    if target.kind == "symbols" and separator not in (None, target.separator):
        own = "tokenizer.target.separator" if config.tokenizer.target.separator else "tokenizer.separator"
        yield complain(config, "evaluate.separator", f"{show(target.separator)} or null with {with_value(config, own)}")


_RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    corpus_contradictions,
    _idle_keys,
    model_contradictions,
    _training,
    _scheduled_sampling,
    _guided_attention,
    risk_contradictions,
    _tokenizer,
    _factors,
    like,
    _subword_sampling,
    _vectors,
    _search,
    _evaluate,
)
