"""The equations of Marian and nematus, written out for one sentence, over weights by Marian's names."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TOKENS = ["</s>", "<unk>", "a", "b", "c", "d", "e"]
V, E, H = len(TOKENS), 4, 3
Arrays = dict[str, np.ndarray]
GATES = {"gru": 3, "lstm": 4, "tanh": 1}
State = tuple[np.ndarray, np.ndarray]


class Shape(NamedTuple):
    """Which model it is; rows: how many cells stand in a row."""

    cell: str = "gru"
    kind: str = "bidirectional"
    depth: int = 1
    skip: bool = False
    encoder_row: int = 1
    base_row: int = 2
    high_row: int = 1
    deep_context: bool = False  # of nematus

    def options(self) -> dict[str, object]:
        """Marian's."""
        return {
            "enc-cell": self.cell,
            "dec-cell": self.cell,
            "enc-type": self.kind,
            "enc-depth": self.depth,
            "dec-depth": self.depth,
            "skip": self.skip,
            "enc-cell-depth": self.encoder_row,
            "dec-cell-base-depth": self.base_row,
            "dec-cell-high-depth": self.high_row,
        }


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell_weights(name: str, cell: str, inputs: int) -> dict[str, tuple[int, int]]:
    """The shapes of one cell; inputs 0: it has no W."""
    if cell == "gru":
        shapes = {"W": (inputs, 2 * H), "U": (H, 2 * H), "b": (1, 2 * H), "Wx": (inputs, H), "Ux": (H, H), "bx": (1, H)}
    else:
        gates = GATES[cell] * H
        shapes = {"W": (inputs, gates), "U": (H, gates), "b": (1, gates)}
    return {f"{name}_{part}": shape for part, shape in shapes.items() if shape[0] > 0}


def row_weights(names: Sequence[str], cell: str, inputs: int) -> dict[str, tuple[int, int]]:
    """Of cells in a row."""
    return {
        name: shape
        for i, each in enumerate(names)
        for name, shape in cell_weights(each, cell, 0 if i else inputs).items()
    }


def stack_names(shape: Shape) -> list[list[list[str]]]:
    """The rows of cells of the forward stack, of the backward one, and of what stands on both."""
    first, numbers = 1 if shape.kind == "bi-unidirectional" else shape.depth, range(1, shape.encoder_row + 1)
    stacks = []
    for root in ("encoder_bi", "encoder_bi_r"):
        bottom = [root, *(f"{root}_cell{k}" for k in numbers[1:])]
        stacks.append([bottom, *([f"{root}_l{i}_cell{k}" for k in numbers] for i in range(2, first + 1))])
    return [*stacks, [[f"encoder_l{i}_cell{k}" for k in numbers] for i in range(first + 1, shape.depth + 1)]]


def base_names(shape: Shape) -> list[str]:
    """The cells of the decoder after the look."""
    return [f"decoder_cell{k}" for k in range(2, shape.base_row + 1)]


def high_names(shape: Shape) -> list[list[str]]:
    """Those of the layers above."""
    return [[f"decoder_l{i}_cell{k}" for k in range(1, shape.high_row + 1)] for i in range(2, shape.depth + 1)]


def random_model(shape: Shape) -> Arrays:
    """Weights under Marian's names."""
    stacks, cell = stack_names(shape), shape.cell
    context = H if stacks[2] else 2 * H
    shapes: dict[str, tuple[int, int]] = {"encoder_Wemb": (V, E), "decoder_Wemb": (V, E)}
    for stack in stacks[:2]:
        for i, names in enumerate(stack):
            shapes |= row_weights(names, cell, H if i else E)
    for i, names in enumerate(stacks[2]):
        shapes |= row_weights(names, cell, H if i else 2 * H)
    shapes |= cell_weights("decoder_cell1", cell, E) | row_weights(base_names(shape), cell, context)
    for names in high_names(shape):
        shapes |= row_weights(names, cell, H + context if shape.deep_context else H)
    shapes |= {"decoder_ff_state_W": (context, H), "decoder_ff_state_b": (1, H), "decoder_U_att": (context, 1)}
    shapes |= {"decoder_W_comb_att": (H, context), "decoder_Wc_att": (context, context), "decoder_b_att": (1, context)}
    shapes |= {f"decoder_ff_logit_l1_W{i}": (size, E) for i, size in enumerate((E, H, context))}
    shapes |= {f"decoder_ff_logit_l1_b{i}": (1, E) for i in range(3)}
    shapes |= {"decoder_ff_logit_l2_Wt": (V, E), "decoder_ff_logit_l2_b": (1, V)}
    generator = np.random.default_rng(1)
    return {name: generator.normal(0, 0.7, shape).astype("float32") for name, shape in shapes.items()}


