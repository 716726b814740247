"""Reference: the encoder for one sentence without padding, in plain NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from reference.cells import State, Vector, advance, zero_state


class Encoded(NamedTuple):
    """One encoded sentence. `last[l]` holds what layer l ends with, [forward; backward], part by part."""

    states: list[Vector]  # h_j, position by position as the sentence is written
    last: list[State]
    backward_first: Vector | None  # where the top layer's backward network ends; None if it has none


def encode(
    p: Mapping[str, Any],
    cell: str,
    ids: Sequence[int],
    *,
    reverse_source: bool,
    reads_eos: bool,
    residual: bool,
    bidirectional: bool | str = True,
) -> Encoded:
    """The states of `ids`, which end with </s>. p: "E" and "layers", each with "forward" and maybe "backward"."""
    order = list(range(len(ids) - 1))
    if reverse_source:  # the words from last to first, </s> still last
        order.reverse()
    if reads_eos:
        order.append(len(ids) - 1)
    words = [p["E"][ids[position]] for position in order]
    if bidirectional in ("separate", "alternating"):
        stacks = [one_stack(p["layers"], cell, words, which, bidirectional, residual=residual) for which in (0, 1)]
        encoded = joined(stacks, has_turned=bidirectional == "alternating" and len(p["layers"]) % 2 == 0)
    else:
        encoded = whole_layers(p["layers"], cell, words, residual=residual)
    states = [encoded.states[order.index(position)] for position in range(len(order))]
    states += [np.zeros_like(states[0])] * (len(ids) - len(order))
    return encoded._replace(states=states)


def whole_layers(layers: Sequence[Mapping[str, Any]], cell: str, words: Sequence[Vector], *, residual: bool) -> Encoded:
    """Every direction of a layer reads all that the layer below gives."""
    layer_input = list(words)
    last, backward_first = [], None
    for layer in layers:
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
    return Encoded(layer_input, last, backward_first)


def one_stack(
    layers: Sequence[Mapping[str, Any]], cell: str, words: Sequence[Vector], which: int, kind: str, *, residual: bool
) -> tuple[list[Vector], list[dict[str, State]]]:
    """The stack that begins forward (0) or backward (1): its top, and the end of each layer by the way it reads."""
    sequence, ends = list(words), []
    for depth, layer in enumerate(layers):
        is_backward = (which + depth) % 2 == 1 if kind == "alternating" else which == 1
        name = "backward" if is_backward else "forward"
        outputs, end = run(layer[name], cell, sequence[::-1] if is_backward else sequence)
        outputs = outputs[::-1] if is_backward else outputs
        if residual and depth:
            outputs = [output + below for output, below in zip(outputs, sequence, strict=True)]
        sequence = outputs
        ends.append({name: end})
    return sequence, ends


def joined(stacks: Sequence[tuple[list[Vector], list[dict[str, State]]]], *, has_turned: bool) -> Encoded:
    """Two stacks side by side, what was read forward first; `has_turned`: each ends the other way than it began."""
    tops = [top for top, _ in (stacks[::-1] if has_turned else stacks)]
    states = [np.concatenate(pair) for pair in zip(*tops, strict=True)]
    ends = [{**first, **second} for first, second in zip(*(each for _, each in stacks), strict=True)]
    last = [tuple(np.concatenate(parts) for parts in zip(end["forward"], end["backward"], strict=True)) for end in ends]
    return Encoded(states, last, ends[-1]["backward"][0])


def run(p: Mapping[str, Any], cell: str, sequence: Sequence[Vector]) -> tuple[list[Vector], State]:
    """Hidden states in the order of reading, and the state at the end."""
    hidden = next(matrix.shape[0] for name, matrix in p.items() if name.startswith("U_"))
    state = zero_state(cell, hidden)
    outputs = []
    for vector in sequence:
        state = advance(cell, p, {"W": vector}, state)
        outputs.append(state[0])
    return outputs, state
