"""Word vectors learned elsewhere (data.vectors), which become the first embeddings of a new model."""

from collections.abc import Callable

import torch

from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs
from nmt_attn.data.corpus import located
from nmt_attn.data.vectors import read_vectors
from nmt_attn.model.seq2seq import Seq2Seq


def start_embeddings(
    config: Config, codecs: Codecs, model: Seq2Seq, *, is_new: bool, note: Callable[[str], None]
) -> None:
    """Puts the vectors of `data.vectors` into the embeddings of a model that is new, and freezes them if configured.

    Words that the files lack keep their first weights; `note` gets a line about each file. A model that goes on from a
    checkpoint reads nothing. Raises DataError.
    """
    vectors = config.data.vectors
    for side, file, codec, embedding, size_key in (
        ("source", vectors.source, codecs.source, model.source_embedding, "model.encoder.embedding"),
        ("target", vectors.target, codecs.target, model.target_embedding, "model.decoder.embedding"),
    ):
        if file is None:
            continue
        weight = embedding.weight
        if is_new:
            path = located(file, config.data.root)
            found = read_vectors(path, codec.vocabulary, weight.shape[1], size_key)
            with torch.no_grad():
                weight[torch.from_numpy(found.ids)] = torch.from_numpy(found.values).to(weight.device)
            note(f"{side} vectors: {path} has {found.coverage()}; the others keep their first weights")
        weight.requires_grad_(not vectors.freeze)
