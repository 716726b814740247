"""Phrases that must appear in a translation, word for word: how far each hypothesis is with each of them.

A phrase is a row of tokens; it is there once all of them have come in a row and a word ends behind them (the next
token begins a word, or `</s>`). How many of them a hypothesis has at its end is found as Knuth, Morris and Pratt
(1977) find a word in a text, so that phrases may overlap each other, themselves and the prefix.

    state 0 ... m   so many tokens of the phrase are the last ones of the hypothesis; m: its word must end yet
    M + 1           the phrase is there, whatever comes; M is the length of the longest phrase

`missing` tokens are enough in any case: those that end one begun phrase and all others from their beginning. While a
hypothesis has room for them it can be led to a good end; that overlapping phrases would need fewer is not counted on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.data.codec import TextCodec
from nmt_attn.data.subwords import BLANK
from nmt_attn.errors import DataError
from nmt_attn.types import EOS, PAD, UNK


class Phrase(NamedTuple):
    """A phrase as tokens. Where words are parted by a blank of its own, that blank comes first."""

    ids: tuple[int, ...]
    first_state: int  # before the first token: 1 if the beginning of the sentence is as good as the blank


class Progress(NamedTuple):
    """How far W hypotheses of each sentence are."""

    states: Tensor  # [B, W, P] int64
    is_over: Tensor  # [B, W] bool, whether `</s>` was once the likeliest token when phrases were missing

    def select(self, rows: Tensor) -> "Progress":
        """That of the sentences `rows` [B'] int64 alone."""
        return Progress(self.states[rows], self.is_over[rows])


class Phrases(NamedTuple):
    """Those of B sentences, P of each at most, as tables over the A tokens that stand in any of them."""

    ids: Tensor  # [B, P, M] int64; PAD behind the phrase
    lengths: Tensor  # [B, P] int64; 0: no phrase
    first_states: Tensor  # [B, P] int64
    alphabet: Tensor  # [B, A] int64; PAD behind the last
    next_states: (
        Tensor  # [B, P, M + 2, A + 2] int64, by state and token; then any other token inside a word, at its start
    )
    begins_word: Tensor  # [V] bool

    def select(self, rows: Tensor) -> "Phrases":
        """Those of the sentences `rows` [B'] int64 alone."""
        return Phrases(
            self.ids[rows],
            self.lengths[rows],
            self.first_states[rows],
            self.alphabet[rows],
            self.next_states[rows],
            self.begins_word,
        )

    def to(self, device: torch.device) -> "Phrases":
        """The same on `device`."""
        return Phrases(*(field.to(device) for field in self))

    def start(self) -> Progress:
        """That of the empty hypothesis."""
        states = self.first_states.unsqueeze(1)  # [B, 1, P]
        return Progress(states, torch.zeros_like(states[:, :, 0], dtype=torch.bool))

    def advance(self, states: Tensor, ids: Tensor) -> Tensor:
        """The states [B, C, P] after the tokens ids [B, C]."""
        is_same = ids.unsqueeze(2) == self.alphabet.unsqueeze(1)  # [B, C, A]
        other = self.alphabet.size(1) + self.begins_word[ids].long()
        columns = torch.where(is_same.any(2), is_same.int().argmax(2), other)  # [B, C]
        sentences = torch.arange(len(ids), device=ids.device)[:, None, None]
        phrases = torch.arange(self.lengths.size(1), device=ids.device)
        return self.next_states[sentences, phrases, states, columns.unsqueeze(2)]

    def missing(self, states: Tensor) -> Tensor:
        """Tokens [B, C] int64 that lead hypotheses in these states [B, C, P] to having all phrases; 0: may end."""
        lengths = self.lengths.unsqueeze(1).expand_as(states)
        is_waiting = states == lengths  # for the end of its word
        is_open = (states < lengths) & (states != self._there)
        afresh = (lengths * is_open).sum(2)
        waiting = (lengths * is_waiting).sum(2, keepdim=True)
        lost = torch.where(self.begins_word[self.needed(states)], 0, waiting)  # [B, C, P]
        begun = torch.where(is_open, afresh.unsqueeze(2) - states + lost, afresh.unsqueeze(2))
        return torch.minimum(afresh, begun.amin(2))

    def needed(self, states: Tensor) -> Tensor:
        """The token [B, C, P] int64 that continues each phrase; PAD where it needs none."""
        places = states.clamp(max=self.ids.size(2) - 1).unsqueeze(3)
        ids = self.ids.unsqueeze(1).expand(*states.shape, -1).gather(3, places).squeeze(3)
        return torch.where(states < self.lengths.unsqueeze(1), ids, PAD)

    @property
    def _there(self) -> int:
        return self.next_states.size(2) - 1


def encode_phrases(texts: Sequence[str], codec: TextCodec, where: str) -> list[Phrase]:
    """The different phrases among the texts. Raises DataError about `where` for one that the model cannot write."""
    return list(dict.fromkeys(_encode(text, codec, where) for text in texts))


def split_phrases(line: str) -> list[str]:
    """The phrases of a line, between tabs."""
    return [phrase for phrase in line.split("\t") if phrase.strip()]


def phrases_of(sentences: Sequence[Sequence[Phrase]], begins_word: Tensor) -> Phrases:
    """The phrases of each of B sentences; at least one has one. begins_word [V] bool"""
    most = max(len(phrases) for phrases in sentences)
    longest = max(len(phrase.ids) for phrases in sentences for phrase in phrases)
    alphabets = [sorted({token for phrase in phrases for token in phrase.ids}) for phrases in sentences]
    tokens = max(map(len, alphabets))
    there = longest + 1
    found = Phrases(
        ids=torch.full((len(sentences), most, longest), PAD),
        lengths=torch.zeros(len(sentences), most, dtype=torch.int64),
        first_states=torch.full((len(sentences), most), there),
        alphabet=torch.full((len(sentences), tokens), PAD),
        next_states=torch.full((len(sentences), most, longest + 2, tokens + 2), there),
        begins_word=begins_word,
    )
    flags = begins_word.tolist()
    for row, (phrases, alphabet) in enumerate(zip(sentences, alphabets, strict=True)):
        found.alphabet[row, : len(alphabet)] = torch.tensor(alphabet, dtype=torch.int64)
        for place, phrase in enumerate(phrases):
            length = len(phrase.ids)
            found.ids[row, place, :length] = torch.tensor(phrase.ids)
            found.lengths[row, place] = length
            found.first_states[row, place] = phrase.first_state
            states = torch.tensor(_transitions(phrase.ids, alphabet, flags, there))  # [m + 1, A' + 2]
            found.next_states[row, place, : length + 1, : len(alphabet)] = states[:, :-2]
            found.next_states[row, place, : length + 1, -2:] = states[:, -2:]
    return found


def word_beginnings(codec: TextCodec) -> Tensor:
    """begins_word [V] bool: before which tokens a word has ended; `</s>` is one of them."""
    flags = torch.tensor([codec.tokenizer.begins_word(token) for token in codec.vocabulary.tokens])
    flags[EOS] = True
    return flags


def _encode(text: str, codec: TextCodec, where: str) -> Phrase:
    pieces = codec.pieces(text)
    if not pieces:
        raise DataError(f"{where}: expected a phrase, got {text!r}")
    first_state = 0
    if not codec.tokenizer.begins_word(pieces[0]):
        pieces, first_state = [BLANK, *pieces], 1
    ids = codec.vocabulary.ids_of(pieces)
    if UNK in ids:
        unknown = pieces[ids.index(UNK)]
        raise DataError(f"{where}: expected words of the model's vocabulary, got {text!r} (unknown: {unknown!r})")
    return Phrase(tuple(ids), first_state)


def _transitions(
    ids: Sequence[int], alphabet: Sequence[int], begins_word: Sequence[bool], there: int
) -> list[list[int]]:
    """The next state by state (0 ... m) and token: those of the alphabet, any other that begins no word, or one."""
    tokens: list[tuple[int | None, bool]] = [(token, begins_word[token]) for token in alphabet]
    tokens += [(None, False), (None, True)]
    table: list[list[int]] = []
    shorter = 0  # the longest proper beginning of ids[:state] that also ends it
    for state in range(len(ids) + 1):
        row = []
        for column, (token, is_start) in enumerate(tokens):
            if state == len(ids) and is_start:
                row.append(there)
            elif state < len(ids) and token == ids[state]:
                row.append(state + 1)
            else:
                row.append(table[shorter][column] if state > 0 else 0)
        if 0 < state < len(ids):
            shorter = table[shorter][alphabet.index(ids[state])]
        table.append(row)
    return table
