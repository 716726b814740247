"""Reference: hard attention on one sentence without padding, by going through every alignment, in plain NumPy.

Wu, Shapiro and Cotterell 2018 (arXiv 1808.10024); Wu and Cotterell 2019 (arXiv 1905.06319). No recursion: the
probability of each of the S^T alignments is a product, and what is asked of the model is a sum of such products.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from reference.attention import score
from reference.cells import State, Vector, advance
from reference.decoder import DecoderSettings, output_layer, read_out, start, upper_layers
from reference.encoder import Encoded

FIRST_ORDERS = ("hard-first-order", "monotonic-first-order")
MONOTONIC = ("monotonic", "monotonic-first-order")


class Alignment(NamedTuple):
    """Names as in the configuration."""

    name: str
    jump: int  # D


class Summed(NamedTuple):
    """What all alignments together say of a target."""

    log_probs: Vector  # [T], of each of its words
    weights: Vector  # [T, S], p(a_t = j | y_<t)
    best: tuple[int, ...]  # the most likely alignment, positions from 0


def every_alignment(
    p: Mapping[str, Any],
    settings: DecoderSettings,
    alignment: Alignment,
    encoded: Encoded,
    tgt_in: Sequence[int],
    tgt_out: Sequence[int],
) -> Summed:
    """`p` as in reference/decoder.py, with U of the jumps under "transition": "Q" and "b" for s_t, "H" for h_i."""
    states = start(p, settings, encoded)
    moves, words = [], []
    for word_in, word_out in zip(tgt_in, tgt_out, strict=True):
        y = p["E"][word_in]
        states, s = update(p, settings, states, y)
        moves.append(transitions(p, settings, alignment, encoded, s))
        words.append(
            [word_probability(p, settings, encoded.states[j], s, y, word_out) for j in seen(settings, encoded)]
        )
    return sum_up(moves, words, len(encoded.states))


def seen(settings: DecoderSettings, encoded: Encoded) -> range:
    """The positions that can be attended to, from 0."""
    return range(len(encoded.states) - (not settings.attention.attend_eos))


def update(
    p: Mapping[str, Any], settings: DecoderSettings, previous: Sequence[State], y: Vector
) -> tuple[list[State], Vector]:
    """The states of all layers, and s_t, what comes out of the top."""
    bottom = advance(settings.cell, p["cells"][0], {"W": y}, previous[0])
    return upper_layers(p, settings, bottom, previous, None)


def transitions(
    p: Mapping[str, Any], settings: DecoderSettings, alignment: Alignment, encoded: Encoded, s: Vector
) -> dict[tuple[int, int], Vector]:
    """p(a_t = j | a_{t-1} = i) of every pair (i, j) that can be."""
    positions, found = seen(settings, encoded), {}
    for i in positions:
        values = {}
        for j in positions:
            if alignment.name in MONOTONIC and j < i:
                continue
            value = score(p["attention"], settings.attention, s, encoded.states[j], j + 1, None)
            if alignment.name in FIRST_ORDERS:
                if abs(j - i) > alignment.jump:
                    continue
                u = p["transition"]
                jumps = u["Q"] @ s + u["b"] + u["H"] @ encoded.states[i]
                value = value + jumps[j - i if alignment.name in MONOTONIC else j - i + alignment.jump]
            values[j] = np.exp(value)
        total = sum(values.values())
        found |= {(i, j): value / total for j, value in values.items()}
    return found


def word_probability(
    p: Mapping[str, Any], settings: DecoderSettings, h: Vector, s: Vector, y: Vector, word: int
) -> Vector:
    """p(word) if the step is aligned with the position whose state is h."""
    attentional = p["attentional"]["W_c"] @ np.concatenate([h, s]) + p["attentional"].get("b", 0)
    if settings.attentional_activation == "tanh":
        attentional = np.tanh(attentional)
    readout = attentional if settings.readout == "linear" else read_out(p, settings, attentional, y, h)
    exponentials = np.exp(output_layer(p, readout))
    return exponentials[word] / np.sum(exponentials)


def sum_up(moves: list[dict[tuple[int, int], Vector]], words: list[list[Vector]], size: int) -> Summed:
    """Over every alignment; a_0 is the first position."""
    steps, positions = len(words), range(len(words[0]))
    prefixes = [np.zeros((), complex) for _ in range(steps + 1)]  # p(y_1 .. y_t)
    before = np.zeros((steps, size), complex)  # p(y_1 .. y_{t-1}, a_t = j)
    best, largest = (), -1.0
    for length in range(1, steps + 1):
        for path in product(positions, repeat=length):
            value = np.ones((), complex)
            for t, (i, j) in enumerate(zip((0, *path), path, strict=False)):
                value = value * moves[t].get((i, j), 0)
                if t == length - 1:
                    before[t, j] += value
                value = value * words[t][j]
            prefixes[length] = prefixes[length] + value
            if length == steps and value.real > largest:
                best, largest = path, value.real
    prefixes[0] = np.ones((), complex)
    log_probs = [np.log(after / first) for first, after in pairwise(prefixes)]
    return Summed(np.array(log_probs), before / np.array(prefixes[:-1])[:, None], best)
