"""What this package makes of the models that a peer left behind, stage by stage, beside the peer's own numbers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt_attn.data.codec import TextCodec
from nmt_attn.foreign.assemble import assemble
from nmt_attn.foreign.foreign_model import ForeignModel
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.types import BOS, EOS, PAD
from parity.cases import BEAM, LONGEST, SOURCE, TARGET, padded

STAGES = ("encoder states", "first states", "weights", "logits", "log p")
"""Those with a difference, as far as the peer shows them. log p: of the peer's beam output and of the given
translations where it scores them, as our model reads them and as the peer has summed them."""
EQUAL, CUT, HIGHER, UNEXPLAINED = "equal", "cut", "higher", "unexplained"
"""What became of a sentence in beam search: the same text; the peer's has no `</s>` at the greatest length, and ours,
where `</s>` is counted, is no worse with it; ours has the higher log p; none of these."""
ROUNDING = 1e-4
"""Of the log p that a peer keeps in float32."""


class Parity(NamedTuple):
    """One model of a peer beside ours, on the sentences of `SOURCE`."""

    name: str
    differences: Mapping[str, float]  # largest, by stage
    greedy: int  # sentences with the same text
    beam: Counter[str]


class Ours(NamedTuple):
    """Our model of a peer's, and the batch."""

    model: Seq2Seq
    target: TextCodec
    memory: Memory
    lengths: Tensor  # [B] int64

    def run(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Logits [B, T, V] and weights [B, T, S] of given translations."""
        state, logits, weights = self.start(), [], []
        for words in padded([[BOS, *row] for row in rows], PAD).unbind(1):
            step = self.model.step_readout(words, state, self.memory)
            logits.append(self.model.output(step.readout))
            weights.append(step.weights)
            state = step.state
        return torch.stack(logits, 1), torch.stack(weights, 1)

    def start(self) -> DecoderState:
        """The first states."""
        return self.model.start(self.memory)

    def log_probs(self, texts: Sequence[str], ended: Sequence[bool]) -> list[float]:
        """log p of each text, with that of `</s>` where it has ended."""
        rows = [self.target.encode(text) for text in texts]
        table = self.run(rows)[0].log_softmax(-1)
        counted = [[*row, EOS] if end else row for row, end in zip(rows, ended, strict=True)]
        return [sum(float(table[i, t, word]) for t, word in enumerate(row)) for i, row in enumerate(counted)]

    def search(self, width: int, shortest: int) -> list[Hypothesis]:
        """The best translation of each sentence by log p."""
        limits = Limits(torch.full_like(self.lengths, shortest), torch.full_like(self.lengths, LONGEST))
        options = BeamOptions(beam=width, wanted=1, ranking=RANKINGS["none"](1.0), with_weights=False)
        return [found[0] for found in beam_search(ModelSteps(self.model, self.memory), limits, options)]

    def text(self, hypothesis: Hypothesis) -> str:
        """Its tokens, between blanks."""
        return " ".join(self.target.output_pieces(hypothesis.ids))


@torch.no_grad()
def compare(name: str, found: ForeignModel, path: Path, theirs: Mapping[str, Any]) -> Parity:
    """Runs the model on the cases' batch in float64."""
    imported = assemble(found, path, "parity", (), torch.float64)
    rows = [[*imported.codecs.source.encode(line), EOS] for line in SOURCE]
    lengths = torch.tensor([*map(len, rows)])
    memory = imported.model.encode(padded(rows, PAD), lengths)
    ours = Ours(imported.model, imported.codecs.target, memory, lengths)
    shortest = int(theirs.get("least_length", 0))
    greedy = [ours.text(one) for one in ours.search(1, shortest)]
    beam = _outcomes(ours, ours.search(BEAM, shortest), theirs)
    return Parity(name, dict(_differences(ours, found, theirs)), sum(map(str.__eq__, greedy, theirs["greedy"])), beam)


def _outcomes(ours: Ours, best: Sequence[Hypothesis], theirs: Mapping[str, Any]) -> Counter[str]:
    closed = ours.log_probs(theirs["beam"], [True] * len(best))
    outcomes: Counter[str] = Counter()
    for one, text, has_ended, log_prob in zip(best, theirs["beam"], theirs["beam_ended"], closed, strict=True):
        if ours.text(one) == text:
            outcomes[EQUAL] += 1
        elif one.log_prob < log_prob:
            outcomes[UNEXPLAINED] += 1
        else:
            outcomes[HIGHER if has_ended else CUT] += 1
    return outcomes


def _differences(ours: Ours, found: ForeignModel, theirs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The largest of each stage, at real positions alone."""
    logits, weights = ours.run([ours.target.encode(line) for line in TARGET])
    spans = [(len(s.split()), len(t.split()) + 1) for s, t in zip(SOURCE, TARGET, strict=True)]
    theirs = {name: np.asarray(each) for name, each in theirs.items()}
    if "encoder_states" in theirs:
        parts = [(ours.memory.encoder_states, theirs["encoder_states"])]
        yield "encoder states", _largest(parts, [(s,) for s, _ in spans])
    if "first_hidden" in theirs:
        yield "first states", _largest(_first_states(ours, theirs), [() for _ in spans])
    yield "weights", _largest([(weights, theirs["weights"])], [(t, s) for s, t in spans])
    if "logits" in theirs:
        columns = _columns(ours, found, theirs["tokens"].tolist())
        yield "logits", _largest([(logits[..., columns], theirs["logits"])], [(t,) for _, t in spans])
    scored = [(ours.log_probs(theirs["beam"].tolist(), theirs["beam_ended"].tolist()), theirs["beam_log_probs"])]
    if "target_log_probs" in theirs:
        scored.append((ours.log_probs(TARGET, [True] * len(TARGET)), theirs["target_log_probs"]))
    parts = [(torch.tensor(mine, dtype=torch.float64), other) for mine, other in scored]
    yield "log p", _largest(parts, [() for _ in spans])


def _first_states(ours: Ours, theirs: Mapping[str, Any]) -> list[tuple[Tensor, Any]]:
    """h and, of an LSTM, c, [B, L, H]."""
    first = ours.start().layers
    hidden, cells = [layer.hidden for layer in first], [layer.cell for layer in first if layer.cell is not None]
    parts = [(torch.stack(hidden, 1), theirs["first_hidden"].swapaxes(0, 1))]
    return parts + ([(torch.stack(cells, 1), theirs["first_cell"].swapaxes(0, 1))] if cells else [])


def _columns(ours: Ours, found: ForeignModel, tokens: Sequence[str]) -> list[int]:
    """Our number of each token of a peer."""
    names = {spelling: id for id, spelling in found.target.spelled().items()}
    places = {token: id for id, token in enumerate(ours.target.vocabulary.tokens)}
    return [names.get(token, places.get(token, 0)) for token in tokens]


def _largest(parts: Sequence[tuple[Tensor, Any]], spans: Sequence[tuple[int, ...]]) -> float:
    """Of [B, ...] and [B, ...], each sentence up to its span in the first axes."""
    return max(
        float(np.abs(ours[row][where].numpy() - theirs[row][where]).max())
        for ours, theirs in parts
        for row, where in enumerate(tuple(map(slice, span)) for span in spans)
    )
