"""Encoded corpora: pairs of ids in a memory-mapped Arrow file.

The file has the format of the `datasets` library: columns `source` and `target` (lists of int32, without `<s>` and
`</s>`; of int64 where source tokens have factors); with text, also `source_text` and `target_text`; with word
alignments, `links`.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nmt_attn.types import SentencePair

Ids = NDArray[np.int32] | NDArray[np.int64]
Lengths = NDArray[np.int32]

CHUNK_PAIRS = 50_000
"""Pairs written at a time; no more are held as Python objects."""


class EncodedPair(NamedTuple):
    """One pair as ids without `<s>` and `</s>`, and its text as written in the corpus."""

    source: list[int]
    target: list[int]
    text: SentencePair
    links: Sequence[tuple[int, int]] | None = None  # (source, target) positions, from 0, of a given alignment


class EncodedRows(NamedTuple):
    """Some pairs of a corpus: read-only views of the mapped file."""

    source: list[Ids]
    target: list[Ids]
    links: list[Ids] | None = None  # source and target position of the first link, of the second, ...


class EncodedCorpus:
    """Pairs of ids on disk. Lengths, in tokens with `</s>`, are in memory."""

    def __init__(self, table: Any) -> None:
        """`table`: an Arrow table with the columns above."""
        self._table = table
        self._source = _Column(table.column("source").chunks)
        self._target = _Column(table.column("target").chunks)
        self._links = _Column(table.column("links").chunks) if "links" in table.column_names else None
        self.source_lengths = self._source.lengths + 1
        self.target_lengths = self._target.lengths + 1

    def __len__(self) -> int:
        return len(self.source_lengths)

    @property
    def has_links(self) -> bool:
        """Whether the pairs have given word alignments."""
        return self._links is not None

    def rows(self, indices: NDArray[np.integer[Any]]) -> EncodedRows:
        """The pairs at `indices`, in that order, without `<s>` and `</s>`."""
        links = None if self._links is None else self._links.rows(indices)
        return EncodedRows(self._source.rows(indices), self._target.rows(indices), links)

    def in_epoch(self, epoch: int) -> Self:
        """The corpus of that epoch: the same in every epoch unless a subclass resamples it."""
        return self

    def text_rows(self, indices: NDArray[np.integer[Any]]) -> list[SentencePair]:
        """The text of the pairs at `indices`, in that order. The corpus must have been written with its text."""
        sources, targets = (self._table.column(f"{side}_text") for side in ("source", "target"))
        return [SentencePair(sources[int(i)].as_py(), targets[int(i)].as_py()) for i in indices]

    def texts(self) -> list[SentencePair]:
        """The text of every pair as written in the corpus. The corpus must have been written with its text."""
        sources = self._table.column("source_text").to_pylist()
        targets = self._table.column("target_text").to_pylist()
        return [SentencePair(source, target) for source, target in zip(sources, targets, strict=True)]


def write_encoded(
    path: Path, pairs: Iterable[EncodedPair], *, keep_text: bool, keep_links: bool = False, has_factors: bool = False
) -> None:
    """Writes the pairs to an Arrow file, chunk by chunk. Raises OSError if the file cannot be written."""
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    ids = pa.list_(pa.int32())
    fields = {"source": pa.list_(pa.int64()) if has_factors else ids, "target": ids}
    source_type = np.int64 if has_factors else np.int32
    if keep_text:
        fields |= {"source_text": pa.string(), "target_text": pa.string()}
    if keep_links:
        fields |= {"links": ids}
    schema = pa.schema(list(fields.items()))
    with ArrowWriter(schema=schema, path=str(path)) as writer:
        for chunk in _chunks(pairs):
            columns = [_list_array([pair.source for pair in chunk], source_type)]
            columns += [_list_array([pair.target for pair in chunk])]
            if keep_text:
                columns += [pa.array([pair.text.source for pair in chunk], pa.string())]
                columns += [pa.array([pair.text.target for pair in chunk], pa.string())]
            if keep_links:
                columns += [_list_array([[i for link in pair.links or () for i in link] for pair in chunk])]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), writer_batch_size=CHUNK_PAIRS)
        writer.finalize()


def open_encoded(path: Path) -> EncodedCorpus:
    """The corpus in an Arrow file, mapped into memory. Raises OSError or ValueError if the file is damaged.

    `datasets.Dataset.from_file` would open it too, but importing `datasets` takes most of a second.
    """
    return EncodedCorpus(open_table(path))


def open_table(path: Path) -> Any:
    """The Arrow table in a file, mapped into memory. Raises OSError or ValueError if the file is damaged."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()


class _Column:
    """A chunked Arrow column of lists of integers, indexed without creating Python objects."""

    def __init__(self, chunks: list[Any]) -> None:
        self._offsets = [_numbers(chunk.offsets) for chunk in chunks]
        self._values = [_numbers(chunk.values) for chunk in chunks]
        sizes = [len(chunk) for chunk in chunks]
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, np.int64)  # first row of each chunk
        lengths = [np.diff(offsets) for offsets in self._offsets]
        self.lengths: Lengths = np.concatenate([np.zeros(0, np.int32), *lengths])

    def rows(self, indices: NDArray[np.integer[Any]]) -> list[Ids]:
        chunks = np.searchsorted(self._starts, indices, side="right") - 1
        return [self._row(int(chunk), int(i)) for chunk, i in zip(chunks, indices, strict=True)]

    def _row(self, chunk: int, index: int) -> Ids:
        row, offsets = index - int(self._starts[chunk]), self._offsets[chunk]
        values: Ids = self._values[chunk][offsets[row] : offsets[row + 1]]
        return values


def _numbers(array: Any) -> Ids:
    """A numpy view of an Arrow array of integers without nulls.

    Arrow's own `to_numpy` imports pandas where that is installed: 41 MiB.
    """
    _, values = array.buffers()
    if not len(array):  # it may have no buffer
        return np.zeros(0, np.int32)
    kind = np.dtype(np.int64 if array.type.bit_width == 64 else np.int32)
    return np.frombuffer(values, kind, count=len(array), offset=array.offset * kind.itemsize)


def _list_array(rows: list[list[int]], kind: type[np.integer[Any]] = np.int32) -> Any:
    import pyarrow as pa

    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    values = np.fromiter((i for row in rows for i in row), kind, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _chunks(pairs: Iterable[EncodedPair]) -> Iterator[list[EncodedPair]]:
    iterator = iter(pairs)
    while chunk := list(islice(iterator, CHUNK_PAIRS)):
        yield chunk
