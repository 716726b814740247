"""Checkpoints of OpenNMT-py 2 and 3 (`.pt`), encoder `rnn` or `brnn`, decoder `rnn`.

Its encoder reads the words alone. Its general score is s . W h with W transposed; h~ = tanh(W_c [c ; s]) without bias,
for `mlp` W_c [c ; s] + b without tanh. A context gate is over h~. The bridge is one matrix for each of the
encoder's directions over the states of all layers, through ReLU.
"""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.foreign.foreign_model import ForeignModel, Reasons, Side, Taken, luong_decoder, torch_encoder
from nmt_attn.foreign.pickles import Inert
from nmt_attn.registries import CONTEXT_GATES

_CELLS = {"LSTM": "lstm", "GRU": "gru"}
EMBEDDINGS = tuple(f"{side}.embeddings.make_embedding.emb_luts.0.weight" for side in ("encoder", "decoder"))
"""Names of the word vectors of both sides."""
_SCORES = {"general": "general", "dot": "dot", "mlp": "additive", "none": "none", None: "none"}


def is_opennmt(found: Mapping[str, Any]) -> bool:
    """Whether a checkpoint has the parts of one."""
    return isinstance(found.get("opt"), Namespace) and {"model", "vocab"} <= found.keys()


def read_opennmt(path: Path, found: Mapping[str, Any]) -> ForeignModel:
    """The model of a checkpoint. Raises DataError with every reason why it cannot be expressed."""
    options = {_NEWER.get(name, name): value for name, value in vars(found["opt"]).items()}
    sides, reasons = _sides(path, found["vocab"]), Reasons()
    generator = {name.removeprefix("0."): each for name, each in (found.get("generator") or {}).items()}
    weights = {**found["model"], **{f"generator.{name}": each for name, each in generator.items()}}
    return read_rnn(path, options, Taken(weights, path), sides, reasons)


_NEWER = {"enc_rnn_size": "enc_hid_size", "dec_rnn_size": "dec_hid_size"}
"""Options of version 2 under their names of version 3."""


def _sides(path: Path, vocabulary: Any) -> tuple[Side, Side]:
    """Lists of tokens (version 3), or fields of torchtext, each with its vocabulary (version 2)."""
    lists = [_tokens(vocabulary.get(side)) for side in ("src", "tgt")] if isinstance(vocabulary, dict) else [None]
    source, target = lists if len(lists) == 2 else (None, None)
    if source is None or target is None:
        raise DataError(f"{path}: expected vocabularies of OpenNMT-py as lists of tokens or fields, got another")
    start = vocabulary.get("decoder_start_token") or "<s>"
    begin, end = (Side(tokens, pad="<blank>", start=start) for tokens in (source, target))
    return begin, end


def _tokens(found: Any) -> list[str] | None:
    """The tokens of one side; a field of several parts has its words first."""
    if isinstance(found, Inert):
        parts = found.entries.get("fields")
        field = parts[0][1] if isinstance(parts, list) and parts else found
        words = field.entries.get("vocab") if isinstance(field, Inert) else None
        found = words.entries.get("itos") if isinstance(words, Inert) else None
    return found if isinstance(found, list) and all(isinstance(token, str) for token in found) else None


def read_rnn(
    path: Path, options: Mapping[str, Any], taken: Taken, sides: tuple[Side, Side], reasons: Reasons
) -> ForeignModel:
    """The same of options and weights, which eole has under the names of OpenNMT-py too."""
    _check_options(options, reasons)
    reasons.check(path)
    source, target = sides
    cell, score = _CELLS[options["rnn_type"]], _SCORES[options["global_attention"]]
    layers = options["enc_layers"]
    directions = 2 if options["encoder_type"] == "brnn" else 1
    hidden, feeds = options["dec_hid_size"], bool(options["input_feed"])
    ours = {
        f"{side}_embedding.weight": taken(name) for side, name in zip(("source", "target"), EMBEDDINGS, strict=True)
    }
    sizes = {side: ours[f"{side}_embedding.weight"].shape[1] for side in ("source", "target")}
    ours |= torch_encoder(taken, "encoder.rnn", layers=layers, directions=directions, cell=cell)
    names = [_cell_names(layer, feeds=feeds) for layer in range(layers)]
    feed = hidden if feeds else 0
    ours |= luong_decoder(taken, names, embedding=sizes["target"], feed=feed, cell=cell)
    ours |= (
        _gate(taken, options)
        | _attention(taken, score, hidden)
        | {f"output.{kind}": taken(f"generator.{kind}") for kind in _OUTPUT}
    )
    keys: dict[str, Any] = {
        "encoder.cell": cell,
        "encoder.layers": layers,
        "encoder.hidden": hidden // directions,
        "encoder.bidirectional": directions == 2,
        "encoder.embedding": sizes["source"],
        "encoder.reads_eos": False,
        "attention.score": score,
        "decoder.style": "luong",
        "decoder.cell": cell,
        "decoder.layers": layers,
        "decoder.hidden": hidden,
        "decoder.embedding": sizes["target"],
        "decoder.input_feeding": "attentional" if feeds else "none",
    }
    keys |= {} if score == "none" else {"attention.attend_eos": False}
    keys |= {"decoder.context_gate": gate} if (gate := options.get("context_gate")) else {}
    keys |= {"attention.bias": True, "decoder.attentional_bias": True} if score == "additive" else {}
    keys |= {} if score in ("general", "dot") else {"decoder.attentional_activation": "none"}
    keys |= _first_state(taken, ours, options, directions)
    taken.leave("decoder.attn.linear_cover")  # which its decoder never calls
    taken.check(reasons)
    reasons.check(path)
    return ForeignModel("OpenNMT-py", source, target, keys=keys, weights=ours)


