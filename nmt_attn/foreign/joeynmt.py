"""Checkpoints of joeynmt 1.3 to 2.3 (`.ckpt`, beside its `config.yaml` and vocabularies), both sides `recurrent`.

All layers of its decoder start from the encoder's top layer: one bridge, the forward half, or 0; an LSTM's cell starts
like its state. The query is the new state, h~ = tanh(W [s ; c] + b), and the output layer has no bias.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import DataError
from nmt_attn.foreign.foreign_model import ForeignModel, Reasons, Side, Taken, luong_decoder, torch_encoder
from nmt_attn.text_io import read_lines, read_text

_SCORES = {"luong": "general", "bahdanau": "additive"}
_SPECIALS = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}


def is_joeynmt(found: Mapping[str, Any]) -> bool:
    """Whether a checkpoint has the parts of one."""
    return isinstance(found.get("model_state"), dict) and "src_embed.lut.weight" in found["model_state"]


def read_joeynmt(path: Path, found: Mapping[str, Any], vocabularies: tuple[Path, ...]) -> ForeignModel:
    """The model of a checkpoint. Raises DataError with every reason why it cannot be expressed."""
    tree, _ = parse_yaml(read_text(path.parent / "config.yaml"), str(path.parent / "config.yaml"))
    if not isinstance(tree, dict) or not isinstance(tree.get("model"), dict) or not isinstance(tree.get("data"), dict):
        raise DataError(f"{path.parent / 'config.yaml'}: expected the configuration of a joeynmt model, got another")
    data, model = tree["data"], tree["model"]
    encoder, decoder, reasons = model.get("encoder", {}), model.get("decoder", {}), Reasons()
    _check(encoder, decoder, reasons)
    reasons.check(path)
    (source, target), source_of = _sides(path, data, vocabularies), data.get("src", data)
    taken = Taken(found["model_state"], path)
    cell, score = encoder.get("rnn_type", "gru"), _SCORES[decoder.get("attention", "bahdanau")]
    feeds, layers = (
        bool(decoder.get("input_feeding", True)),
        [int(side.get("num_layers", 1)) for side in (encoder, decoder)],
    )
    ours = _embeddings(taken, encoder, decoder)
    embedding, hidden = ours["target_embedding.weight"].shape[1], taken("decoder.output_layer.weight").shape[1]
    ours |= torch_encoder(taken, "encoder.rnn", layers=layers[0], directions=2, cell=cell)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = [[f"decoder.rnn.{kind}_l{layer}" for kind in kinds] for layer in range(layers[1])]
    ours |= luong_decoder(taken, names, embedding=embedding, feed=hidden if feeds else 0, cell=cell)
    ours |= _attention(taken, score, hidden)
    keys: dict[str, Any] = {
        "encoder.cell": cell,
        "encoder.layers": layers[0],
        "encoder.hidden": int(encoder["hidden_size"]),
        "encoder.embedding": ours["source_embedding.weight"].shape[1],
        "attention.score": score,
        "decoder.style": "luong",
        "decoder.cell": cell,
        "decoder.layers": layers[1],
        "decoder.hidden": hidden,
        "decoder.embedding": embedding,
        "decoder.input_feeding": "attentional" if feeds else "none",
        "decoder.attentional_bias": True,
    }
    keys |= _first_state(taken, ours, decoder, layers, cell)
    taken.check(reasons)
    reasons.check(path)
    level = source_of.get("level", "word")
    return ForeignModel(
        "joeynmt",
        source,
        target,
        keys=keys,
        weights=ours,
        kind="char" if level == "char" else "word",
        lowercase=bool(source_of.get("lowercase", False)),
    )


def _check(encoder: Mapping[str, Any], decoder: Mapping[str, Any], reasons: Reasons) -> None:
    for name, side in (("encoder", encoder), ("decoder", decoder)):
        reasons.unless(side.get("type", "recurrent") == "recurrent", f"a {name} of type {side.get('type')}")
    reasons.unless(encoder.get("bidirectional", True) is True, "an encoder of one direction")
    reasons.unless(encoder.get("rnn_type", "gru") == decoder.get("rnn_type", "gru"), "different cells on both sides")
    reasons.unless(decoder.get("activation", "tanh") == "tanh", f"activation {decoder.get('activation')}")
    reasons.unless(decoder.get("attention", "bahdanau") in _SCORES, f"attention {decoder.get('attention')}")


def _sides(path: Path, data: Mapping[str, Any], vocabularies: tuple[Path, ...]) -> list[Side]:
    """The vocabularies: the files given, or those beside the checkpoint."""
    files = vocabularies or tuple(path.parent / f"{side}_vocab.txt" for side in ("src", "trg"))
    files = files * 2 if len(files) == 1 else files
    given = data.get("special_symbols", {})
    spelled = {name: given.get(name, spelling) for name, spelling in _SPECIALS.items()}
    return [Side(read_lines(file), **{name[:3]: each for name, each in spelled.items()}) for file in files]


def _embeddings(taken: Taken, encoder: Mapping[str, Any], decoder: Mapping[str, Any]) -> dict[str, Tensor]:
    found = {}
    for name, root, side in (("source", "src", encoder), ("target", "trg", decoder)):
        weight = taken(f"{root}_embed.lut.weight")
        is_scaled = side.get("embeddings", {}).get("scale", False)
        found[f"{name}_embedding.weight"] = weight.double() * math.sqrt(weight.shape[1]) if is_scaled else weight
    return found


def _attention(taken: Taken, score: str, hidden: int) -> dict[str, Tensor]:
    ours, root = "decoder.attentional_state.projection", "decoder.attention"
    of_state, of_context = taken("decoder.att_vector_layer.weight").tensor_split([hidden], 1)
    output = taken("decoder.output_layer.weight")
    found = {
        f"{ours}.weight": torch.cat([of_context, of_state], 1),
        f"{ours}.bias": taken("decoder.att_vector_layer.bias"),
        "decoder.attention.score.key_projection.weight": taken(f"{root}.key_layer.weight"),
        "output.weight": output,
        "output.bias": torch.zeros(len(output)),
    }
    if score == "additive":
        found["decoder.attention.score.query_projection.weight"] = taken(f"{root}.query_layer.weight")
        found["decoder.attention.score.vector"] = taken(f"{root}.energy_layer.weight")[0]
    return found


def _first_state(
    taken: Taken, ours: dict[str, Tensor], decoder: Mapping[str, Any], layers: list[int], cell: str
) -> dict[str, object]:
    """The keys of the first state; a bridge's weights go into `ours`."""
    kind = decoder.get("init_hidden", "bridge")
    keys: dict[str, object] = {"decoder.init": {"bridge": "bridge", "last": "last-forward"}.get(kind, "zero")}
    if kind == "last":
        encoder_size = ours["encoder.layers.0.directions.0.layer.cell.recurrent.weight"].shape[1]
        if encoder_size != ours["decoder.bottom.recurrent.weight"].shape[1]:
            keys["decoder.init"] = "last"
    if cell == "lstm" and kind in ("bridge", "last"):
        keys["decoder.init_cell"] = "copy"
    if kind in ("bridge", "last") and min(layers) > 1:
        keys["decoder.init_reads"] = "top"
    if kind == "bridge":
        keys |= {"decoder.init_shared": True} if layers[1] > 1 else {}
        for layer in range(layers[1]):
            root = f"decoder.start_state.hidden.{layer}.projection"
            ours |= {f"{root}.{part}": taken(f"decoder.bridge_layer.{part}") for part in ("weight", "bias")}
    return keys
