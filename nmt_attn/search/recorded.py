"""Beam search on a GPU: each step is one CUDA graph over buffers that keep their size, and nothing is waited for.

A graph holds a step of the decoder, the choice of what goes on, and the reordering of the states, for one number of
sentences and one source length. Batches are padded to few such shapes; a sentence that is done, or added, goes on with
places of probability 0. Every `STEPS_BETWEEN` steps one flag for each sentence is read; what the steps have chosen is
written to one tensor, which is read once, at the end.

Covers one model over its whole vocabulary, with all scores, windows and orders. Phrases, prefixes, groups, sampling,
the coverage penalty, rules that look at the tokens so far, shortlists and ensembles are left to
nmt_attn/search/beam.py, whose results this gives: tests/search/test_recorded.py.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from nmt_attn.fast.by_hand import leaves
from nmt_attn.fast.gpu.beam_steps import FIELDS, Beam, advance, best_words, parts_of
from nmt_attn.fast.gpu.lowered import scores_of
from nmt_attn.fast.graphs import Recorder, Replay
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


class Shape(NamedTuple):
    """What graphs are made for."""

    sentences: int  # B
    source: int  # S
    steps: int  # T
    beam: int  # K
    wanted: int
    with_weights: bool
    forbids_unknown: bool
    stops_early: bool


@dataclass(frozen=True)
class _Recorded:
    memory: Memory  # B sentences
    state: DecoderState  # N rows
    beam: Beam
    weights: Tensor | None  # [T, B, K, S]
    step: Callable[[], None]
    replay: Replay | None  # None where it cannot be recorded
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
        with self._lock:
            return self._search(src_ids, src_lengths, limits, options)

    def _search(
        self, src_ids: Tensor, src_lengths: Tensor, limits: Limits, options: BeamOptions
    ) -> list[list[Hypothesis]]:
        sentences = len(src_ids)
        shape = shape_of(src_ids, limits, options)
        rows, columns = shape.sentences - sentences, shape.source - src_ids.size(1)
        padded = pad(src_ids, (0, columns, 0, rows), value=PAD)
        padded[sentences:, 0] = EOS
        memory = self._model.encode(padded.to(self._device), pad(src_lengths, (0, rows), value=1).to(self._device))
        first = changed(self._model.start(memory), lambda part: part.repeat_interleave(shape.beam, 0))
        recorded = self._take(shape, memory, first)
        _copy(recorded.memory, memory)
        _copy(recorded.state, first)
        _begin(recorded.beam, limits, options.ranking, rows)
        steps = self._run(recorded, int(limits.longest.max()) + 1)
        trace = recorded.beam.trace[:steps, :, :sentences].cpu()
        weights = None if recorded.weights is None else recorded.weights[:steps, :, :, : src_ids.size(1)]
        return read_trace(trace, options.wanted, weights)

    def _run(self, recorded: _Recorded, longest: int) -> int:
        """All steps until every sentence is done -> how many."""
        again = recorded.step if recorded.replay is None else recorded.replay.again
        for steps in range(1, longest + 1):
            again()
            if steps % STEPS_BETWEEN == 0 and steps < longest and bool(recorded.beam.is_done.cpu().all()):
                return steps
        return longest

    def _take(self, shape: Shape, memory: Memory, state: DecoderState) -> _Recorded:
        recorded = self._recorded.pop(shape, None)
        if recorded is None:
            recorded = self._record(shape, memory, state)
        self._recorded[shape] = recorded
        return recorded

    def _record(self, shape: Shape, memory: Memory, state: DecoderState) -> _Recorded:
        beam = _buffers(shape, self._device)
        after = self._model.step_readout(beam.last_ids, state, memory).state  # of whose number formats steps are
        memory, state = changed(memory, torch.clone), _own_places(after)  # where they stay
        like = memory.encoder_states
        size = (shape.steps, shape.sentences, shape.beam, shape.source)
        weights = like.new_zeros(size, dtype=_exact(like.dtype)) if shape.with_weights else None
        step = _step(self._model, shape, memory, state, beam, weights)
        own = [part for part in (*leaves((memory, state, *beam)), weights) if part is not None]
        taken = sum(part.numel() * part.element_size() for part in own)
        self._make_room(taken)
        replay = self._replay(step) if self._can_record else None
        return _Recorded(memory, state, beam, weights, step, replay, taken + (0 if replay is None else replay.bytes))

    def _replay(self, step: Callable[[], None]) -> Replay | None:
        try:
            return self._recorder.record(step)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._can_record = False
            reason = str(error).partition("\n")[0]
            warnings.warn(f"search goes on without CUDA graphs, as a recording failed ({reason})", stacklevel=2)
            return None

    def _make_room(self, wanted: int) -> None:
        while self._recorded and sum(each.bytes for each in self._recorded.values()) + wanted > MOST_BYTES:
            oldest = self._recorded.pop(next(iter(self._recorded)))
            if oldest.replay is not None:
                oldest.replay.forget()


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
        stops_early=options.stops_early,
    )


def _rounded(size: int, digits: int) -> int:
    """The next whole number of `digits` binary digits and zeros: with 2 of them 1, 2, 3, 4, 6, 8, 12, 16, ..."""
    step = 1 << max(0, (size - 1).bit_length() - digits)
    return -(-size // step) * step


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _buffers(shape: Shape, device: torch.device) -> Beam:
    batch, beam, steps = shape.sentences, shape.beam, shape.steps
    exact, whole = (
        torch.zeros((), dtype=torch.float64, device=device),
        torch.zeros(batch, dtype=torch.int64, device=device),
    )
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
        terms=exact.new_ones(2, steps + 2),
    )


def _begin(beam: Beam, limits: Limits, ranking: Ranking, added: int) -> None:
    """One open hypothesis for each sentence, the empty one; `added` sentences end at once."""
    beam.totals.fill_(-torch.inf)
    beam.totals[:, 0] = 0.0
    beam.last_ids.fill_(BOS)
    beam.best_ranks.fill_(-torch.inf)
    beam.lengths.zero_()
    beam.is_done.zero_()
    beam.shortest.copy_(pad(limits.shortest, (0, added)))
    beam.longest.copy_(pad(limits.longest, (0, added)))
    terms = [ranking.terms(max(1, length)) for length in range(beam.terms.size(1))]
    beam.terms.copy_(torch.tensor(terms, dtype=torch.float64).T)


def _step(
    model: Seq2Seq, shape: Shape, memory: Memory, state: DecoderState, beam: Beam, weights: Tensor | None
) -> Callable[[], None]:
    """One step over the buffers, which it changes."""
    rows, (parts, _) = shape.sentences * shape.beam, parts_of(model.output.out_features)
    device = beam.totals.device
    dtype = _exact(model.output.weight.dtype)
    values = torch.empty(rows, parts, shape.beam, dtype=dtype, device=device)
    ids = torch.zeros(rows, parts, shape.beam, dtype=torch.int64, device=device)
    sums = torch.empty(rows, parts, 2, dtype=dtype, device=device)

    def step() -> None:
        read = model.step_readout(beam.last_ids, state, memory)
        scores, bias = scores_of(model.output, read.readout)
        if weights is not None:
            weights.index_copy_(0, beam.lengths[:1], read.weights.view(1, *weights.shape[1:]))
        best_words(values, ids, sums, scores, bias, shape.forbids_unknown)
        advance(values, ids, sums, scores, bias, *beam, shape.stops_early)
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