_OUTPUT = ("weight", "bias")


def _check_options(options: Mapping[str, Any], reasons: Reasons) -> None:
    kinds = {name: options.get(name) for name in ("encoder_type", "decoder_type", "rnn_type", "global_attention")}
    reasons.unless(kinds["encoder_type"] in ("rnn", "brnn"), f"encoder_type {kinds['encoder_type']}")
    reasons.unless(kinds["decoder_type"] == "rnn", f"decoder_type {kinds['decoder_type']}")
    reasons.unless(kinds["rnn_type"] in _CELLS, f"rnn_type {kinds['rnn_type']}")
    reasons.unless(kinds["global_attention"] in _SCORES, f"global_attention {kinds['global_attention']}")
    reasons.unless(options.get("enc_layers") == options.get("dec_layers"), "stacks of different heights")
    reasons.unless(options.get("enc_hid_size") == options.get("dec_hid_size"), "sides of different sizes")
    gate = options.get("context_gate")
    reasons.unless(gate in (None, *CONTEXT_GATES), f"context_gate {gate}")
    reasons.unless(
        gate is None or kinds["global_attention"] not in ("none", None), "context_gate without global_attention"
    )
    for name, plain in (
        ("global_attention_function", "softmax"),
        ("model_type", "text"),
        ("copy_attn", False),
        ("position_encoding", False),
        ("n_src_feats", 0),
    ):
        value = options.get(name, plain)
        reasons.unless(value == plain, f"{name} {value}")


def _cell_names(layer: int, *, feeds: bool) -> list[str]:
    """Of a decoder's layer: cells of its own where it feeds back, else one network of torch."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    if feeds:
        return [f"decoder.rnn.layers.{layer}.{kind}" for kind in kinds]
    return [f"decoder.rnn.{kind}_l{layer}" for kind in kinds]


def _attention(taken: Taken, score: str, hidden: int) -> dict[str, Tensor]:
    root, ours = "decoder.attn", "decoder.attentional_state.projection"
    if score == "none":  # what comes out of the stack is read as it is
        return {f"{ours}.weight": torch.eye(hidden)}
    found = {f"{ours}.weight": taken(f"{root}.linear_out.weight")}
    if score == "general":
        found["decoder.attention.score.key_projection.weight"] = taken(f"{root}.linear_in.weight").T
    elif score == "additive":
        found[f"{ours}.bias"] = taken(f"{root}.linear_out.bias")
        found["decoder.attention.score.query_projection.weight"] = taken(f"{root}.linear_query.weight")
        found["decoder.attention.score.query_projection.bias"] = taken(f"{root}.linear_query.bias")
        found["decoder.attention.score.key_projection.weight"] = taken(f"{root}.linear_context.weight")
        found["decoder.attention.score.vector"] = taken(f"{root}.v.weight")[0]
    return found


def _gate(taken: Taken, options: Mapping[str, Any]) -> dict[str, Tensor]:
    """Of a context gate, if there is one."""
    if not options.get("context_gate"):
        return {}
    names = {"gate": "gate", "source_projection": "source_proj", "target_projection": "target_proj"}
    return {
        f"decoder.attentional_state.gate.{ours}.{kind}": taken(f"decoder.context_gate.context_gate.{theirs}.{kind}")
        for ours, theirs in names.items()
        for kind in _OUTPUT
    }


def _first_state(
    taken: Taken, ours: dict[str, Tensor], options: Mapping[str, Any], directions: int
) -> dict[str, object]:
    """The keys of the first state; a bridge's weights go into `ours`."""
    has_cell, layers, hidden = options["rnn_type"] == "LSTM", options["enc_layers"], options["dec_hid_size"]
    kind = "bridge" if options.get("bridge") else "last"
    keys: dict[str, object] = {"decoder.init": kind, **({"decoder.init_cell": kind} if has_cell else {})}
    if kind == "last":
        return keys
    keys["decoder.init_activation"] = "relu"
    keys |= {"decoder.init_reads": "all"} if layers > 1 else {}
    for number, part in enumerate(("hidden", "cell")[: 1 + has_cell]):
        weight, bias = (taken(f"encoder.bridge.{number}.{kind}") for kind in _OUTPUT)
        blocks = layers * hidden // len(bias)  # OpenNMT-py: one for each direction; eole: one in all
        whole, whole_bias = torch.block_diag(*[weight] * blocks), bias.repeat(blocks)
        for layer, rows in enumerate(zip(whole.split(hidden), whole_bias.split(hidden), strict=True)):
            root = f"decoder.start_state.{part}.{layer}.projection"
            ours |= {f"{root}.weight": rows[0], f"{root}.bias": rows[1]}
    return keys
