"""The parameters of a model of the package under the letters of the papers, as tests/reference reads them.

Nothing is computed here but the sum of the two biases of a gate where the papers have one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from reference.attention import AttentionSettings
from reference.decoder import DecoderSettings

from nmt_attn.config.model_section import ModelConfig

GATES = {
    **dict.fromkeys(("gru", "gru-cho", "gru-layernorm", "gru-layernorm-joint"), "rzn"),
    **dict.fromkeys(("lstm", "lstm-layernorm"), "ifgo"),
    "rnn": "n",
}
Arrays = Mapping[str, np.ndarray]


class Letters(NamedTuple):
    """What the reference needs to run a model."""

    encoder: dict[str, Any]
    decoder: dict[str, Any]
    settings: DecoderSettings


def to_letters(named: Arrays, config: ModelConfig) -> Letters:
    """`named`: every parameter by the model's name for it."""
    return Letters(encoder_letters(named, config), decoder_letters(named, config), decoder_settings(config))


def decoder_settings(config: ModelConfig) -> DecoderSettings:
    """The choices that the parameters do not show."""
    attention, decoder = config.attention, config.decoder
    return DecoderSettings(
        AttentionSettings(
            score=attention.score,
            window=attention.window,
            half_width=attention.half_width,
            sigma=attention.sigma,
            renormalise=attention.renormalise,
            position=attention.position,
            attend_eos=attention.attend_eos,
            concat_identity=attention.concat_keys == "identity",
            fixed_context=attention.fixed_context,
            normalise=attention.normalise,
            coverage=attention.coverage,
            fertility=attention.fertility,
        ),
        style=decoder.style,
        cell=decoder.cell,
        residual=decoder.residual,
        deep_context=decoder.deep_context,
        reads_eos=config.encoder.reads_eos,
        init=decoder.init,
        init_cell=decoder.init_cell,
        init_activation=decoder.init_activation,
        init_reads=decoder.init_reads,
        input_feeding=decoder.input_feeding,
        attentional_state=decoder.attentional_state,
        context_gate=decoder.context_gate,
        attentional_activation=decoder.attentional_activation,
        readout=decoder.readout,
        readout_state=decoder.readout_state,
        normalise=decoder.normalise,
    )


def encoder_letters(named: Arrays, config: ModelConfig) -> dict[str, Any]:
    """E and, layer by layer, the cells of its directions."""
    layers = []
    for layer in range(config.encoder.layers):
        directions = {}
        for number, direction in enumerate(("forward", "backward")):
            root = f"encoder.layers.{layer}.directions.{number}.layer"
            if f"{root}.input_to_gates.weight" in named:
                directions[direction] = cell_letters(
                    named, config.encoder.cell, f"{root}.cell", {"W": f"{root}.input_to_gates"}
                )
        layers.append(directions)
    return {"E": named["source_embedding.weight"], "layers": layers}


def decoder_letters(named: Arrays, config: ModelConfig) -> dict[str, Any]:
    """Everything of the target side."""
    decoder, cell = config.decoder, config.decoder.cell
    first_inputs = {"W": "decoder.embedding_to_gates"}
    if decoder.style == "bahdanau":
        first_inputs["C"] = "decoder.context_to_gates"
    if decoder.input_feeding != "none":
        first_inputs["F"] = "decoder.feed_to_gates"
    bottom = cell_letters(named, cell, "decoder.bottom", first_inputs)
    upper = [
        upper_letters(named, cell, f"decoder.upper.{layer}", decoder.hidden) for layer in range(decoder.layers - 1)
    ]
    p: dict[str, Any] = {"E": named["target_embedding.weight"], "cells": [bottom, *upper]}
    if decoder.style == "conditional":
        second = cell_letters(named, cell, "decoder.second.cell", {"C": "decoder.second.input_to_gates"})
        p |= {"first": bottom, "cells": [second, *upper]}
    p["attention"] = attention_letters(named, config)
    for letter, part in (("init", "hidden"), ("init_cell", "cell")):
        roots = [f"decoder.start_state.{part}.{layer}" for layer in range(decoder.layers)]
        p[letter] = [{"v": named[f"{root}.vector"]} for root in roots if f"{root}.vector" in named] or [
            with_bias(named, f"{root}.projection", "W") for root in roots if has(named, f"{root}.projection")
        ]
    if has(named, "decoder.attentional_state.projection"):
        p["attentional"] = with_bias(named, "decoder.attentional_state.projection", "W_c")
    root = "decoder.attentional_state.gate"
    if has(named, f"{root}.gate"):
        parts = {"z": "gate", "S": "source_projection", "T": "target_projection"}
        p["gate"] = {
            f"{letter}_{part}": named[f"{root}.{name}.{kind}"]
            for part, name in parts.items()
            for letter, kind in (("W", "weight"), ("b", "bias"))
        }
    if has(named, "decoder.readout.state_projection"):
        p["readout"] = with_bias(named, "decoder.readout.state_projection", "U")
    for letter, part in (("V", "embedding"), ("C", "context")):
        if has(named, f"decoder.readout.{part}_projection"):
            p["readout"][letter] = named[f"decoder.readout.{part}_projection.weight"]
    p["output"] = with_bias(named, "output", "W")
    return p


