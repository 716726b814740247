"""Beam search on a GPU: each step is one CUDA graph over buffers that keep their size, without a sync.

A graph holds a step of the decoder, the choice of what goes on, and the reordering of the states, for one number of
sentences and one source length. Batches are padded to few such shapes; a sentence that is done, or added, goes on with
places of probability 0. Every `STEPS_BETWEEN` steps one flag for each sentence is read; what the steps have chosen is
written to one tensor, which is read once, at the end.

Covers one model over its whole vocabulary, with all scores, windows and orders. Sparse output layers, phrases,
prefixes, groups, sampling, the coverage penalty, rules that look at the tokens so far, shortlists and ensembles are
left to nmt_attn/search/beam.py, whose results this gives: tests/search/test_recorded.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.fast.by_hand import leaves
from nmt_attn.fast.gpu.beam_steps import EXACT, FIELDS, Beam, advance, best_words
from nmt_attn.fast.gpu.lowered import scores_of
from nmt_attn.fast.gpu.sizes import parts_of
from nmt_attn.fast.graphs import Recorder, Replay, recorded_or_warned
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.normalise import Softmax
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory, changed
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import Ranking
from nmt_attn.search.trace import read_trace
from nmt_attn.types import BOS, EOS, PAD

STEPS_BETWEEN = 8
"""Steps after which the flags are read."""

MOST_BYTES = 1 << 31
"""Of buffers and graphs that are kept; the shape that was used longest ago makes room."""

MOST_ROWS = 1 << 14
"""Open hypotheses of a batch: more make scores that fill a GPU's memory, and launches matter less."""


LIMITS = 3
"""Numbers of a sentence beside its ids: source tokens, least and greatest length."""


class Shape(NamedTuple):
    """What graphs are made for."""

    sentences: int  # B
    source: int  # S
    steps: int  # T
    beam: int  # K
    wanted: int
    with_weights: bool
    forbids_unknown: bool
    lookahead: int  # EXACT: up to the greatest length
    ranking: Ranking


@dataclass(frozen=True)
class _Recorded:
    source: Tensor  # [B, S + LIMITS] int64: the ids, then the number of source tokens, the least and greatest length
    beam: Beam
    weights: Tensor | None  # [T, B, K, S]
    begin: Replay  # reads `source`
    step: Replay
    bytes: int


