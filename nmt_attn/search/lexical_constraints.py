"""Lexical constraints: phrases that must appear in a translation, and the progress of each hypothesis through them.

A phrase is a sequence of tokens. A hypothesis contains it once it has these tokens in a row and a word ends after them
(the next token begins a word, or is `</s>`). Matching follows Knuth, Morris and Pratt (1977), so phrases may overlap
each other, themselves and the prefix.

    state 0 ... m   the last `state` tokens of the hypothesis begin the phrase; m: complete, its word has not ended yet
    M + 1           the hypothesis contains the phrase; M is the length of the longest phrase

`missing` is an upper bound on the tokens needed: the rest of one begun phrase, and all tokens of every other missing
phrase. A hypothesis with that much room can be completed. Overlaps that would need fewer tokens are ignored.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.data.codec import TextCodec
from nmt_attn.data.copying import target_rows
from nmt_attn.data.subwords import BLANK
from nmt_attn.errors import DataError
from nmt_attn.files import shown
from nmt_attn.types import EOS, PAD, UNK


class Phrase(NamedTuple):
    """A phrase as tokens. Where the blank between words is a token, the phrase begins with it."""

    ids: tuple[int, ...]
    first_state: int  # before the first token; 1 if the beginning of the sentence takes the place of the blank


class PhraseProgress(NamedTuple):
    """The progress of W hypotheses of each sentence through the phrases."""

    states: Tensor  # [B, W, P] int64
    wanted_to_end: Tensor  # [B, W] bool, True once `</s>` was the most likely token while phrases were missing

    def select(self, rows: Tensor) -> "PhraseProgress":
        """The progress of the sentences `rows` [B'] int64."""
        return PhraseProgress(self.states[rows], self.wanted_to_end[rows])


class Phrases(NamedTuple):
    """The phrases of B sentences, at most P each, as transition tables over the A tokens that occur in them."""

    ids: Tensor  # [B, P, M] int64; then PAD
    lengths: Tensor  # [B, P] int64; 0: no phrase
    first_states: Tensor  # [B, P] int64
    alphabet: Tensor  # [B, A] int64; then PAD
    # By state and token; the last two columns: any other token inside a word, any other token at the start of one.
    next_states: Tensor  # [B, P, M + 2, A + 2] int64
    begins_word: Tensor  # [B, V] bool

    def select(self, rows: Tensor) -> "Phrases":
        """The phrases of the sentences `rows` [B'] int64."""
        return Phrases(
            self.ids[rows],
            self.lengths[rows],
            self.first_states[rows],
            self.alphabet[rows],
            self.next_states[rows],
            self.begins_word[rows],
        )

    def to(self, device: torch.device) -> "Phrases":
        """The same on `device`."""
        return Phrases(*(field.to(device) for field in self))

    def start(self) -> PhraseProgress:
        """The progress of the empty hypothesis."""
        states = self.first_states.unsqueeze(1)  # [B, 1, P]
        return PhraseProgress(states, torch.zeros_like(states[:, :, 0], dtype=torch.bool))

    def advance(self, states: Tensor, ids: Tensor) -> Tensor:
        """states [B, C, P], ids [B, C] -> the states after these tokens [B, C, P]."""
        is_same = ids.unsqueeze(2) == self.alphabet.unsqueeze(1)  # [B, C, A]
        other = self.alphabet.size(1) + self.begins_word.gather(1, ids).long()
        columns = torch.where(is_same.any(2), is_same.int().argmax(2), other)  # [B, C]
        sentences = torch.arange(len(ids), device=ids.device)[:, None, None]
        phrases = torch.arange(self.lengths.size(1), device=ids.device)
        return self.next_states[sentences, phrases, states, columns.unsqueeze(2)]

    def missing(self, states: Tensor) -> Tensor:
        """states [B, C, P] -> tokens [B, C] int64 that suffice to complete all phrases; 0: the hypothesis may end."""
        lengths = self.lengths.unsqueeze(1).expand_as(states)
        is_waiting = states == lengths  # complete, but its word has not ended
        is_open = (states < lengths) & (states != self._contained)
        afresh = (lengths * is_open).sum(2)
        waiting = (lengths * is_waiting).sum(2, keepdim=True)
        begins_word = self.begins_word.gather(1, self.needed(states).flatten(1)).view_as(states)
        lost = torch.where(begins_word, 0, waiting)  # [B, C, P]
        begun = torch.where(is_open, afresh.unsqueeze(2) - states + lost, afresh.unsqueeze(2))
        return torch.minimum(afresh, begun.amin(2))

    def needed(self, states: Tensor) -> Tensor:
        """The token [B, C, P] int64 that continues each phrase; PAD where it is complete."""
        places = states.clamp(max=self.ids.size(2) - 1).unsqueeze(3)
        ids = self.ids.unsqueeze(1).expand(*states.shape, -1).gather(3, places).squeeze(3)
        return torch.where(states < self.lengths.unsqueeze(1), ids, PAD)

    @property
    def _contained(self) -> int:
        return self.next_states.size(2) - 1


def encode_phrases(texts: Sequence[str], codec: TextCodec, where: str, own_words: Sequence[str] = ()) -> list[Phrase]:
    """The distinct phrases of the texts. Raises DataError, naming `where`, for words outside the vocabulary.

    `own_words` are the source's, where they may be copied (nmt_attn/data/copying.py).
    """
    return list(dict.fromkeys(_encode(text, codec, where, own_words) for text in texts))


def split_phrases(line: str) -> list[str]:
    """The phrases of a line, between tabs."""
    return [phrase for phrase in line.split("\t") if phrase.strip()]


def phrases_of(sentences: Sequence[Sequence[Phrase]], begins_word: Tensor) -> Phrases:
    """Transition tables for the phrases of B sentences, at least one of which has a phrase.

    begins_word [V] bool, or [B, V] where sentences have words of their own
    """
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
        begins_word=begins_word.expand(len(sentences), -1),
    )
    for row, (phrases, alphabet) in enumerate(zip(sentences, alphabets, strict=True)):
        ids = torch.tensor(alphabet, dtype=torch.int64)
        found.alphabet[row, : len(alphabet)] = ids
        flags = found.begins_word[row, ids].tolist()
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
    """begins_word [V] bool: True for tokens before which a word has ended; `</s>` is one of them."""
    flags = torch.tensor([codec.tokenizer.begins_word(token) for token in codec.vocabulary.tokens])
    flags[EOS] = True
    return flags


