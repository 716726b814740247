"""Shortlists: the output layer restricted to words that the translation of a sentence is likely to contain.

Jean et al. 2015 (arXiv 1412.2007), section 3.3: the target words aligned most often with each source word in the
training pairs, and the most frequent words overall. The alignment is the model's own: each target token with the source
token of the greatest attention weight.

Search runs over these words, renumbered: special and frequent ones first, then the others, both in order of their ids.
Probabilities are normalised over them. The words of the whole batch are scored together, but each sentence uses its
own words alone, so its translation does not depend on the rest of the batch. Special tokens and the tokens of prefixes
and phrases are always included.

The file, in a model's folder: `shortlist SOURCE_SIZE TARGET_SIZE`, a line of the frequent ids, then one line for each
source id, in order, with the ids of its candidates, most likely first.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.files import shown, write_text
from nmt_attn.model.store import SHORTLIST
from nmt_attn.text_io import read_lines
from nmt_attn.types import EOS, PAD, SPECIAL_TOKENS

HEADER = "shortlist"
NUMBER = re.compile(r"[0-9]{1,9}")
"""A size or an id in it."""


class OutputWords(NamedTuple):
    """The C words that are scored for B sentences. In search, their indices 0 ... C - 1 take the place of ids."""

    ids: Tensor  # [C] int64; the index of a special token is its id
    common: int  # the first `common` words are the same in every batch
    is_own: Tensor  # [B, C] bool, True = the sentence may use the word

    def to(self, device: torch.device) -> "OutputWords":
        """The same on `device`."""
        return OutputWords(self.ids.to(device), self.common, self.is_own.to(device))

    def select(self, sentences: Tensor) -> "OutputWords":
        """The words of the sentences [B'] int64; the indices stay the same."""
        return self._replace(is_own=self.is_own[sentences])

    def numbers(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The indices of `ids`, all of which must be among the words."""
        wanted = torch.tensor(ids, dtype=torch.int64, device=self.ids.device)
        return tuple((wanted.unsqueeze(1) == self.ids).int().argmax(1).tolist())


@dataclass(frozen=True)
class Shortlist:
    """Which target words are likely translations of which source words."""

    frequent: Tensor  # [K] int64, candidates in every sentence; ascending, distinct
    candidates: Tensor  # [source vocabulary, N] int64, most likely first; then PAD
    target_size: int

    def check(self, source_size: int, target_size: int) -> None:
        """Raises ConfigError unless the vocabularies have these sizes."""
        if (len(self.candidates), self.target_size) != (source_size, target_size):
            raise ConfigError(
                f"shortlist: expected one for vocabularies of {source_size} and {target_size} tokens, "
                f"got one for {len(self.candidates)} and {self.target_size}"
            )

    def choose(self, src_ids: Tensor, required: Sequence[Sequence[int]]) -> OutputWords:
        """The words for src_ids [B, S] (with `</s>` and padding), including the `required` ids of each sentence."""
        common = torch.cat([torch.arange(len(SPECIAL_TOKENS)), self.frequent])
        is_own = torch.zeros(len(src_ids), self.target_size, dtype=torch.bool)
        words = src_ids % len(self.candidates)  # factors play no part
        likely = self.candidates[words].masked_fill((src_ids == PAD).unsqueeze(2), PAD)  # [B, S, N]
        is_own.scatter_(1, likely.flatten(1), value=True)
        for row, needed in enumerate(required):
            is_own[row, list(needed)] = True
        is_other = is_own.any(0)
        is_other[common] = False
        is_own[:, common] = True
        ids = torch.cat([common, is_other.nonzero().squeeze(1)])
        return OutputWords(ids, len(common), is_own[:, ids])

    def save(self, path: Path) -> None:
        """Writes the file atomically. Raises DataError."""
        rows = [self.frequent.tolist(), *([i for i in row if i != PAD] for row in self.candidates.tolist())]
        head = f"{HEADER} {len(self.candidates)} {self.target_size}\n"
        write_text(path, head + "".join(" ".join(map(str, row)) + "\n" for row in rows))


def read_shortlist(folder: Path) -> Shortlist:
    """The shortlist in a model's folder. Raises CheckpointError if it is missing or damaged."""
    path = folder / SHORTLIST
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: expected {SHORTLIST} in it, got none (make it: nmt-attn shortlist --model {folder})"
        )
    try:
        head, *lines = read_lines(path)
    except (DataError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a shortlist, got no readable text") from error
    name, *sizes = head.split(" ")
    if name != HEADER or len(sizes) != 2 or not all(map(NUMBER.fullmatch, sizes)):
        raise CheckpointError(f"{path}:1: expected '{HEADER} SOURCE_SIZE TARGET_SIZE', got {shown(head)}")
    source_size, target_size = map(int, sizes)
    if len(lines) != source_size + 1:
        raise CheckpointError(f"{path}: expected {source_size + 2} lines, got {len(lines) + 1}")
    frequent, *rows = (_read_ids(line, target_size, f"{path}:{number}") for number, line in enumerate(lines, 2))
    return Shortlist(frequent.unique(), _table(rows), target_size)


def merge(shortlists: Sequence[Shortlist]) -> Shortlist:
    """The union of shortlists of the same vocabularies."""
    first = shortlists[0]
    frequent = torch.cat([each.frequent for each in shortlists]).unique()
    candidates = torch.cat([each.candidates for each in shortlists], dim=1)
    return Shortlist(frequent, candidates, first.target_size)


class AlignmentCounts:
    """How often each source token is aligned with each target token, and how often each target token occurs."""

    def __init__(self, source_size: int, target_size: int) -> None:
        self.source_size = source_size
        self.target_size = target_size
        self._links: Counter[tuple[int, int]] = Counter()
        self._words: Counter[int] = Counter()

    def add(self, source_ids: Sequence[int], target_ids: Sequence[int], weights: Tensor) -> None:
        """Counts a pair of ids without `</s>`; weights [target ids + 1, source ids + 1] include `</s>`."""
        sources = [*(number % self.source_size for number in source_ids), EOS]  # factors play no part
        places = weights[: len(target_ids)].argmax(1).tolist()
        links = ((sources[place], token) for place, token in zip(places, target_ids, strict=True))
        self._links.update(link for link in links if link[1] >= len(SPECIAL_TOKENS))
        self._words.update(token for token in target_ids if token >= len(SPECIAL_TOKENS))

    def shortlist(self, frequent: int, candidates: int) -> Shortlist:
        """The `frequent` most frequent words and `candidates` words for each source token; ties go to lower ids."""
        rows: list[list[int]] = [[] for _ in range(self.source_size)]
        for (source, target), _ in sorted(self._links.items(), key=lambda item: (-item[1], item[0])):
            if len(rows[source]) < candidates:
                rows[source].append(target)
        words = sorted(self._words, key=lambda token: (-self._words[token], token))[:frequent]
        tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
        return Shortlist(torch.tensor(sorted(words), dtype=torch.int64), _table(tensors), self.target_size)


def _table(rows: Iterable[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=PAD)


def _read_ids(line: str, target_size: int, where: str) -> Tensor:
    """The ids of a line. Raises CheckpointError for the first that is not the id of a word."""
    fields = line.split()
    for field in fields:
        if not (NUMBER.fullmatch(field) and len(SPECIAL_TOKENS) <= int(field) < target_size):
            least = len(SPECIAL_TOKENS)
            raise CheckpointError(f"{where}: expected ids of words, {least} to {target_size - 1}, got {shown(field)}")
    return torch.tensor([int(field) for field in fields], dtype=torch.int64)