class RecordedSearch:
    """Searches with `model`, a view for search. One search at a time; others wait."""

    def __init__(self, model: Seq2Seq, recorder: Recorder) -> None:
        self._model = model
        self._device = model.output.weight.device
        self._recorder = recorder
        self._can_record = True  # until a recording fails
        self._recorded: dict[Shape, _Recorded] = {}  # the one that was used longest ago first
        self._lock = Lock()

    def search(
        self, src_ids: Tensor, src_lengths: Tensor, limits: Limits, options: BeamOptions
    ) -> list[list[Hypothesis]]:
        """What `beam_search` returns. src_ids [B, S], src_lengths [B] and limits on the CPU; `covers` them."""
        sentences, shape = len(src_ids), shape_of(src_ids, limits, options)
        source = _source(src_ids, torch.stack([src_lengths, limits.shortest, limits.longest], 1), shape)
        with self._lock:
            recorded = self._take(shape, source)
            recorded.source.copy_(source)
            recorded.begin.again()
            steps = self._run(recorded, int(limits.longest.max()) + 1)
            trace = recorded.beam.trace[:steps, :, :sentences].cpu()
            weights = None if recorded.weights is None else recorded.weights[:steps, :, :, : src_ids.size(1)]
            return read_trace(trace, options.wanted, weights)

    def _run(self, recorded: _Recorded, longest: int) -> int:
        """All steps until every sentence is done -> how many."""
        for steps in range(1, longest + 1):
            recorded.step.again()
            if steps % STEPS_BETWEEN == 0 and steps < longest and bool(recorded.beam.is_done.cpu().all()):
                return steps
        return longest

    def _take(self, shape: Shape, source: Tensor) -> _Recorded:
        recorded = self._recorded.pop(shape, None)
        if recorded is None:
            recorded = self._record(shape, source.to(self._device))
        self._recorded[shape] = recorded
        return recorded

    def _record(self, shape: Shape, source: Tensor) -> _Recorded:
        """Buffers and graphs; they are made with this source."""
        beam = _buffers(shape, self._device)
        memory, state = _first(self._model, shape, source)
        after = self._model.step_readout(beam.last_ids, state, memory).state  # of whose number formats steps are
        memory, state = changed(memory, torch.clone), _own_places(after)  # where they stay
        size = (shape.steps, shape.sentences, shape.beam, shape.source)
        weights = source.new_zeros(size, dtype=_exact(self._model)) if shape.with_weights else None
        own = [part for part in (*leaves((memory, state, *beam)), weights, source) if part is not None]
        taken = sum(part.numel() * part.element_size() for part in own)
        self._make_room(taken)

        def begin() -> None:
            now, first = _first(self._model, shape, source)
            _copy(memory, now)
            _copy(state, first)
            _clear(beam, source[:, shape.source :])

        replays = self._replay(begin), self._replay(_step(self._model, shape, memory, state, beam, weights))
        return _Recorded(source, beam, weights, *replays, bytes=taken + sum(replay.bytes for replay in replays))

    def _replay(self, work: Callable[[], None]) -> Replay:
        """The work itself where it cannot be recorded."""
        replay = None
        if self._can_record:
            replay = recorded_or_warned(self._recorder, work, "search goes on without CUDA graphs")
            self._can_record = replay is not None
        return replay or Replay(work, lambda: None, 0)

    def _make_room(self, wanted: int) -> None:
        while self._recorded and sum(each.bytes for each in self._recorded.values()) + wanted > MOST_BYTES:
            oldest = self._recorded.pop(next(iter(self._recorded)))
            oldest.begin.forget()
            oldest.step.forget()


def covers_model(model: Seq2Seq) -> bool:
    """Whether steps of a model can be recorded: the kernels know the softmax of one readout alone."""
    return type(model.normaliser) is Softmax and not isinstance(model, HardSeq2Seq)


def covers(limits: Limits, options: BeamOptions) -> bool:
    """Whether a search is one that can be recorded."""
    is_plain = limits.prefixes is None and limits.phrases is None and limits.draws is None
    by_log_prob = options.groups == 1 and options.sampling is None and options.coverage_penalty == 0
    has_terms = type(options.ranking).rank is Ranking.rank
    rows = len(limits.longest) * options.beam
    return is_plain and by_log_prob and has_terms and not options.token_rules.needs_tokens and rows <= MOST_ROWS


def shape_of(src_ids: Tensor, limits: Limits, options: BeamOptions) -> Shape:
    """The shape to which a batch is padded."""
    return Shape(
        sentences=_rounded(len(src_ids), 3),
        source=_rounded(max(8, src_ids.size(1)), 2),
        steps=_rounded(max(8, int(limits.longest.max()) + 1), 1),
        beam=options.beam,
        wanted=options.wanted,
        with_weights=options.with_weights,
        forbids_unknown=options.token_rules.forbid_unknown,
        lookahead=EXACT if options.lookahead is None else options.lookahead,
        ranking=options.ranking,
    )


def _source(src_ids: Tensor, limits: Tensor, shape: Shape) -> Tensor:
    """src_ids and limits [B, LIMITS] with empty sentences added, which end at once."""
    sentences, positions = src_ids.shape
    source = torch.full((shape.sentences, shape.source + LIMITS), PAD)
    source[:sentences, :positions] = src_ids
    source[sentences:, 0] = EOS
    source[:, shape.source :] = torch.tensor([1, 0, 0])
    source[:sentences, shape.source :] = limits
    return source


