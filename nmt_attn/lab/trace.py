"""Trace: one step of the decoder with every number that the papers name, and weights that may be overridden.

    q_t -> e_tj -> a_tj -> c_t          query, scores, weights, context    Bahdanau et al. 2015, eq. 5, 6
    q_t = s_{t-1} (bahdanau), s'_t (conditional), s_t (luong)              Luong et al. 2015, eq. 5, 7

The step is the model's own: hooks read what passes through attention, score and attentional state, and change nothing
unless weights are given. Hard attention has prior_t in place of a_t, and no context: it sums over words, not states
(nmt_attn/model/hard_attention.py). This is the one module of the lab that knows how a decoder is made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.model.attention import Attention, CoveredAttention
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.luong import LuongDecoder
from nmt_attn.model.scores import Dot, General, Score, TanhScore
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import AlignmentState, DecoderState, Memory, Weights
from nmt_attn.model.transitions import IMPOSSIBLE
from nmt_attn.model.windows import LocalP, WindowView


class Look(NamedTuple):
    """One look of N hypotheses at the source; what a window hides is NaN in the scores and 0 elsewhere."""

    query: Tensor  # [N, H]
    scores: Tensor  # [N, S], before the softmax
    softmax: Tensor  # [N, S], or what normalises in its place; before the Gaussian
    gaussian: Tensor | None  # [N, S], local-p
    centre: Tensor | None  # [N], p_t of a local window, from 1
    own_weights: Tensor  # [N, S], the model's
    weights: Tensor  # [N, S], those that made the context: the model's, or the given ones
    context: Tensor | None  # [N, M]; None of hard attention
    coverage: Tensor | None = None  # [N, S, d], C_{t-1} that the scores saw


class TracedStep(NamedTuple):
    """One step of N hypotheses; `look` is None without attention."""

    log_probs: Tensor  # [N, V]
    weights: Tensor  # [N, S]
    state: DecoderState  # the next
    look: Look | None
    attentional_state: Tensor | None  # [N, H], luong
    readout: Tensor | None  # [N, R]; None of hard attention, which has one for each source position


def traced_step(
    model: Seq2Seq, last_ids: Tensor, state: DecoderState, memory: Memory, given: Tensor | None = None
) -> TracedStep:
    """`Seq2Seq.step` of last_ids [N] int64, seen from inside; `given` [S] are weights in place of the model's own.

    Nobody else may run the same model meanwhile: hooks are on its modules until the step is over.
    """
    seen = _Seen(given)
    if isinstance(model, HardSeq2Seq):
        return _hard_step(model, last_ids, state, memory, seen)
    with _watching(model, seen):
        read = model.step_readout(last_ids, state, memory)
    return TracedStep(
        model.log_probs(read.readout), read.weights, read.state, seen.look, seen.attentional_state, read.readout
    )


def score_terms(model: Seq2Seq, look: Look, memory: Memory, position: int) -> Tensor | None:
    """The terms [A, 3] whose products' sum is one score: e = sum_k v_k f_k g_k, rows (v, inside, outside).

    Of a look with one row, at source column `position` of one sentence. Rows are (v_k, x_k, tanh x_k) of the additive
    scores, coverage included, and (1, q_k, k_k) of the multiplicative ones, before a gain; None for scores without such
    a form.
    """
    attention = model.decoder.attention
    if not isinstance(attention, Attention):
        return None
    key = memory.keys[0, position]
    for kind, terms in _TERMS.items():
        if isinstance(attention.score, kind):
            if isinstance(attention, CoveredAttention):
                assert look.coverage is not None
                key = key + attention.coverage.to_score(look.coverage[0, position])
            return terms(attention.score, look.query[0], key)
    return None


def _hard_step(model: HardSeq2Seq, last_ids: Tensor, state: DecoderState, memory: Memory, seen: "_Seen") -> TracedStep:
    """The same of hard attention, where `given` takes the place of prior_t."""
    with _watching(model, seen):
        log_probs, own, after = model.step(last_ids, state, memory)
    assert seen.query is not None and seen.scores is not None and after.alignment is not None
    weights = own
    if seen.given is not None:
        weights = seen.given.to(own).expand_as(own)
        alignment = AlignmentState(weights.log().clamp_min(IMPOSSIBLE), after.alignment.emissions)
        log_probs = (alignment.prior.unsqueeze(2) + alignment.emissions).logsumexp(1)
        after = after._replace(alignment=alignment)
    mask = memory.mask.repeat_interleave(len(own) // len(memory.mask), 0)
    scores = seen.scores.flatten(0, 1).masked_fill(~mask, torch.nan)
    look = Look(seen.query.flatten(0, 1), scores, own, None, None, own, weights, None)
    return TracedStep(log_probs, weights, after, look, None, None)


class _Seen:
    """What the hooks have seen of one step."""

    def __init__(self, given: Tensor | None) -> None:
        self.given = given
        self.query: Tensor | None = None
        self.scores: Tensor | None = None
        self.look: Look | None = None
        self.attentional_state: Tensor | None = None

    def read_scores(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        """Of the score: [B, T, W], or [N, 1, W] of a local window."""
        self.query, self.scores = inputs[0], output

    def read_attentional(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        """h~."""
        self.attentional_state = output

    def read_attention(
        self, module: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, Weights]
    ) -> tuple[Tensor, Weights] | None:
        """Notes the look; gives another result back only where weights are given."""
        assert isinstance(module, Attention)
        query, memory, steps, *coverage = inputs
        context, weights = output
        own = weights.dense()
        if self.given is not None:
            used = self.given.to(own).expand_as(own)
            context = used.to(memory.encoder_states.dtype) @ memory.encoder_states
            output = context, Weights(used, None, weights.source_length)
        assert self.scores is not None, "the score ran before"
        look = _look(module, module.window.select(query, memory, steps), query, self.scores, own, output)
        self.look = look._replace(coverage=coverage[0].flatten(0, 1)) if coverage else look
        return None if self.given is None else output


def _look(
    attention: Attention, view: WindowView, query: Tensor, scores: Tensor, own: Tensor, output: tuple[Tensor, Weights]
) -> Look:
    """Everything on the source's own positions, one row a hypothesis."""
    context, weights = output[0].flatten(0, 1), output[1].dense().flatten(0, 1)
    rows, size = weights.shape
    window = attention.window
    scores = scores.flatten(0, 1)  # [N, W]
    repeats = rows // len(view.mask)  # a global window has one row a sentence, a local one a row a hypothesis
    positions, mask = (each.repeat_interleave(repeats, 0) for each in (view.positions, view.mask))
    spread = _Spread(positions, mask, size)
    gaussian = centre = None
    if window.is_local:
        centre = view.centre
    if isinstance(window, LocalP):
        distance = positions + 1 - view.centre.unsqueeze(1)
        gaussian = spread(torch.exp(-0.5 * (distance / window.sigma) ** 2), 0.0)
    softmax = attention.normaliser.masked(scores.unsqueeze(1), mask).squeeze(1)
    return Look(
        query.flatten(0, 1),
        spread(scores, torch.nan),
        spread(softmax, 0.0),
        gaussian,
        centre,
        own.flatten(0, 1),
        weights,
        context,
    )


