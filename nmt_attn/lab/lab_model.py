"""Lab models: a translator that shows how it translates. The one interface of the page, the notebooks and the tests.

>>> model = LabModel.load("runs/demo")
>>> trace = model.trace("turn off the lights")
>>> trace.text, trace.steps[0].look.scores, trace.steps[0].top
>>> model.trace("turn off the lights", given={0: only(0, 5)}).text  # what if it looked at the first word
"""

import math
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.config.file import load_resolved
from nmt_attn.config.schema import Config
from nmt_attn.data.batching import collate_source
from nmt_attn.data.copying import source_rows, spelled, target_rows
from nmt_attn.errors import DataError
from nmt_attn.files import shown
from nmt_attn.lab.beam_tree import Node, NotingSteps, beam_tree
from nmt_attn.lab.trace import Look, given_weights, score_terms
from nmt_attn.model.state import Memory
from nmt_attn.model.store import CONFIG, model_folder
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.backpointers import Hypothesis
from nmt_attn.search.beam import beam_search
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.request import Demand
from nmt_attn.search.translator import Translator
from nmt_attn.types import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

END = SPECIAL_TOKENS[EOS]
TOP_WORDS = 10
"""The likeliest next words that a step shows."""

Given = Mapping[int, Sequence[float]]
"""Weights in place of the model's own: step (from 0) -> one number at least 0 for each source token, `</s>` last."""


class Step(NamedTuple):
    """One step t of a translation: what was asked, what was seen, what came out."""

    previous: str  # y_{t-1}
    word: str  # y_t
    log_prob: float  # of y_t
    top: tuple[tuple[str, float], ...]  # the likeliest words and their p
    previous_state: Tensor  # [H], s_{t-1} of the top layer
    state: Tensor  # [H], s_t
    look: Look | None  # with one row; None without attention
    attentional_state: Tensor | None  # [H], h~_t of luong
    readout: Tensor | None  # [R]; None of hard attention
    coverage: Tensor | None  # [S, d], C_t, after the look
    is_given: bool  # the weights are not the model's own
    copied: float | None  # 1 - p_gen, of a model that copies


class SentenceTrace(NamedTuple):
    """A sentence, one translation of it, and every step of the way, that of `</s>` last."""

    model: str
    source: tuple[str, ...]  # the tokens, `</s>` last
    unknown: tuple[int, ...]  # the tokens that the model does not know
    target: tuple[str, ...]  # the tokens, `</s>` not among them
    text: str
    log_prob: float
    is_finished: bool
    encoder_states: Tensor  # [S, M]
    steps: tuple[Step, ...]

    @property
    def weights(self) -> Tensor:
        """[T, S]; zeros without attention."""
        rows = [step.look.weights[0] if step.look else torch.zeros(len(self.source)) for step in self.steps]
        return torch.stack(rows) if rows else torch.zeros(0, len(self.source))


class Tree(NamedTuple):
    """What beam search weighed; tokens are words here."""

    source: tuple[str, ...]
    beam: int
    nodes: tuple[Node, ...]
    words: tuple[str, ...]  # of the nodes
    text: str  # of the translation
    log_prob: float

    def path(self, node: Node) -> tuple[Node, ...]:
        """The nodes from the first step to this one."""
        nodes = [node]
        while nodes[0].parent >= 0:
            nodes.insert(0, self.nodes[nodes[0].parent])
        return tuple(nodes)

    @property
    def ended(self) -> tuple[Node, ...]:
        """Where a hypothesis ended, the best rank first."""
        found = [node for node in self.nodes if node.rank is not None]
        return tuple(sorted(found, key=lambda node: (not node.is_best, node.fate == "cut", -(node.rank or 0.0))))


class _Source(NamedTuple):
    pieces: tuple[str, ...]  # `</s>` last
    ids: list[int]
    memory: Memory
    own_words: tuple[str, ...]  # of the source, where they may be copied


def only(position: int, tokens: int) -> list[float]:
    """Weights of a look at one source position alone, of `tokens`."""
    return [float(place == position) for place in range(tokens)]


def even(tokens: int) -> list[float]:
    """Weights of a look at all source tokens alike."""
    return [1.0] * tokens