def _first(model: Seq2Seq, shape: Shape, source: Tensor) -> tuple[Memory, DecoderState]:
    """What a search starts from: memory of B sentences, states of N rows."""
    memory = model.encode(source[:, : shape.source], source[:, shape.source])
    return memory, changed(model.start(memory), lambda part: part.repeat_interleave(shape.beam, 0))


def _rounded(size: int, digits: int) -> int:
    """The next whole number of `digits` binary digits and zeros: with 2 of them 1, 2, 3, 4, 6, 8, 12, 16, ..."""
    step = 1 << max(0, (size - 1).bit_length() - digits)
    return -(-size // step) * step


def _exact(model: Seq2Seq) -> torch.dtype:
    return torch.promote_types(model.output.weight.dtype, torch.float32)


def _buffers(shape: Shape, device: torch.device) -> Beam:
    batch, beam, steps = shape.sentences, shape.beam, shape.steps
    exact = torch.zeros((), dtype=torch.float64, device=device)
    whole = torch.zeros(batch, dtype=torch.int64, device=device)
    terms = [shape.ranking.terms(max(1, length)) for length in range(steps + 2)]
    return Beam(
        totals=exact.new_zeros(batch, beam),
        last_ids=whole.new_zeros(batch * beam),
        rows=whole.new_zeros(batch * beam),
        best_ranks=exact.new_zeros(batch, shape.wanted),
        lengths=whole.clone(),
        is_done=whole.int(),
        trace=exact.new_zeros(steps, FIELDS, batch, beam),
        shortest=whole.clone(),
        longest=whole.clone(),
        terms=torch.tensor(terms, dtype=torch.float64).T.contiguous().to(device),
    )


def _clear(beam: Beam, limits: Tensor) -> None:
    """One open hypothesis for each sentence, the empty one; limits [B, LIMITS]."""
    beam.totals.fill_(-torch.inf)
    beam.totals[:, 0] = 0.0
    beam.last_ids.fill_(BOS)
    beam.best_ranks.fill_(-torch.inf)
    beam.lengths.zero_()
    beam.is_done.zero_()
    beam.shortest.copy_(limits[:, 1])
    beam.longest.copy_(limits[:, 2])


def _step(
    model: Seq2Seq, shape: Shape, memory: Memory, state: DecoderState, beam: Beam, weights: Tensor | None
) -> Callable[[], None]:
    """One step over the buffers, which it changes."""
    rows, (parts, _) = shape.sentences * shape.beam, parts_of(model.output.out_features)
    device = beam.totals.device
    dtype = _exact(model)
    values = torch.empty(rows, parts, shape.beam, dtype=dtype, device=device)
    ids = torch.zeros(rows, parts, shape.beam, dtype=torch.int64, device=device)
    sums = torch.empty(rows, parts, 2, dtype=dtype, device=device)

    def step() -> None:
        read = model.step_readout(beam.last_ids, state, memory)
        scores, bias = scores_of(model.output, read.readout)
        if weights is not None:
            weights.index_copy_(0, beam.lengths[:1], read.weights.view(1, *weights.shape[1:]))
        best_words(values, ids, sums, scores, bias, shape.forbids_unknown)
        advance(values, ids, sums, scores, bias, *beam, shape.lookahead)
        pairs = zip(_parts(state), _parts(read.state), strict=True)
        for old, new in {id(old): (old, new) for old, new in pairs}.values():
            torch.index_select(new, 0, beam.rows, out=old)

    return step


def _own_places(state: DecoderState) -> DecoderState:
    """A copy; what is one tensor in two places, a state that is the next query too, is one in the copy."""
    copies: dict[int, Tensor] = {}
    return changed(state, lambda part: copies.setdefault(id(part), part.clone()))


def _parts(record: tuple[object, ...]) -> Iterator[Tensor]:
    """Its tensors that are not empty."""
    for part in leaves(record):
        if part is not None and part.numel() > 0:
            yield part


def _copy(there: tuple[object, ...], here: tuple[object, ...]) -> None:
    for old, new in zip(_parts(there), _parts(here), strict=True):
        old.copy_(new)
