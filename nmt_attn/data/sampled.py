"""Sampled corpora: training text that is segmented into subwords anew in every epoch.

Kudo 2018 (arXiv 1804.10959): segmentations are drawn from the unigram model; Provilkov et al. 2020 (arXiv
1910.13267), BPE-dropout: merges are left out at random. A segmentation depends only on the seed, the epoch, the row and
the side, so that a resumed run and every process see the same.

Lengths, and so the plan of an epoch, are those of the best segmentation: a sampled batch may have slightly more tokens
than `training.batch_tokens`. A side that would exceed `data.max_length` keeps its best segmentation.
"""

import copy
import hashlib
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.pieces import link_pieces
from nmt_attn.data.codec import Codecs, TextCodec
from nmt_attn.data.encoded import EncodedCorpus, EncodedRows, Ids
from nmt_attn.data.subwords import SubwordSampling


class SamplingPlan(NamedTuple):
    """How a corpus is sampled."""

    codecs: Codecs
    sampling: SubwordSampling
    seed: int
    max_length: int  # tokens a side


class SampledCorpus(EncodedCorpus):
    """A corpus written with its text and word links; its rows change from epoch to epoch."""

    def __init__(self, table: Any, plan: SamplingPlan) -> None:
        super().__init__(table)
        self._plan = plan
        self._epoch = 0

    def in_epoch(self, epoch: int) -> Self:
        """The corpus with the segmentations of that epoch."""
        other = copy.copy(self)
        other._epoch = epoch
        return other

    def rows(self, indices: NDArray[np.integer[Any]]) -> EncodedRows:
        links = super().rows(indices).links
        source: list[Ids] = []
        target: list[Ids] = []
        piece_links: list[Ids] = []
        for place, (row, text) in enumerate(zip(indices, self.text_rows(indices), strict=True)):
            sides = self._pieces(text.source, int(row), 0), self._pieces(text.target, int(row), 1)
            for ids, codec, pieces in zip((source, target), self._plan.codecs, sides, strict=True):
                ids.append(np.array(codec.vocabulary.ids_of(pieces), np.int64))
            if links is not None:
                piece_links.append(self._link(links[place], *sides))
        return EncodedRows(source, target, None if links is None else piece_links)

    def _pieces(self, text: str, row: int, side: int) -> list[str]:
        codec: TextCodec = self._plan.codecs[side]
        name = f"{self._plan.seed} {self._epoch} {row} {side}".encode()
        seed = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
        pieces = codec.tokenizer.sample(text, self._plan.sampling, seed)
        return pieces if len(pieces) <= self._plan.max_length else codec.tokenizer.encode(text)

    def _link(self, word_links: Ids, source: list[str], target: list[str]) -> Ids:
        """Links of words -> links of pieces: source and target position of each link, flattened."""
        words = [
            codec.tokenizer.word_indices(side) for codec, side in zip(self._plan.codecs, (source, target), strict=True)
        ]
        links = zip(word_links[::2].tolist(), word_links[1::2].tolist(), strict=True)
        return np.array(link_pieces(sorted(links), *words), np.int32).reshape(-1)
