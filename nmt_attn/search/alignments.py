"""Alignments: attention weights between words, and the files that keep them.

A word's weight is the sum over the pieces of a source word and the mean over the pieces of a target word: a row that
summed to 1 before still does. The last row and the last column are those of `</s>`.

    .jsonl     one object a line: sentence, hypothesis, source, target, weights (4 decimals), eos
    .npz       arrays source_I_K, target_I_K (text) and weights_I_K (float32) of sentence I, hypothesis K; and `eos`
    .pharaoh   one line of links i-j a hypothesis: target word j and the source word i that has the greatest weight,
               or, with a threshold, every i that has so much

Sentences and hypotheses count from 1, positions from 0; weights are [target words, source words]. `eos` says whether
`</s>` is kept, as last word of both sides, or dropped; what is left is not scaled up then. A Pharaoh file has no
`</s>`: a target word that looks at the source's `</s>`, or nowhere, has no link.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.files import replacing, replacing_text
from nmt_attn.types import EOS, SPECIAL_TOKENS

EosPolicy = Literal["kept", "dropped"]
DECIMALS = 4


class Words(NamedTuple):
    """The words of one side, and the word (a position in `words`) of each of its pieces."""

    words: tuple[str, ...]
    word_indices: Sequence[int]


class WordAlignment(NamedTuple):
    """The weights of one translation. An empty source line, which no model has seen, has weights [0, 0]."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: Tensor  # [target words + 1, source words + 1], `</s>` last


class AlignmentRecord(NamedTuple):
    """An alignment and where it belongs."""

    sentence: int  # from 1, the line number
    hypothesis: int  # from 1
    alignment: WordAlignment


class _Matrix(NamedTuple):
    """What is written: weights [target, source] and their words."""

    source: list[str]
    target: list[str]
    weights: NDArray[np.float32]


Write = Callable[[AlignmentRecord], object]

EMPTY = WordAlignment((), (), torch.empty(0, 0))


def merge_pieces(weights: Tensor, source: Words, target: Words) -> WordAlignment:
    """weights [target pieces + 1, source pieces + 1], `</s>` last on both sides -> weights between words."""
    source_words, target_words = len(source.words), len(target.words)
    columns, column_indices = _pieces_of_words(source)
    rows, row_indices = _pieces_of_words(target)
    by_source = weights.new_zeros(len(weights), source_words + 1)
    by_source.index_add_(1, column_indices, weights[:, columns])  # [target pieces + 1, source words + 1]
    merged = weights.new_zeros(target_words + 1, source_words + 1)
    merged.index_add_(0, row_indices, by_source[rows])
    pieces = torch.bincount(row_indices, minlength=target_words + 1).clamp(min=1)
    return WordAlignment(source.words, target.words, merged / pieces.unsqueeze(1))


def links(alignment: WordAlignment, threshold: float | None) -> list[tuple[int, int]]:
    """(source position, target position), by target: `best_links` without a threshold, else `threshold_links`."""
    return best_links(alignment) if threshold is None else threshold_links(alignment, threshold)


def best_links(alignment: WordAlignment) -> list[tuple[int, int]]:
    """(source position, target position) of the greatest weight of each target word.

    Of equal weights the first counts. No link goes to `</s>` or to a weight of 0.
    """
    if not alignment.target:
        return []
    weights = alignment.weights[:-1].numpy(force=True)  # [target words, source words + 1]
    best = weights.argmax(axis=1)
    return [(int(i), j) for j, i in enumerate(best) if i < len(alignment.source) and weights[j, i] > 0]


def threshold_links(alignment: WordAlignment, threshold: float) -> list[tuple[int, int]]:
    """(source position, target position) wherever the weight is `threshold` or more; `</s>` has no links."""
    rows, columns = torch.nonzero(alignment.weights[:-1, :-1] >= threshold, as_tuple=True)
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def pharaoh_line(pairs: Iterable[tuple[int, int]]) -> str:
    """Links as a line of a Pharaoh file, by target position."""
    return " ".join(f"{i}-{j}" for i, j in sorted(pairs, key=lambda pair: (pair[1], pair[0]))) + "\n"


def alignment_writer(path: Path, eos: EosPolicy, threshold: float | None) -> AbstractContextManager[Write]:
    """A block that writes records to `path`, whole or not at all; the format is that of the file's ending.

    `threshold` is that of `links`. Memory does not grow with the file. Raises DataError for another ending.
    """
    if path.suffix not in _WRITERS:
        raise DataError(f"{path}: expected a name that ends in {' or '.join(_WRITERS)}, got {path.suffix!r}")
    return _WRITERS[path.suffix](path, eos, threshold)


def _pieces_of_words(side: Words) -> tuple[Tensor, Tensor]:
    """Positions of the pieces that belong to a word, `</s>` last, and the words that they belong to."""
    pairs = [(piece, word) for piece, word in enumerate(side.word_indices) if word < len(side.words)]
    pairs.append((len(side.word_indices), len(side.words)))
    return torch.tensor([piece for piece, _ in pairs]), torch.tensor([word for _, word in pairs])


def _matrix(alignment: WordAlignment, eos: EosPolicy) -> _Matrix:
    source, target = list(alignment.source), list(alignment.target)
    weights = alignment.weights.float().numpy(force=True)
    if eos == "dropped":
        return _Matrix(source, target, weights[: len(target), : len(source)])
    if alignment.weights.numel() > 0:
        source.append(SPECIAL_TOKENS[EOS])
        target.append(SPECIAL_TOKENS[EOS])
    return _Matrix(source, target, weights)


@contextmanager
def _jsonl_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[Write]:
    def write(record: AlignmentRecord) -> None:
        matrix = _matrix(record.alignment, eos)
        line = {
            "sentence": record.sentence,
            "hypothesis": record.hypothesis,
            "source": matrix.source,
            "target": matrix.target,
            "weights": [[round(weight, DECIMALS) for weight in row] for row in matrix.weights.tolist()],
            "eos": eos,
        }
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    with replacing_text(path) as stream:
        yield write


@contextmanager
def _npz_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[Write]:
    def add(name: str, array: NDArray[np.generic]) -> None:
        content = io.BytesIO()
        np.lib.format.write_array(content, array, allow_pickle=False)
        archive.writestr(f"{name}.npy", content.getbuffer())

    def write(record: AlignmentRecord) -> None:
        matrix = _matrix(record.alignment, eos)
        place = f"{record.sentence}_{record.hypothesis}"
        add(f"source_{place}", np.array(matrix.source, dtype=np.str_))
        add(f"target_{place}", np.array(matrix.target, dtype=np.str_))
        add(f"weights_{place}", matrix.weights)

    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        add("eos", np.array(eos))
        yield write


@contextmanager
def _pharaoh_writer(path: Path, eos: EosPolicy, threshold: float | None) -> Iterator[Write]:
    def write(record: AlignmentRecord) -> None:
        stream.write(pharaoh_line(links(record.alignment, threshold)))

    with replacing_text(path) as stream:
        yield write


_WRITERS: dict[str, Callable[[Path, EosPolicy, float | None], AbstractContextManager[Write]]] = {
    ".jsonl": _jsonl_writer,
    ".npz": _npz_writer,
    ".pharaoh": _pharaoh_writer,
}
