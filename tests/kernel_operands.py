"""Operands of every operation of a GPU, for tests of the kernels: odd sizes, rows with gaps, an empty sentence."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nmt_attn.fast.gpu import beam_steps as steps
from nmt_attn.fast.gpu.beam_steps import EXACT, FIELDS
from nmt_attn.fast.gpu.sizes import FEW_WORDS, parts_of

ROWS, SOURCES, STEPS, WORDS = 5, 21, 3, 2311  # S in two blocks of 16, V in two of 2048, none of them full
INNER, HIDDEN, STATES = 150, 301, 133  # A, H, M, each in more than one block or with a rest


class Made:
    """Tensors of one number format."""

    def __init__(self, low: torch.dtype, *, seed: int = 1) -> None:
        self.low = low
        self._generator = torch.Generator().manual_seed(seed)

    def exact(self, *shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=self._generator) * scale

    def factor(self, *shape: int) -> Tensor:
        return self.exact(*shape).to(self.low)

    def gapped(self, rows: int, size: int) -> Tensor:
        """Rows that are part of longer ones."""
        return self.factor(rows, size + 7)[:, 3 : size + 3]

    def share(self, *shape: int) -> Tensor:
        """Between 0 and 1, as a sigmoid's."""
        return torch.rand(shape, generator=self._generator)

    def mask(self) -> Tensor:
        lengths = torch.tensor([SOURCES, 1, 0, 16, 17])
        return torch.arange(SOURCES) < lengths.unsqueeze(1)


def lstm_step(made: Made) -> list[Any]:
    wide = (ROWS, 4 * HIDDEN)
    state = [made.exact(ROWS, HIDDEN) for _ in range(3)]
    return [
        made.exact(*wide),
        made.gapped(*wide),
        made.factor(*wide),
        made.gapped(*wide),
        *state,
        made.gapped(ROWS, HIDDEN),
    ]


def lstm_back(made: Made) -> list[Any]:
    wide, size = (ROWS, 4 * HIDDEN), (ROWS, HIDDEN)
    parts = [made.gapped(*size), None, made.exact(*size)]
    return [made.gapped(*wide), made.share(*wide), made.exact(*size), made.exact(*size), *parts, made.exact(*size)]