class LabModel:
    """A translator on the CPU, in float32. Several threads may ask it: they wait for each other."""

    def __init__(self, name: str, translator: Translator, config: Config) -> None:
        self.name = name
        self.translator = translator
        self.config = config
        self._model = translator.model
        self._search = translator.search.model_copy(
            update={"groups": 1, "group_penalty": 0.0, "mbr": "none", "language_model": None}
        )
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path | str, name: str | None = None) -> "LabModel":
        """The best model of a run, or the one of a model folder. Raises CheckpointError."""
        found = model_folder(Path(folder))
        translator = Translator.load(found, torch.device("cpu"))
        return cls(name or Path(folder).resolve().name, translator, load_resolved(found / CONFIG))

    @property
    def beam(self) -> int:
        """The width that the configuration asks for."""
        return self._search.beam

    @property
    def style(self) -> str:
        """The decoder's order: bahdanau, luong or conditional."""
        return self.config.model.decoder.style

    def tokens(self, text: str) -> tuple[str, ...]:
        """The source tokens of a text, `</s>` last: what weights are given for."""
        return (*self.translator.codecs.source.pieces(text), END)

    def trace(
        self, text: str, *, beam: int = 1, prefix: Sequence[str] = (), given: Given | None = None
    ) -> SentenceTrace:
        """The best translation that begins with the tokens `prefix` (`</s>` as last one ends it there), step by step.

        At the steps in `given` the decoder uses the given weights, in the search too. Raises DataError for an empty
        text, for a token that no target has, and for weights that cannot be.
        """
        with self._lock, torch.inference_mode():
            source = self._read(text)
            steps = NotingSteps(self._model, source.memory, self._checked(given or {}, source))
            ids, is_ended = self._prefix(prefix, source)
            best = Hypothesis(tuple(ids), True, 0.0, 0.0, (), None) if is_ended else self._find(steps, beam, ids)
            return self._replay(source, steps, best)

    def tree(self, text: str, *, beam: int = 5, prefix: Sequence[str] = (), given: Given | None = None) -> Tree:
        """What a beam of this width weighs at each step. Arguments and errors are those of `trace`."""
        with self._lock, torch.inference_mode():
            source = self._read(text)
            steps = NotingSteps(self._model, source.memory, self._checked(given or {}, source))
            best = self._find(steps, beam, self._prefix(prefix, source)[0])
            ranking = RANKINGS[self._search.length_penalty](self._search.alpha)
            nodes = beam_tree(steps.rounds, best, beam, ranking)
            target = self.translator.codecs.target
            words = spelled((node.token for node in nodes), source.own_words, target.vocabulary)
            text = target.decode(best.ids, source.own_words)
            return Tree(source.pieces, beam, tuple(nodes), tuple(words), text, best.log_prob)

    def score_terms(self, text: str, look: Look, position: int) -> Tensor | None:
        """The terms [A, 3] of one score; see `trace.score_terms`."""
        with self._lock, torch.inference_mode():
            return score_terms(self._model, look, self._read(text).memory, position)

    def _read(self, text: str) -> _Source:
        codec = self.translator.codecs.source
        pieces, ids = codec.pieces(text), codec.encode_checked(text, "text")
        if not ids:
            raise DataError("text: expected words, got none")
        own = tuple(pieces) if self.translator.copies else ()
        rows = [source_rows(own, self.translator.codecs.target.vocabulary)] if own else None
        batch = collate_source([ids], rows)
        memory = self._model.encode(batch.src_ids, batch.src_lengths)._replace(copy_rows=batch.copy_rows)
        return _Source((*pieces, END), ids, memory, own)

    def _checked(self, given: Given, source: _Source) -> dict[int, Tensor]:
        size = len(source.pieces)
        if given and not self._model.has_attention:
            raise DataError(f"weights: expected a model with attention, got {self.name}")
        for step, weights in given.items():
            where = f"weights of step {step}"
            if len(weights) != size:
                raise DataError(f"{where}: expected {size} numbers, one a source token and </s>, got {len(weights)}")
            if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
                raise DataError(f"{where}: expected numbers from 0 on that are not all 0, got others")
        return {step: given_weights(weights) for step, weights in given.items()}

    def _prefix(self, prefix: Sequence[str], source: _Source) -> tuple[list[int], bool]:
        """Its ids, and whether it is a whole translation."""
        is_ended = bool(prefix) and prefix[-1] == END
        words = prefix[:-1] if is_ended else prefix
        ids = target_rows(words, source.own_words, self.translator.codecs.target.vocabulary)
        for word, number in zip(words, ids, strict=True):
            if number in (PAD, BOS, EOS) or (number == UNK and word != SPECIAL_TOKENS[UNK]):
                raise DataError(f"prefix: expected tokens of the target's vocabulary, got {shown(word)}")
        return ids, is_ended

    def _find(self, steps: NotingSteps, beam: int, prefix: list[int]) -> Hypothesis:
        translator = Translator(self._model, self.translator.codecs, self._search, self.name)
        request = translator.request(SearchOptions(beam=beam), with_alignments=False)
        lengths = steps.memory.source_lengths - 1
        found = beam_search(steps, request.limits(lengths, [Demand(1, prefix)]), request.options())
        if not found[0]:
            raise request.nothing_found(self.name, "this sentence")
        return found[0][0]

    def _replay(self, source: _Source, steps: NotingSteps, best: Hypothesis) -> SentenceTrace:
        target, word_id = self.translator.codecs.target, self.translator.codecs.source.vocabulary.word_id
        spell = partial(spelled, source=source.own_words, vocabulary=target.vocabulary)
        tokens, state = spell(best.ids), steps.start()
        done: list[Step] = []
        for t, (last, token) in enumerate(zip((BOS, *best.ids), (*best.ids, EOS), strict=True)):
            traced = steps.traced(torch.tensor([last]), state)
            likeliest = traced.log_probs[0].topk(min(TOP_WORDS, target.size))
            words = spell(likeliest.indices.tolist())
            done.append(
                Step(
                    previous=spell([last])[0],
                    word=[*tokens, END][t],
                    log_prob=float(traced.log_probs[0, token]),
                    top=tuple(zip(words, likeliest.values.exp().tolist(), strict=True)),
                    previous_state=state.layers[-1].hidden[0],
                    state=traced.state.layers[-1].hidden[0],
                    look=traced.look,
                    attentional_state=None if traced.attentional_state is None else traced.attentional_state[0],
                    readout=None if traced.readout is None else traced.readout[0],
                    coverage=None if traced.state.coverage is None else traced.state.coverage[0],
                    is_given=t in steps.given,
                    copied=None if traced.copied is None else float(traced.copied[0]),
                )
            )
            state = traced.state
        return SentenceTrace(
            model=self.name,
            source=source.pieces,
            unknown=tuple(place for place, number in enumerate(map(word_id, source.ids)) if number == UNK),
            target=tuple(tokens),
            text=target.decode(best.ids, source.own_words),
            log_prob=math.fsum(step.log_prob for step in done),
            is_finished=best.is_finished,
            encoder_states=source.memory.encoder_states[0],
            steps=tuple(done),
        )