def step(p: Arrays, name: str, cell: str, x: np.ndarray | None, state: State, *, is_final: bool = False) -> State:
    """One cell: r, z and the candidate of a GRU, or f, i, g, o of an LSTM; x None: one that has no inputs."""
    s, c = state
    inputs = 0.0 if x is None else x @ p[f"{name}_W"]
    gates = inputs + s @ p[f"{name}_U"] + p[f"{name}_b"][0]
    if cell == "tanh":
        return np.tanh(gates), c
    if cell == "lstm":
        f, i, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    r, z = np.split(sigmoid(gates), 2)
    candidate, recurrent, bias = 0.0 if x is None else x @ p[f"{name}_Wx"], s @ p[f"{name}_Ux"], p[f"{name}_bx"][0]
    n = np.tanh(candidate + (recurrent + bias) * r) if is_final else np.tanh(candidate + recurrent * r + bias)
    return (1 - z) * n + z * s, c


def row(p: Arrays, names: Sequence[str], cell: str, x: np.ndarray, state: State, *, is_final: bool = False) -> State:
    """Cells in a row, the first with inputs."""
    for i, name in enumerate(names):
        state = step(p, name, cell, None if i else x, state, is_final=is_final)
    return state


def encode(p: Arrays, shape: Shape, ids: list[int]) -> np.ndarray:
    """[S, M]."""
    cell, kind = shape.cell, shape.kind
    first, second, above = stack_names(shape)
    tops = [p["encoder_Wemb"][ids]] * 2
    for which, stack in enumerate((first, second)):
        for layer, names in enumerate(stack):
            is_backward = (which + layer * (kind == "alternating")) % 2 == 1
            outputs = run(p, names, cell, tops[which], is_backward=is_backward)
            tops[which] = outputs + tops[which] if shape.skip and layer else outputs
    states = np.concatenate(tops, 1)
    for names in above:
        states = run(p, names, cell, states, is_backward=False)
    return states


def run(p: Arrays, names: Sequence[str], cell: str, inputs: np.ndarray, *, is_backward: bool) -> np.ndarray:
    state, outputs = (np.zeros(H), np.zeros(H)), []
    for x in inputs[::-1] if is_backward else inputs:
        state = row(p, names, cell, x, state)
        outputs.append(state[0])
    return np.stack(outputs[::-1] if is_backward else outputs)


def log_probs(p: Arrays, shape: Shape, source: list[int], target: list[int]) -> np.ndarray:
    """[T, V]; before the first word there is 0."""
    p = {name: each.astype("float64") for name, each in p.items()}
    states, cell = encode(p, shape, source), shape.cell
    first = np.tanh(states.mean(0) @ p["decoder_ff_state_W"] + p["decoder_ff_state_b"][0])
    layers: list[State] = [(first, first)] * shape.depth
    keys, rows = states @ p["decoder_Wc_att"] + p["decoder_b_att"], []
    for word in [None, *target]:
        y = np.zeros(E) if word is None else p["decoder_Wemb"][word]
        between = step(p, "decoder_cell1", cell, y, layers[0])
        scores = np.tanh(keys + between[0] @ p["decoder_W_comb_att"]) @ p["decoder_U_att"][:, 0]
        weights = np.exp(scores) / np.exp(scores).sum()
        context = weights @ states
        layers[0] = row(p, base_names(shape), cell, context, between, is_final=True)
        top = layers[0][0]
        for i, names in enumerate(high_names(shape), start=1):
            inputs = np.concatenate([top, context]) if shape.deep_context else top
            layers[i] = row(p, names, cell, inputs, layers[i])
            top = layers[i][0] + top if shape.skip else layers[i][0]
        parts = [each @ p[f"decoder_ff_logit_l1_W{i}"] for i, each in enumerate((y, top, context))]
        hidden = np.tanh(sum(parts) + sum(p[f"decoder_ff_logit_l1_b{i}"][0] for i in range(3)))
        scores = hidden @ p["decoder_ff_logit_l2_Wt"].T + p["decoder_ff_logit_l2_b"][0]
        rows.append(scores - np.log(np.exp(scores).sum()))
    return np.stack(rows)


def expected(arrays: Arrays, shape: Shape) -> np.ndarray:
    """Of `a e x b`, of which x is unknown, and the target `c a`."""
    ids = [TOKENS.index(token) for token in ("a", "e", "<unk>", "b", "</s>")]
    return log_probs(arrays, shape, ids, [TOKENS.index("c"), TOKENS.index("a")])
