"""Checkpoints of fairseq's `lstm` and its relatives (`.pt`), with the vocabularies `dict.LANG.txt` as --vocab.

Luong's order with input feeding and no bias in h~; its score is (W s) . h. Bidirectional encoders, and those of
another size than the decoder, reach it through one matrix for all layers without an activation. The decoder begins
with </s>, and writes its own <s> no more than any other model, but counts it in the softmax. Where the output layer has
another size than the state, one more matrix stands before it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.foreign.foreign_model import ForeignModel, Reasons, Side, Taken, luong_decoder, torch_encoder
from nmt_attn.text_io import read_lines

_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def is_fairseq(found: Mapping[str, Any]) -> bool:
    """Whether a checkpoint has the parts of one."""
    return isinstance(found.get("model"), dict) and "encoder.lstm.weight_ih_l0" in found["model"]


def read_fairseq(path: Path, found: Mapping[str, Any], vocabularies: tuple[Path, ...]) -> ForeignModel:
    """The model of a checkpoint. Raises DataError with every reason why it cannot be expressed."""
    taken, reasons = Taken(found["model"], path), Reasons()
    layers = {
        "encoder": _count("encoder.lstm.weight_ih_l{}", taken),
        "decoder": _count("decoder.layers.{}.bias_ih", taken),
    }
    reasons.unless(layers["encoder"] == layers["decoder"], "stacks of different heights")
    reasons.unless("decoder.attention.input_proj.weight" in taken, "no attention")
    reasons.check(path)
    source, target = _sides(path, vocabularies)
    directions = 2 if "encoder.lstm.weight_ih_l0_reverse" in taken else 1
    ours = {f"{side}_embedding.weight": taken(f"{name}.embed_tokens.weight") for side, name in _SIDES.items()}
    sizes = {side: ours[f"{side}_embedding.weight"].shape[1] for side in _SIDES}
    context, hidden = taken("decoder.attention.input_proj.weight").shape
    ours |= torch_encoder(taken, "encoder.lstm", layers=layers["encoder"], directions=directions, cell="lstm")
    names = [[f"decoder.layers.{layer}.{part}" for part in _PARTS] for layer in range(layers["decoder"])]
    ours |= luong_decoder(taken, names, embedding=sizes["target"], feed=hidden, cell="lstm")
    ours["decoder.attention.score.key_projection.weight"] = taken("decoder.attention.input_proj.weight").T
    ours["decoder.attentional_state.projection.weight"] = taken("decoder.attention.output_proj.weight")
    ours |= _output(taken)
    readout = _readout(taken, ours)
    keys: dict[str, Any] = {
        **{f"{side}.cell": "lstm" for side in layers},
        **{f"{side}.layers": count for side, count in layers.items()},
        "encoder.hidden": context // directions,
        "encoder.bidirectional": directions == 2,
        "encoder.embedding": sizes["source"],
        "attention.score": "general",
        "decoder.style": "luong",
        "decoder.hidden": hidden,
        "decoder.embedding": sizes["target"],
        "decoder.input_feeding": "attentional",
        **_first_state(taken, ours, layers["decoder"]),
        **readout,
    }
    taken.leave("encoder.version", "decoder.version")
    taken.check(reasons)
    reasons.check(path)
    return ForeignModel("fairseq", source, target, keys=keys, weights=ours)


_SIDES = {"source": "encoder", "target": "decoder"}


def _count(name: str, taken: Taken) -> int:
    """Layers from 0 that have this weight."""
    count = 0
    while name.format(count) in taken:
        count += 1
    return count


def _sides(path: Path, files: tuple[Path, ...]) -> list[Side]:
    if not files:
        raise DataError(f"{path}: expected its vocabularies (dict.LANG.txt) as --vocab, got none")
    sides = []
    for file in files * 2 if len(files) == 1 else files:
        lines = [line.removesuffix(" #fairseq:overwrite").rpartition(" ") for line in read_lines(file)]
        if any(not token or not count.isdecimal() for token, _, count in lines):
            raise DataError(f"{file}: expected a token and its count in each line, got a line without")
        sides.append(Side([*_SPECIALS, *(token for token, _, _ in lines)], start="</s>"))
    return sides


def _output(taken: Taken) -> dict[str, Tensor]:
    """Weight and bias of the output layer."""
    if "decoder.fc_out.weight" in taken:
        weight, bias = taken("decoder.fc_out.weight"), taken("decoder.fc_out.bias")
    else:
        weight = taken("decoder.embed_tokens.weight")
        bias = weight.new_zeros(len(weight))
    return {"output.weight": weight, "output.bias": bias}


def _readout(taken: Taken, ours: dict[str, Tensor]) -> dict[str, object]:
    """The keys of the matrix before the output layer, if there is one; its weights go into `ours`."""
    if "decoder.additional_fc.weight" not in taken:
        return {}
    found = {part: taken(f"decoder.additional_fc.{part}") for part in ("weight", "bias")}
    ours |= {f"decoder.readout.state_projection.{part}": each for part, each in found.items()}
    return {"decoder.readout": "state-linear", "decoder.readout_hidden": len(found["bias"])}


def _first_state(taken: Taken, ours: dict[str, Tensor], layers: int) -> dict[str, object]:
    """The keys of the first state; a bridge's weights go into `ours`."""
    if "decoder.encoder_hidden_proj.weight" not in taken:
        return {"decoder.init": "last", "decoder.init_cell": "last"}
    for part in ("hidden", "cell"):
        for layer in range(layers):
            root = f"decoder.start_state.{part}.{layer}.projection"
            ours |= {f"{root}.{kind}": taken(f"decoder.encoder_{part}_proj.{kind}") for kind in ("weight", "bias")}
    shared = {"decoder.init_shared": True} if layers > 1 else {}
    return {"decoder.init": "bridge", "decoder.init_cell": "bridge", "decoder.init_activation": "none", **shared}
