"""Word vectors learned elsewhere (data.vectors), which become the first embeddings of a new model."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, TextCodec
from nmt_attn.data.corpus import located
from nmt_attn.data.vectors import read_vectors
from nmt_attn.model.seq2seq import Seq2Seq


class _Side(NamedTuple):
    """Where vectors go."""

    file: str | None
    codec: TextCodec
    embedding: nn.Embedding
    name: str
    size_key: str


def start_embeddings(
    config: Config, codecs: Codecs, model: Seq2Seq, *, is_new: bool, note: Callable[[str], None]
) -> None:
    """Puts the vectors of `data.vectors` into the embeddings of a model that is new, and freezes them if configured.

    Words that the files lack keep their first weights; `note` is told how many. A model that goes on from a
    checkpoint reads nothing. Raises DataError.
    """
    vectors = config.data.vectors
    source, target = model.source_embedding, model.target_embedding
    for side in (
        _Side(vectors.source, codecs.source, source, "source", "model.encoder.embedding"),
        _Side(vectors.target, codecs.target, target, "target", "model.decoder.embedding"),
    ):
        if side.file is None:
            continue
        if is_new:
            _read(side, config, note)
        side.embedding.weight.requires_grad_(not vectors.freeze)


def _read(side: _Side, config: Config, note: Callable[[str], None]) -> None:
    path = located(str(side.file), config.data.root)
    weight = side.embedding.weight
    found = read_vectors(path, side.codec.vocabulary, weight.shape[1], side.size_key)
    with torch.no_grad():
        weight[torch.from_numpy(found.ids)] = torch.from_numpy(found.values).to(weight.device)
    note(f"{side.name} vectors: {path} has {found.coverage()}; the others keep their first weights")
