"""Reference: the encoder for one sentence without padding, in plain NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from reference.cells import CELLS, State, Vector, zero_state


class Encoded(NamedTuple):
    """One encoded sentence. `last[l]` holds what layer l ends with, [forward; backward], part by part."""

    states: list[Vector]  # h_j, position by position as the sentence is written
    last: list[State]
    backward_first: Vector | None  # where the top layer's backward network ends; None if it has none


def encode(
    p: Mapping[str, Any], cell: str, ids: Sequence[int], *, reverse_source: bool, reads_eos: bool, residual: bool
) -> Encoded:
    """The states of `ids`, which end with </s>. p: "E" and "layers", each with "forward" and maybe "backward"."""
    order = list(range(len(ids) - 1))
    if reverse_source:  # the words from last to first, </s> still last
        order.reverse()
    if reads_eos:
        order.append(len(ids) - 1)
    layer_input = [p["E"][ids[position]] for position in order]
    last, backward_first = [], None
    for layer in p["layers"]:
        forward_outputs, forward_end = run(layer["forward"], cell, layer_input)
        if "backward" in layer:
            backward_outputs, backward_end = run(layer["backward"], cell, layer_input[::-1])
            pairs = zip(forward_outputs, backward_outputs[::-1], strict=True)
            outputs = [np.concatenate(pair) for pair in pairs]
            last.append(tuple(np.concatenate(parts) for parts in zip(forward_end, backward_end, strict=True)))
            backward_first = backward_end[0]
        else:
            outputs, backward_first = forward_outputs, None
            last.append(forward_end)
        if residual and outputs[0].shape == layer_input[0].shape:
            outputs = [output + below for output, below in zip(outputs, layer_input, strict=True)]
        layer_input = outputs
    states = [layer_input[order.index(position)] for position in range(len(order))]
    states += [np.zeros_like(states[0])] * (len(ids) - len(order))
    return Encoded(states, last, backward_first)


def run(p: Mapping[str, Any], cell: str, sequence: Sequence[Vector]) -> tuple[list[Vector], State]:
    """Hidden states in the order of reading, and the state at the end."""
    hidden = next(matrix.shape[0] for name, matrix in p.items() if name.startswith("U_"))
    state = zero_state(cell, hidden)
    outputs = []
    for vector in sequence:
        state = CELLS[cell](p, {"W": vector}, state)
        outputs.append(state[0])
    return outputs, state