class _Spread(NamedTuple):
    """Puts the columns of a window where they belong in the source."""

    positions: Tensor  # [N, W]
    mask: Tensor  # [N, W]
    size: int  # S

    def __call__(self, values: Tensor, nothing: float) -> Tensor:
        """values [N, W] -> [N, S], `nothing` where the window shows none."""
        spare = torch.where(self.mask, self.positions, self.size)  # what is masked goes to a column of its own
        full = values.new_full((len(values), self.size + 1), nothing)
        return full.scatter(1, spare, values)[:, : self.size]


@contextmanager
def _watching(model: Seq2Seq, seen: _Seen) -> Iterator[None]:
    """The block in which `seen` reads what the decoder does."""
    decoder = model.decoder
    with ExitStack() as stack:

        def watch(module: nn.Module, read: Callable[..., Any]) -> None:
            stack.callback(module.register_forward_hook(read).remove)

        if isinstance(decoder.attention, Attention):
            watch(decoder.attention.score, seen.read_scores)
            watch(decoder.attention, seen.read_attention)
        if isinstance(decoder, LuongDecoder):
            watch(decoder.attentional_state, seen.read_attentional)
        yield


def given_weights(weights: Sequence[float]) -> Tensor:
    """weights, at least 0 and not all 0 -> [S] float32 that sum to 1."""
    tensor = torch.tensor(weights, dtype=torch.float64)
    return (tensor / tensor.sum()).float()


def _tanh_terms(score: TanhScore, query: Tensor, key: Tensor) -> Tensor:
    inside = score.project_query(query) + key
    return torch.stack([score.output_vector(), inside, inside.tanh()], -1)


def _product_terms(score: Score, query: Tensor, key: Tensor) -> Tensor:
    return torch.stack([torch.ones_like(key), query, key], -1)


_TERMS: dict[type[Score], Callable[[Any, Tensor, Tensor], Tensor]] = {
    TanhScore: _tanh_terms,
    Dot: _product_terms,
    General: _product_terms,
}
"""By kind of score; a scaled product is of the kind that it scales."""
