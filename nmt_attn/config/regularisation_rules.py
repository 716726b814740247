"""Which keys of regularisation contradict each other or would change nothing."""

from collections.abc import Callable, Iterator

from nmt_attn.config.schema import Config
from nmt_attn.config.words import complain, complain_idle, is_default, with_value


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
    is_builtin = config.data.train.builtin is not None
    if is_builtin != (alignments == "builtin"):
        reason = with_value(config, "data.train.builtin")
        yield complain(config, "data.alignments", f"{'builtin' if is_builtin else 'a file'} with {reason}")


def _subword_sampling(config: Config) -> Iterator[str]:
    sampling, where = config.training.subword_sampling, "training.subword_sampling"
    is_bpe = config.tokenizer.algorithm == "bpe"
    if sampling.alpha is None:
        if sampling.nbest is not None:
            yield complain_idle(config, f"{where}.nbest", with_value(config, f"{where}.alpha"))
    elif config.tokenizer.kind != "sentencepiece":
        reason = with_value(config, "tokenizer.kind")
        yield complain(config, f"{where}.alpha", f"null with {reason}, which cuts a text in one way alone")
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


REGULARISATION_RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    _scheduled_sampling,
    _guided_attention,
    _subword_sampling,
    _vectors,
)
