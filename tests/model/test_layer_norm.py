"""Cells with layer normalisation against the equations of nematus and Marian, written out over their own weights."""

import numpy as np
import pytest
import torch

from nmt_attn.model.cells import CELLS, RecurrentLayer
from nmt_attn.model.deep_transition import Transition
from nmt_attn.model.initialise import INITIALISATIONS
from nmt_attn.model.layer_norm import GateNorm, LayerNormCell
from nmt_attn.model.state import CellState

N, INPUTS, H = 2, 3, 5
Arrays = dict[str, np.ndarray]


def drawn(**shapes: tuple[int, ...]) -> Arrays:
    generator = np.random.default_rng(3)
    return {name: generator.normal(0, 0.8, shape) for name, shape in shapes.items()}


def norm(a: np.ndarray, eps: float) -> np.ndarray:
    centred = a - a.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(1, keepdims=True) + eps))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def layer_of(name: str, weights: Arrays) -> RecurrentLayer:
    """A layer with these numbers, 0 where none are given."""
    layer = RecurrentLayer(CELLS[name](H), INPUTS).double()
    with torch.no_grad():
        for parameter_name, parameter in layer.named_parameters():
            parameter.copy_(torch.from_numpy(weights.pop(parameter_name, np.zeros(parameter.shape))))
    assert not weights
    return layer


def steps_to(layer: RecurrentLayer, p: Arrays, expected: np.ndarray) -> None:
    state = CellState(torch.from_numpy(p["s"]), torch.from_numpy(p["c"]) if "c" in p else None)
    found = layer.step(torch.from_numpy(p["x"]), state)
    np.testing.assert_allclose(found.hidden.detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("is_final", [False, True])
def test_a_gru_of_marian(is_final: bool) -> None:
    p = drawn(x=(N, INPUTS), s=(N, H), W=(INPUTS, 3 * H), U=(H, 3 * H), b=(3 * H,), gamma1=(3 * H,), gamma2=(3 * H,))
    outside, inside = norm(p["x"] @ p["W"], 1e-9) * p["gamma1"], norm(p["s"] @ p["U"], 1e-9) * p["gamma2"]
    r, z = np.split(sigmoid((outside + inside + p["b"])[:, : 2 * H]), 2, 1)
    x_n, s_n, b_n = outside[:, 2 * H :], inside[:, 2 * H :], p["b"][2 * H :]
    n = np.tanh(x_n + (s_n + b_n) * r) if is_final else np.tanh(x_n + s_n * r + b_n)
    beside = np.where(np.arange(3 * H) >= 2 * H, p["b"], 0.0) if is_final else np.zeros(3 * H)
    weights = {
        "input_to_gates.weight": p["W"].T,
        "cell.recurrent.weight": p["U"].T,
        "cell.input_norm.gain": p["gamma1"],
        "cell.input_norm.bias": p["b"] - beside,
        "cell.recurrent_norm.gain": p["gamma2"],
        "cell.recurrent_norm.bias": beside,
    }
    steps_to(layer_of("gru-layernorm-joint", weights), p, (1 - z) * n + z * p["s"])


def test_an_lstm_of_marian() -> None:
    gates = dict.fromkeys(("b", "gamma1", "gamma2"), (4 * H,))
    p = drawn(x=(N, INPUTS), s=(N, H), c=(N, H), W=(INPUTS, 4 * H), U=(H, 4 * H), **gates)
    total = norm(p["x"] @ p["W"], 1e-9) * p["gamma1"] + norm(p["s"] @ p["U"], 1e-9) * p["gamma2"] + p["b"]
    f, i, g, o = np.split(total, 4, 1)
    cell = sigmoid(f) * p["c"] + sigmoid(i) * np.tanh(g)

    def ours(rows: np.ndarray) -> np.ndarray:
        forget, insert, candidate, output = np.split(rows, 4)
        return np.concatenate([insert, forget, candidate, output])

    weights = {
        "input_to_gates.weight": ours(p["W"].T),
        "cell.recurrent.weight": ours(p["U"].T),
        "cell.input_norm.gain": ours(p["gamma1"]),
        "cell.input_norm.bias": ours(p["b"]),
        "cell.recurrent_norm.gain": ours(p["gamma2"]),
    }
    steps_to(layer_of("lstm-layernorm", weights), p, sigmoid(o) * np.tanh(cell))


@pytest.mark.parametrize("is_second", [False, True])
def test_a_gru_of_nematus(is_second: bool) -> None:
    """Its first cell has b and bx inside the norms of x, the second one inside those of the state."""
    sizes = {"W": (INPUTS, 2 * H), "Wx": (INPUTS, H), "U": (H, 2 * H), "Ux": (H, H), "b": (2 * H,), "bx": (H,)}
    norms = {f"{part}_{kind}": sizes[part][1:] for part in ("W", "Wx", "U", "Ux") for kind in ("lns", "lnb")}
    p = drawn(x=(N, INPUTS), s=(N, H), **sizes, **norms)

    def part(name: str, read: np.ndarray, bias: np.ndarray | float) -> np.ndarray:
        return norm(read @ p[name] + bias, 1e-5) * p[f"{name}_lns"] + p[f"{name}_lnb"]

    of_x, of_s = ((0.0, 0.0), (p["b"], p["bx"])) if is_second else ((p["b"], p["bx"]), (0.0, 0.0))
    r, z = np.split(sigmoid(part("W", p["x"], of_x[0]) + part("U", p["s"], of_s[0])), 2, 1)
    n = np.tanh(part("Wx", p["x"], of_x[1]) + r * part("Ux", p["s"], of_s[1]))

    def both(first: str, second: str) -> np.ndarray:
        return np.concatenate([p[first], p[second]], -1).T

    weights = {
        "input_to_gates.weight": both("W", "Wx"),
        "cell.recurrent.weight": both("U", "Ux"),
        "cell.recurrent.bias" if is_second else "input_to_gates.bias": both("b", "bx"),
        "cell.input_norm.gain": both("W_lns", "Wx_lns"),
        "cell.input_norm.bias": both("W_lnb", "Wx_lnb"),
        "cell.recurrent_norm.gain": both("U_lns", "Ux_lns"),
        "cell.recurrent_norm.bias": both("U_lnb", "Ux_lnb"),
    }
    steps_to(layer_of("gru-layernorm", weights), p, (1 - z) * n + z * p["s"])


LAYER_NORM = [name for name in CELLS if issubclass(CELLS[name], LayerNormCell)]


@pytest.mark.parametrize("name", LAYER_NORM)
def test_a_cell_without_inputs_has_no_norm_of_them(name: str) -> None:
    transition = Transition(CELLS[name](H))
    assert [kind for kind in transition.modules() if isinstance(kind, GateNorm)] == [transition.cell.recurrent_norm]


@pytest.mark.parametrize("scheme", INITIALISATIONS)
@pytest.mark.parametrize("name", LAYER_NORM)
def test_gains_start_at_1_and_the_forget_gate_open(name: str, scheme: str) -> None:
    layer = RecurrentLayer(CELLS[name](H), INPUTS)
    INITIALISATIONS[scheme](0.1, 0.3).initialise(layer)
    norms = [module for module in layer.modules() if isinstance(module, GateNorm)]
    assert len(norms) == 2 and all(bool((each.gain == 1).all()) for each in norms)
    shifts = layer.cell.recurrent_norm.bias
    opened = torch.zeros(4, H).index_fill_(0, torch.tensor([1]), 1.0).flatten()
    if scheme in ("xavier", "orthogonal"):
        assert torch.equal(shifts, opened if name.startswith("lstm") else torch.zeros_like(shifts))