def gru_step(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    inputs = [made.gapped(*wide), None, made.gapped(*wide), made.exact(3 * HIDDEN)]
    return [made.exact(*wide), *inputs, *(made.exact(*size) for _ in range(3)), made.gapped(*size)]


def gru_back(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    states = [made.share(*wide), made.exact(*size), made.exact(*size)]
    return [
        made.factor(*wide),
        made.gapped(*wide),
        *states,
        made.exact(*size),
        made.gapped(*size),
        None,
        made.exact(*size),
    ]


def cho_gates(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    inputs = [made.gapped(*wide), made.factor(*wide), made.gapped(ROWS, 2 * HIDDEN)]
    return [made.exact(*wide), *inputs, made.exact(*size), made.factor(*size)]


def cho_step(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    inputs = [made.gapped(*wide), made.factor(*wide), made.gapped(*size)]
    return [made.share(*wide), *inputs, made.exact(*size), made.exact(*size), None]


def cho_back(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    parts = [made.exact(*size), made.gapped(*size), made.factor(*size)]
    return [made.gapped(*wide), made.share(*wide), made.exact(*size), *parts, made.exact(*size)]


def cho_gates_back(made: Made) -> list[Any]:
    wide, size = (ROWS, 3 * HIDDEN), (ROWS, HIDDEN)
    return [made.gapped(*wide), made.share(*wide), made.exact(*size), made.factor(*size), made.exact(*size)]


def source(made: Made) -> tuple[Tensor, Tensor]:
    return made.factor(ROWS, SOURCES, INNER), made.factor(ROWS, SOURCES, STATES)


def attend_additive(made: Made) -> list[Any]:
    keys, states = source(made)
    query = [made.gapped(2 * ROWS, INNER), made.exact(INNER)]
    out = [made.exact(2 * ROWS, SOURCES), made.gapped(2 * ROWS, STATES)]
    return [*out, *query, keys, made.exact(INNER), states, made.mask()]


def attend_dot(made: Made) -> list[Any]:
    keys, states = source(made)
    out = [made.exact(ROWS, SOURCES), made.factor(ROWS, STATES)]
    return [*out, made.gapped(ROWS, INNER), None, keys, None, states, made.mask()]


def attend_back(made: Made, *, is_additive: bool) -> list[Any]:
    keys, states = source(made)
    rows = 2 * ROWS if is_additive else ROWS
    weights = torch.softmax(made.exact(rows, SOURCES), 1) * made.mask().repeat_interleave(rows // ROWS, 0)
    query = [made.gapped(rows, INNER), made.exact(INNER) if is_additive else None]
    vector = made.exact(INNER) if is_additive else None
    out = [made.exact(rows, SOURCES), made.gapped(rows, INNER), made.factor(rows, STATES)]
    grads = [made.gapped(rows, STATES), made.factor(rows, STATES), made.exact(rows, SOURCES)]
    return [*out, weights, *query, keys, vector, states, *(grads if is_additive else [grads[0], None, None])]


def key_gradients(made: Made) -> list[Any]:
    keys, _ = source(made)
    queries = made.factor(STEPS, ROWS, INNER + 9)[..., 9:]
    out = [made.factor(*keys.shape), made.exact(2 * ROWS, INNER)]
    return [*out, queries, made.exact(INNER), keys, made.exact(INNER), made.exact(STEPS, ROWS, SOURCES)]


def attentional_step(made: Made) -> list[Any]:
    size = (ROWS, HIDDEN)
    return [made.factor(*size), made.gapped(*size), made.gapped(*size), made.exact(HIDDEN), made.exact(*size), True]


def attentional_back(made: Made) -> list[Any]:
    size = (ROWS, HIDDEN)
    return [made.gapped(*size), made.share(*size).to(made.low), None, made.gapped(*size), made.exact(*size), True]


def loss_rows(made: Made, *, smoothing: float, keeps_slope: bool) -> list[Any]:
    targets = torch.tensor([0, 5, WORDS - 1, 0, 2047])
    return [made.gapped(ROWS, WORDS + 5), made.exact(ROWS, 2), made.exact(WORDS), targets, smoothing, 0, keeps_slope]


def best_words(made: Made, *, words: int, count: int) -> list[Any]:
    parts, _ = parts_of(words)
    scores = made.gapped(ROWS, words)
    scores[1, 4:9] = scores[1].max()  # which tie
    scores[2, 5:] = -torch.inf
    places = torch.zeros(ROWS, parts, count, dtype=torch.int64)
    out = [made.exact(ROWS, parts, count), places, made.exact(ROWS, parts, 2)]
    return [*out, scores, made.exact(words) if words < FEW_WORDS else None, words < FEW_WORDS]


def advance(made: Made, *, beam: int, length: int, lookahead: int) -> list[Any]:
    """Some hypotheses tie, some are impossible; sentences are at, before and beyond their least and greatest length."""
    batch, words, wanted = 4, 2311, max(1, beam - 1)
    found = best_words(Made(torch.float32, seed=3), words=words, count=beam)[:3]
    rows = batch * beam
    scores = made.factor(rows, words)
    scores[:, 3] += 3.0 * (torch.arange(rows) % 3)
    values, ids, sums = (part.new_zeros(rows, *part.shape[1:]) for part in found)
    steps.best_words(values, ids, sums, scores, None, False)
    totals = -made.share(batch, beam).double().sort(1).values
    totals[1, beam // 2 :] = -torch.inf
    totals[2] = totals[2, 0]
    state = [torch.zeros(rows, dtype=torch.int64) for _ in range(2)]
    best = torch.full((batch, wanted), -torch.inf, dtype=torch.float64)
    best[3, 0] = -0.5
    lengths, done = torch.full((batch,), length), torch.zeros(batch, dtype=torch.int32)
    limits = [torch.tensor([0, 0, 9, 0]), torch.tensor([9, 2, 9, 12])]
    terms = 1.0 + made.share(2, 14).double()
    trace = torch.zeros(12, FIELDS, batch, beam, dtype=torch.float64)
    return [values, ids, sums, scores, None, totals, *state, best, lengths, done, trace, *limits, terms, lookahead]


CASES: dict[str, tuple[str, Callable[[Made], list[Any]]]] = {
    "lstm_step": ("lstm_step", lstm_step),
    "lstm_back": ("lstm_back", lstm_back),
    "gru_step": ("gru_step", gru_step),
    "gru_back": ("gru_back", gru_back),
    "cho_gates": ("cho_gates", cho_gates),
    "cho_step": ("cho_step", cho_step),
    "cho_back": ("cho_back", cho_back),
    "cho_gates_back": ("cho_gates_back", cho_gates_back),
    "attend, additive": ("attend", attend_additive),
    "attend, dot": ("attend", attend_dot),
    "attend_back, additive": ("attend_back", lambda made: attend_back(made, is_additive=True)),
    "attend_back, dot": ("attend_back", lambda made: attend_back(made, is_additive=False)),
    "key_gradients": ("key_gradients", key_gradients),
    "attentional_step": ("attentional_step", attentional_step),
    "attentional_back": ("attentional_back", attentional_back),
    "best_words, few": ("best_words", lambda made: best_words(made, words=2311, count=5)),
    "best_words, many": ("best_words", lambda made: best_words(made, words=16387, count=1)),
    "advance, beam 5": ("advance", lambda made: advance(made, beam=5, length=1, lookahead=EXACT)),
    "advance, beam 4, early": ("advance", lambda made: advance(made, beam=4, length=2, lookahead=0)),
    "advance, beam 3, near": ("advance", lambda made: advance(made, beam=3, length=2, lookahead=2)),
    "advance, beam 1": ("advance", lambda made: advance(made, beam=1, length=9, lookahead=EXACT)),
    "loss_rows, smoothed": ("loss_rows", lambda made: loss_rows(made, smoothing=0.1, keeps_slope=True)),
    "loss_rows, no gradient": ("loss_rows", lambda made: loss_rows(made, smoothing=0.0, keeps_slope=False)),
}
"""By name: the operation, and what makes its operands."""

LOW = (torch.float32, torch.bfloat16, torch.float16)