def upper_letters(named: Arrays, cell: str, root: str, hidden: int) -> dict[str, np.ndarray]:
    """A layer above the bottom: W of the layer below, and C of the context where it reads one."""
    inputs = f"{root}.input_to_gates"
    below, context = np.split(named[f"{inputs}.weight"], [hidden], 1)
    parts = {**named, f"{inputs}.weight": below, "context.weight": context}
    return cell_letters(parts, cell, f"{root}.cell", {"W": inputs, "C": "context"} if context.size else {"W": inputs})


def attention_letters(named: Arrays, config: ModelConfig) -> dict[str, Any]:
    """Parameters of score and window, under the letters of the score's formula."""
    names = {
        "vector": "v",
        "gain": "g",
        "query_projection.weight": "W",
        "query_projection.bias": "b",
        "projection.weight": "W",
        "projection.bias": "b",
        "key_projection.weight": {"general": "W", "scaled-general": "W", "dot": "P", "scaled-dot": "P"}.get(
            config.attention.score, "U"
        ),
    }
    root = "decoder.attention"
    if config.attention.fixed_context == "projected":
        return with_bias(named, f"{root}.projection", "V")
    p = {letter: named[f"{root}.score.{name}"] for name, letter in names.items() if f"{root}.score.{name}" in named}
    if config.attention.window == "local-p":
        p |= {"W_p": named[f"{root}.window.projection.weight"], "v_p": named[f"{root}.window.vector"]}
    return p | coverage_letters(named, config)


def coverage_letters(named: Arrays, config: ModelConfig) -> dict[str, Any]:
    """V, and what the coverage is updated by."""
    root, kind = "decoder.attention.coverage", config.attention.coverage
    if kind == "none":
        return {}
    p: dict[str, Any] = {"V": named[f"{root}.to_score.weight"]}
    if kind == "linguistic":
        p["U_f"] = named[f"{root}.to_fertility.weight"]
    if kind == "neural":
        inputs = {"h": f"{root}.position_to_gates", "a": f"{root}.weight_to_gates", "s": f"{root}.query_to_gates"}
        p["coverage"] = cell_letters(named, "gru", f"{root}.cell", inputs)
    return p


def cell_letters(named: Arrays, cell: str, root: str, inputs: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Gate by gate: U, the matrix of each input, and the bias (d_n apart, as it stands inside the product of gru; with
    layer normalisation each d)."""
    if f"{root}.first.recurrent.weight" in named:
        others: Any = [transition_letters(named, cell, f"{root}.transitions.{k}") for k in count_of(named, root)]
        return {**cell_letters(named, cell, f"{root}.first", inputs), "transitions": others}
    recurrent = named[f"{root}.recurrent.weight"]
    hidden = recurrent.shape[1]
    outside = next((named[f"{source}.bias"] for source in inputs.values() if f"{source}.bias" in named), None)
    inside = named.get(f"{root}.recurrent.bias")
    p: dict[str, Any] = {}
    for part in ("input", "recurrent"):
        if f"{root}.{part}_norm.gain" in named:
            p[f"norm_{part}"] = {"g": named[f"{root}.{part}_norm.gain"], "s": named[f"{root}.{part}_norm.bias"]}
    for number, gate in enumerate(GATES[cell]):
        rows = slice(number * hidden, (number + 1) * hidden)
        p[f"U_{gate}"] = recurrent[rows]
        for letter, source in inputs.items():
            p[f"{letter}_{gate}"] = named[f"{source}.weight"][rows]
        p[f"b_{gate}"] = np.zeros(hidden) if outside is None else outside[rows]
        if inside is not None and (gate == "n" or "norm_recurrent" in p):
            p[f"d_{gate}"] = inside[rows]
        elif inside is not None:
            p[f"b_{gate}"] = p[f"b_{gate}"] + inside[rows]
    return p


def count_of(named: Arrays, root: str) -> range:
    """Numbers of the cells that follow the first one."""
    return range(sum(name.startswith(f"{root}.transitions.") and name.endswith("input_bias") for name in named))


def transition_letters(named: Arrays, cell: str, root: str) -> dict[str, np.ndarray]:
    """A cell whose gates see their bias and the state alone."""
    p, biases = cell_letters(named, cell, f"{root}.cell", {}), np.split(named[f"{root}.input_bias"], len(GATES[cell]))
    return p | {f"b_{gate}": p[f"b_{gate}"] + bias for gate, bias in zip(GATES[cell], biases, strict=True)}


def has(named: Arrays, root: str) -> bool:
    """Whether a linear map stands under this name."""
    return f"{root}.weight" in named


def with_bias(named: Arrays, root: str, letter: str) -> dict[str, np.ndarray]:
    """A linear map, with its bias if it has one."""
    p = {letter: named[f"{root}.weight"]}
    if f"{root}.bias" in named:
        p["b"] = named[f"{root}.bias"]
    return p