def own_beginnings(begins_word: Tensor, own_words: Sequence[Sequence[str]], codec: TextCodec, size: int) -> Tensor:
    """The same [B, V + size] for sentences with words of their own."""
    own = torch.zeros(len(own_words), size, dtype=torch.bool)
    for row, words in zip(own, own_words, strict=True):
        row[: len(words)] = torch.tensor([codec.tokenizer.begins_word(word) for word in words], dtype=torch.bool)
    return torch.cat([begins_word.expand(len(own), -1), own], 1)


def _encode(text: str, codec: TextCodec, where: str, own_words: Sequence[str]) -> Phrase:
    pieces = codec.pieces(text)
    if not pieces:
        raise DataError(f"{where}: expected a phrase, got {shown(text)}")
    first_state = 0
    if not codec.tokenizer.begins_word(pieces[0]):
        pieces, first_state = [BLANK, *pieces], 1
    ids = target_rows(pieces, own_words, codec.vocabulary)
    if UNK in ids:
        unknown = pieces[ids.index(UNK)]
        raise DataError(
            f"{where}: expected words of the model's vocabulary, got {shown(text)} (unknown: {shown(unknown)})"
        )
    return Phrase(tuple(ids), first_state)


def _transitions(
    ids: Sequence[int], alphabet: Sequence[int], begins_word: Sequence[bool], there: int
) -> list[list[int]]:
    """The next state by state (0 ... m) and token: the alphabet, any other token inside a word, any at its start.

    `begins_word` is of each token of the alphabet.
    """
    tokens: list[tuple[int | None, bool]] = list(zip(alphabet, begins_word, strict=True))
    tokens += [(None, False), (None, True)]
    table: list[list[int]] = []
    shorter = 0  # length of the longest proper prefix of ids[:state] that is also its suffix
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
