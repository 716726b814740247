"""Encoder and attention of the NumPy reference: against torch.nn, and against numbers by hand."""

import math

import numpy as np
import pytest
import torch
from reference.attention import AttentionSettings, attend, fixed_vector
from reference.cells import CELLS, gru_cho
from reference.encoder import encode
from torch import nn

GATES = {"gru": "rzn", "lstm": "ifgo", "rnn": "n"}
TORCH = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
NUMBER = np.random.default_rng(1)


def from_torch(name: str, network: nn.Module, suffix: str) -> dict[str, np.ndarray]:
    """The papers' letters for the parameters of one layer and direction of a torch network."""
    w, u, b, d = (getattr(network, f"{kind}_{suffix}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    gates = GATES[name]
    cell = {}
    for k, gate in enumerate(gates):
        rows = slice(k * u.shape[1], (k + 1) * u.shape[1])
        cell[f"W_{gate}"], cell[f"U_{gate}"] = w[rows].detach().numpy(), u[rows].detach().numpy()
        apart = name == "gru" and gate == "n"
        cell[f"b_{gate}"] = (b[rows] if apart else b[rows] + d[rows]).detach().numpy()
        if apart:
            cell["d_n"] = d[rows].detach().numpy()
    return cell


def one_number(**values: float) -> dict[str, np.ndarray]:
    """Parameters of size 1: matrices [1, 1] for capital letters, vectors [1] for small ones."""
    return {name: np.full((1, 1) if name[0].isupper() else (1,), value) for name, value in values.items()}


def vector(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("reverse_source", [False, True])
def test_encoder_is_torch_s_stacked_network(name: str, bidirectional: bool, reverse_source: bool) -> None:
    network = TORCH[name](2, 3, num_layers=2, bidirectional=bidirectional, batch_first=True).double()
    embedding = NUMBER.normal(size=(7, 2))
    layers = [{"forward": from_torch(name, network, f"l{layer}")} for layer in range(2)]
    if bidirectional:
        for layer in range(2):
            layers[layer]["backward"] = from_torch(name, network, f"l{layer}_reverse")
    ids = [4, 6, 5, 3]
    read = [5, 6, 4, 3] if reverse_source else ids
    order = [2, 1, 0, 3] if reverse_source else [0, 1, 2, 3]
    outputs, ends = network(torch.tensor(embedding[read]).unsqueeze(0))
    encoded = encode(
        {"E": embedding, "layers": layers}, name, ids, reverse_source=reverse_source, reads_eos=True, residual=False
    )
    np.testing.assert_allclose(encoded.states, outputs[0].detach().numpy()[order], atol=1e-12)
    directions = 2 if bidirectional else 1
    for part, end in enumerate(ends if name == "lstm" else [ends]):
        by_layer = end.detach().numpy().reshape(2, directions * 3)  # [layer, forward then backward]
        np.testing.assert_allclose([state[part] for state in encoded.last], by_layer, atol=1e-12)
    if bidirectional:  # the backward network of the top layer ends where reading began
        np.testing.assert_allclose(encoded.backward_first, encoded.states[order.index(0)][3:], atol=1e-12)


def test_bottom_only_has_one_wide_layer() -> None:
    below = nn.GRU(2, 3, bidirectional=True, batch_first=True).double()
    above = nn.GRU(6, 5, batch_first=True).double()
    embedding = NUMBER.normal(size=(7, 2))
    layers = [
        {"forward": from_torch("gru", below, "l0"), "backward": from_torch("gru", below, "l0_reverse")},
        {"forward": from_torch("gru", above, "l0")},
    ]
    encoded = encode(
        {"E": embedding, "layers": layers}, "gru", [4, 6, 3], reverse_source=False, reads_eos=True, residual=False
    )
    outputs, _ = above(below(torch.tensor(embedding[[4, 6, 3]]).unsqueeze(0))[0])
    np.testing.assert_allclose(encoded.states, outputs[0].detach().numpy(), atol=1e-12)
    assert [state[0].shape for state in encoded.last] == [(6,), (5,)]
    assert encoded.backward_first is None


def test_residual_adds_what_came_in_but_not_to_what_goes_on_in_time() -> None:
    p = {"E": vector(0, 1, 2)[:, None], "layers": [{"forward": one_number(W_n=1, U_n=1, b_n=0)}]}
    encoded = encode(p, "rnn", [1, 2], reverse_source=False, reads_eos=True, residual=True)
    first = math.tanh(1)
    second = math.tanh(2 + first)
    np.testing.assert_allclose(encoded.states, [[first + 1], [second + 2]])
    np.testing.assert_allclose(encoded.last[0][0], [second])


def test_reset_gate_of_gru_cho_acts_on_the_state() -> None:
    # Two units, U_n swaps them; r = (sigmoid(0), 1) = (1/2, 1) as b_r = (0, 40); z = 1/2; so n = tanh(swap(r * h)).
    p = {name: np.zeros((2, 1)) for name in ("W_r", "W_z", "W_n")}
    p |= {"U_r": np.zeros((2, 2)), "U_z": np.zeros((2, 2)), "U_n": vector([0, 1], [1, 0])}
    p |= {"b_r": vector(0, 40), "b_z": vector(0, 0), "b_n": vector(0, 0), "d_n": vector(0, 0)}
    h, x = vector(0.6, 0.2), {"W": vector(1)}
    expected = [0.5 * math.tanh(0.2) + 0.3, 0.5 * math.tanh(0.3) + 0.1]
    np.testing.assert_allclose(gru_cho(p, x, (h,))[0], expected)
    after = [0.5 * math.tanh(0.5 * 0.2) + 0.3, 0.5 * math.tanh(0.6) + 0.1]  # r * swap(h) instead
    np.testing.assert_allclose(CELLS["gru"](p, x, (h,))[0], after)


# v = (1, 2), s = (1, 0), h_0 = (0, 1), h_1 = (1, 1); W turns s into (0, 1); U = 2.
S, H = vector(1, 0), [vector(0, 1), vector(1, 1)]
TURN, V = vector([0, 1], [1, 0]), vector(1, 2)
EXPECTED = {
    # tanh(W s + U h): (0, 3) and (2, 3)
    "additive": ({"v": V, "W": TURN, "U": 2 * np.eye(2)}, [2 * math.tanh(3), math.tanh(2) + 2 * math.tanh(3)]),
    # tanh(. + b) with b = (-2, -3): (-2, 0) and (0, 0); g / |v| = 5 / sqrt 5 = sqrt 5
    "normed-additive": (
        {"v": V, "W": TURN, "U": 2 * np.eye(2), "b": vector(-2, -3), "g": np.array(5.0)},
        [math.sqrt(5) * math.tanh(-2), 0],
    ),
    "dot": ({}, [0, 1]),
    "scaled-dot": ({}, [0, 1 / math.sqrt(2)]),
    # W h = (1, 0) and (1, 1)
    "general": ({"W": TURN}, [1, 1]),
    "scaled-general": ({"W": TURN, "g": np.array(3.0)}, [3, 3]),
    # W [s; h] with W = [TURN, 2 I] as additive
    "concat": (
        {"v": V, "W": np.hstack([TURN, 2 * np.eye(2)])},
        [2 * math.tanh(3), math.tanh(2) + 2 * math.tanh(3)],
    ),
    "location": ({"W": vector([4, 0], [7, 0], [9, 9])}, [4, 7]),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_score_by_hand(name: str) -> None:
    p, scores = EXPECTED[name]
    weights, context, _ = attend(p, AttentionSettings(score=name), S, H, 1)
    second = 1 / (1 + math.exp(scores[0] - scores[1]))
    np.testing.assert_allclose(weights, [1 - second, second])
    np.testing.assert_allclose(context, [second, 1])


def test_concat_identity_leaves_the_source_state_as_it_is() -> None:
    settings = AttentionSettings(score="concat", concat_identity=True)
    weights, *_ = attend({"v": V, "W": TURN}, settings, S, H, 1)
    # tanh(W s + h): (0, 2) and (1, 2): the scores differ by tanh(1)
    np.testing.assert_allclose(weights[1], 1 / (1 + math.exp(-math.tanh(1))))


# Equal scores at 6 positions (S = 6), D = 1: inside the window all weights are equal.
EVEN = [vector(1.0)] * 6


@pytest.mark.parametrize(
    ("t", "attend_eos", "expected"),
    [
        (1, True, [1 / 2, 1 / 2, 0, 0, 0, 0]),
        (3, True, [0, 1 / 3, 1 / 3, 1 / 3, 0, 0]),
        (6, True, [0, 0, 0, 0, 1 / 2, 1 / 2]),
        (9, True, [0, 0, 0, 0, 1 / 2, 1 / 2]),
        (9, False, [0, 0, 0, 1 / 2, 1 / 2, 0]),
    ],
)
def test_local_m_by_hand(t: int, attend_eos: bool, expected: list[float]) -> None:
    settings = AttentionSettings(score="dot", window="local-m", half_width=1, attend_eos=attend_eos)
    np.testing.assert_allclose(attend({}, settings, vector(1), EVEN, t).weights, expected)


def bell(distance: float, sigma: float) -> float:
    return math.exp(-(distance**2) / (2 * sigma**2))


@pytest.mark.parametrize("renormalise", [False, True])
def test_local_p_by_hand(renormalise: bool) -> None:
    # s = 1, W_p = 1, v_p tanh(1) = ln(11/9): sigmoid = 11/20, p_t = 6 x 11/20 = 3.3; D = 2 sees positions 2, 3, 4, 5
    # (1.3 to 5.3), each with weight 1/4 before the Gaussian of sigma = D / 2 = 1.
    p = {"W_p": np.eye(1), "v_p": vector(math.log(11 / 9) / math.tanh(1))}
    settings = AttentionSettings(score="dot", window="local-p", half_width=2, renormalise=renormalise)
    expected = vector(0, bell(1.3, 1), bell(0.3, 1), bell(0.7, 1), bell(1.7, 1), 0) / 4
    if renormalise:
        expected = expected / expected.sum()
    np.testing.assert_allclose(attend(p, settings, vector(1), EVEN, 7).weights, expected)


def test_local_p_of_luongs_own_code_by_hand() -> None:
    # As above, sigmoid = 11/20, but S = 5 without </s>: p_t = 5 x 11/20 + 1 = 3.75, and floor(p_t) = 3 with D = 1 sees
    # positions 2, 3, 4, each with weight 1/3 before the Gaussian around 3.75 of sigma = D / 2 = 1/2.
    p = {"W_p": np.eye(1), "v_p": vector(math.log(11 / 9) / math.tanh(1))}
    settings = AttentionSettings(score="dot", window="local-p", half_width=1, position="nmt.matlab", attend_eos=False)
    expected = vector(0, bell(1.75, 0.5), bell(0.75, 0.5), bell(0.25, 0.5), 0, 0) / 3
    np.testing.assert_allclose(attend(p, settings, vector(1), EVEN, 7).weights, expected)


# p_t = 0 sees position 1 (D = 1) at distance 1; p_t = S = 6 sees positions 5 and 6 at distances 1 and 0.
@pytest.mark.parametrize(
    ("v_p", "expected"),
    [(-900, [bell(1, 3), 0, 0, 0, 0, 0]), (900, [0, 0, 0, 0, bell(1, 3) / 2, 1 / 2])],
)
def test_local_p_at_both_ends(v_p: float, expected: list[float]) -> None:
    p = {"W_p": np.eye(1), "v_p": vector(v_p)}  # sigmoid(900 tanh 1) = 1 - 1e-298 = 1
    settings = AttentionSettings(score="dot", window="local-p", half_width=1, sigma=3)
    np.testing.assert_allclose(attend(p, settings, vector(1), EVEN, 1).weights, expected)


@pytest.mark.parametrize(("t", "expected"), [(1, [1, 0, 0, 0, 0, 0]), (4, [0, 0, 1 / 3, 1 / 3, 1 / 3, 0])])
def test_location_prefers_positions_that_its_matrix_knows(t: int, expected: list[float]) -> None:
    settings = AttentionSettings(score="location", window="local-m", half_width=1)
    np.testing.assert_allclose(attend({"W": vector([0])}, settings, vector(1), EVEN, t).weights, expected)


def test_nothing_to_see_gives_zeros() -> None:
    settings = AttentionSettings(score="dot", attend_eos=False)
    weights, context, _ = attend({}, settings, vector(1), [vector(3)], 1)
    assert weights.tolist() == [0] and context.tolist() == [0]


@pytest.mark.parametrize(("fixed_context", "context"), [(False, []), (True, [5])])
def test_without_attention_the_context_is_the_last_state_or_absent(fixed_context: bool, context: list[float]) -> None:
    settings = AttentionSettings(score="none", fixed_context=fixed_context)
    weights, fixed, _ = fixed_vector(settings, vector(5), 2)
    assert weights.tolist() == [0, 0] and fixed.tolist() == context
