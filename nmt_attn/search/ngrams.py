"""N-gram models with backoff (Katz 1987), read from the ARPA format that KenLM, SRILM and others write.

    log p(w | h) = the file's number of h w if it is there, else backoff(h) + log p(w | h without its first word)

Their words are the translator's target tokens.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.text_io import read_lines
from nmt_attn.types import PAD, SPECIAL_TOKENS, UNK

LN_10 = math.log(10)
IMPOSSIBLE = -99.0 * LN_10
"""What the format writes for log 0, and for `<unk>` where the file has none."""
MOST_NUMBERS = 1 << 24
"""Log-probabilities kept of the contexts that search has met."""

Context = tuple[int, ...]


class Successors(NamedTuple):
    """The words that the file lists after a context."""

    ids: Tensor  # [n] int64
    log_probs: Tensor  # [n] float64


class NGrams:
    """An n-gram model over the V target tokens."""

    def __init__(self, order: int, successors: Mapping[Context, Successors], backoffs: Mapping[Context, float]) -> None:
        self.order = order
        self.words = len(successors[()].ids)  # V
        self._successors = successors
        self._backoffs = backoffs
        self._known: dict[Context, Tensor] = {}

    def start(self, rows: int) -> Tensor:
        """The last words [N, order] of `rows` hypotheses without a word: PAD."""
        return torch.full((rows, self.order), PAD)

    def step(self, last_ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities [N, V] after one more word of each, and the last words."""
        history = torch.cat([state[:, 1:], last_ids.cpu().unsqueeze(1)], 1)
        rows = [self.log_probs(tuple(word for word in row if word != PAD)) for row in history.tolist()]
        return torch.stack(rows), history

    def reorder(self, state: Tensor, rows: Tensor) -> Tensor:
        """Rows `rows` of the last words."""
        return state[rows.cpu()]

    def log_probs(self, context: Context) -> Tensor:
        """log p of every word after the ids `context` [V] float64; shared, never to be written into."""
        context = context[-(self.order - 1) :] if self.order > 1 else ()
        found = self._known.get(context)
        if found is None:
            found = self._log_probs(context)
            if (len(self._known) + 1) * len(found) > MOST_NUMBERS:
                self._known.clear()
            self._known[context] = found
        return found

    def _log_probs(self, context: Context) -> Tensor:
        listed = self._successors.get(context)
        if not context:
            assert listed is not None, "unigrams"
            return listed.log_probs
        found = self.log_probs(context[1:])
        if context in self._backoffs:
            found = found + self._backoffs[context]
        if listed is None:
            return found
        return found.scatter(0, listed.ids, listed.log_probs)


@lru_cache(maxsize=2)
def read_arpa(path: Path, tokens: tuple[str, ...], changed: float) -> NGrams:
    """The n-grams of a file whose words are all target tokens, special ones included; other n-grams are left out.

    `changed` is the file's time. Raises DataError.
    """
    ids = {token: number for number, token in enumerate(tokens)}
    successors: dict[Context, dict[int, float]] = {(): {}}
    backoffs: dict[Context, float] = {}
    order = 1
    for number, size, fields in _entries(path):
        words = fields[1].split(" ") if len(fields) in (2, 3) else []
        if len(words) != size:
            raise DataError(f"{path}:{number}: expected log p, {size} words and perhaps a backoff, got {fields!r:.80}")
        order = max(order, size)
        known = [ids.get(word, -1) for word in words]
        if -1 in known:
            continue
        *context, last = known
        successors.setdefault(tuple(context), {})[last] = _number(fields[0], path, number)
        if len(fields) == 3:
            backoffs[tuple(known)] = _number(fields[2], path, number)
    unigrams = successors[()]
    if not unigrams.keys() - set(range(len(SPECIAL_TOKENS))):
        raise DataError(f"{path}: expected n-grams of the target's tokens, such as {tokens[-1]!r}, got none of them")
    unknown = unigrams.get(UNK, IMPOSSIBLE)
    successors[()] = {place: unigrams.get(place, unknown) for place in range(len(tokens))}
    listed = {context: _successors(each) for context, each in successors.items()}
    return NGrams(order, listed, backoffs)


def _successors(found: Mapping[int, float]) -> Successors:
    return Successors(torch.tensor(list(found)), torch.tensor(list(found.values()), dtype=torch.float64))


def _entries(path: Path) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Line number, number of words and columns of each n-gram. Raises DataError if the file is of another kind."""
    size, has_end = 0, False
    for number, line in enumerate(read_lines(path), 1):
        text = line.strip()
        if text.endswith("-grams:") and text[1:-7].isdecimal():
            size = int(text[1:-7])
        elif text == "\\end\\":
            has_end = True
        elif text and size:
            yield number, size, line.rstrip().split("\t")
    if not (size and has_end):
        raise DataError(
            f"{path}: expected an n-gram model in the ARPA format (\\1-grams: to \\end\\), got another file"
        )


def _number(text: str, path: Path, line: int) -> float:
    """A logarithm to the base 10 -> a natural one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value > 99:
        raise DataError(f"{path}:{line}: expected a logarithm, got {text[:40]!r}")
    return value * LN_10
