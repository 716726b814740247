"""A model of another toolkit becomes one of this package: configuration, codecs and weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nmt_attn.config.file import parse_config
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.config.yaml_io import format_yaml
from nmt_attn.data.codec import Codecs, TextCodec
from nmt_attn.data.tokenizer import TOKENIZERS, SentencePiece, TextOptions
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import DataError
from nmt_attn.foreign.foreign_model import NEVER, VOCABULARY_ROWS, ForeignModel, Order, Reasons, Side
from nmt_attn.foreign.subwords import joined_pieces
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config
from nmt_attn.text_io import open_binary


@dataclass(frozen=True)
class Imported:
    """All that a model folder holds."""

    model: Seq2Seq
    config: Config
    codecs: Codecs


def assemble(
    found: ForeignModel, path: Path, name: str, subwords: Sequence[Path], dtype: torch.dtype = torch.float32
) -> Imported:
    """The model, with SentencePiece models in place of split text if there are any: one for both sides, or one each.

    Its weights are of `dtype`. Raises DataError if a vocabulary cannot be taken over, or a weight is missing or of
    another shape.
    """
    reasons = Reasons()
    sides = {"source": found.source, "target": found.target}
    pieces = [_read(file) for file in subwords]
    models = dict(zip(sides, pieces * 2 if len(pieces) == 1 else pieces, strict=True)) if pieces else {}
    codecs, orders = {}, {}
    for side, vocabulary in sides.items():
        order = vocabulary.order(reasons)
        reasons.check(path)
        codecs[side], orders[side] = _codec(found, vocabulary, order, models.get(side))
    is_shared = codecs["source"].digest() == codecs["target"].digest()
    both = Codecs(codecs["source"], codecs["source"] if is_shared else codecs["target"])
    config = _config(found, name, both)
    model = model_from_config(config, both.source.size, both.target.size).to(dtype)
    _fill(model, found, orders, path)
    return Imported(model.eval(), config, both)


def _read(path: Path) -> bytes:
    with open_binary(path) as stream:
        return stream.read()


def _codec(found: ForeignModel, side: Side, order: Order, subwords: bytes | None) -> tuple[TextCodec, Order]:
    """The codec of one side, and the row of each of its tokens in the other model's matrices."""
    options = TextOptions.of(TokenizerConfig(lowercase=found.lowercase))
    if subwords is None:
        tokenizer = TOKENIZERS[found.kind](options)
        return TextCodec(found.kind, tokenizer, Vocabulary(order.tokens)), order
    sentencepiece = SentencePiece(options, joined_pieces(subwords, order.tokens))
    tokens = sentencepiece.tokens
    rows = dict(zip(order.tokens, order.rows, strict=True))
    unknown = rows["<unk>"]  # a piece that the model does not know is read as <unk>
    return (
        TextCodec("sentencepiece", sentencepiece, Vocabulary(tokens)),
        Order(
            tokens,
            tuple(rows.get(token, unknown) for token in tokens),
            frozenset(tokens) - frozenset(rows),
            order.start,
        ),
    )


def _config(found: ForeignModel, name: str, codecs: Codecs) -> Config:
    model: dict[str, Any] = {"encoder": {}, "attention": {}, "decoder": {}}
    for key, value in found.keys.items():
        section, _, leaf = key.rpartition(".")
        (model[section] if section else model)[leaf] = value
    tokenizer = {
        "kind": codecs.source.kind,
        "vocab_size": max(8, codecs.source.size, codecs.target.size),
        "shared": codecs.source is codecs.target,
        "lowercase": found.lowercase,
    }
    data = {"train": {"source": "train.source", "target": "train.target"}}  # which is not there: none is known
    tree = {"run": {"name": name}, "data": data, "tokenizer": tokenizer, "model": model}
    return parse_config(format_yaml(tree), [], name)


def _fill(model: Seq2Seq, found: ForeignModel, orders: Mapping[str, Order], path: Path) -> None:
    """Sets every parameter. Raises DataError unless each has its weight."""
    weights = {name: _rows(name, weight, orders) for name, weight in found.weights.items()}
    parameters = {name: each for name, each in model.named_parameters(remove_duplicate=False) if each.numel()}
    given = {name: weight for name, weight in weights.items() if weight.numel()}
    if parameters.keys() != given.keys():
        name = min(parameters.keys() ^ given.keys())
        raise DataError(
            f"{path}: expected the weights of this model, got {'none for' if name in parameters else ''} {name}"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            if parameter.shape != given[name].shape:
                shapes = f"{list(parameter.shape)}, got {list(given[name].shape)}"
                raise DataError(f"{path}: expected a weight for {name} of shape {shapes}")
            if not torch.isfinite(given[name]).all():
                raise DataError(f"{path}: expected finite weights, got NaN or infinity for {name}")
            parameter.copy_(given[name])


def _rows(name: str, weight: Tensor, orders: Mapping[str, Order]) -> Tensor:
    """A weight with a row for each word in our order; others as they are."""
    side = VOCABULARY_ROWS.get(name)
    if side is None:
        return weight
    order = orders[side].written() if name.startswith("output.") else orders[side].read()
    return order.take(weight, NEVER if name == "output.bias" else 0.0)
