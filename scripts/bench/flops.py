"""Floating-point operations of one update by part: twice the multiplications of its matrix products.

Each forward product has two in backward (for inputs and weights). Only products with weight matrices and batched
products over source positions are counted, not softmax, tanh, the optimizer or sums.
"""

from typing import NamedTuple

from nmt_attn.config.model_section import ModelConfig

FORWARD_AND_BACKWARD = 3


class Shape(NamedTuple):
    """Sizes of a batch, padding included except in `target_tokens`."""

    sentences: int  # B
    source_length: int  # S
    target_length: int  # T
    target_tokens: int  # real ones
    words: int  # V


def update_flops(model: ModelConfig, shape: Shape) -> dict[str, float]:
    """Operations of one update by part: encoder, decoder, attention, output layer."""
    forward = forward_flops(model, shape)
    return {part: FORWARD_AND_BACKWARD * count for part, count in forward.items()}


def forward_flops(model: ModelConfig, shape: Shape) -> dict[str, float]:
    """Operations of one forward pass by part. One layer per side, global attention, LSTM or GRU cells."""
    encoder, decoder = model.encoder, model.decoder
    rows, source, target = shape.sentences, shape.source_length, shape.target_length
    half, hidden = encoder.hidden, decoder.hidden
    of_encoder, gates = (4 if cell == "lstm" else 3 for cell in (encoder.cell, decoder.cell))
    context = 2 * half  # M
    is_additive = model.attention.score == "additive"
    is_luong = decoder.style == "luong"
    feed = hidden if decoder.input_feeding == "attentional" else 0
    into_gates = decoder.embedding + hidden + (feed if is_luong else context)
    into_gates += hidden if decoder.style == "conditional" else 0  # the state enters each of its two cells
    readout = context + hidden + (0 if is_luong else decoder.embedding)
    steps = 2 * rows * target * source * (hidden + context)  # scores and contexts
    keys = 2 * rows * source * context * hidden
    query = 2 * rows * target * hidden * hidden if is_additive else 0
    return {
        "encoder": 2 * 2 * rows * source * (encoder.embedding + half) * of_encoder * half,
        "decoder": 2 * rows * target * (into_gates * gates * hidden + readout * hidden),
        "attention": steps + keys + query,
        "output layer": 2 * shape.target_tokens * hidden * shape.words,
    }
