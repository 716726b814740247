"""The decoders of the NumPy reference, against numbers by hand."""

import math

import numpy as np
import pytest
from reference.attention import Attended, AttentionSettings
from reference.decoder import DecoderSettings, Step, decode, start, summarise, summed_loss
from reference.encoder import Encoded


def one_number(**values: float) -> dict[str, np.ndarray]:
    """Parameters of size 1: matrices [1, 1] for capital letters, vectors [1] for small ones."""
    return {name: np.full((1, 1) if name[0].isupper() else (1,), value) for name, value in values.items()}


def vector(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


# Decoders of size 1 whose cell is a plain tanh network, on one source position h = 2: the context is always 2.
ONE = Encoded([vector(2)], [(vector(0.5),)], None)
WORDS = vector(0.1, 0.2, 0.3)[:, None]


def tiny_decoder(settings: DecoderSettings, **more: object) -> list[Step]:
    p = {
        "E": WORDS,
        "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=0.4)],
        "attention": {},
        "readout": one_number(U=1, V=2, C=3, b=4),
        "output": {"W": vector(1, 2)[:, None], "b": vector(0, 5)},
    }
    return decode(p | more, settings, ONE, [1, 2])


def of(score: str = "dot", **values: str) -> DecoderSettings:
    return DecoderSettings(AttentionSettings(score=score), cell="rnn", init="last", **values)


@pytest.mark.parametrize("readout_state", ["current", "previous"])
def test_bahdanau_order_by_hand(readout_state: str) -> None:
    s_1 = math.tanh(1 * 0.2 + 2 * 0.5 + 3 * 2 + 0.4)
    s_2 = math.tanh(1 * 0.3 + 2 * s_1 + 3 * 2 + 0.4)
    steps = tiny_decoder(of(readout_state=readout_state))
    np.testing.assert_allclose([step.states[0][0].item() for step in steps], [s_1, s_2])
    read = (s_1, s_2) if readout_state == "current" else (0.5, s_1)
    t_1, t_2 = read[0] + 2 * 0.2 + 3 * 2 + 4, read[1] + 2 * 0.3 + 3 * 2 + 4
    np.testing.assert_allclose([step.logits for step in steps], [[t_1, 2 * t_1 + 5], [t_2, 2 * t_2 + 5]])


def test_cho_et_al_read_a_summary_at_the_start_and_at_each_step() -> None:
    # c = tanh(6 * 0.5 - 2), s_0 = tanh(7 c + 1)
    settings = DecoderSettings(AttentionSettings("none", fixed_context="projected"), cell="rnn", init="bridge")
    p = {"E": WORDS, "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=0.4)], "attention": one_number(V=6, b=-2)}
    p |= {"readout": one_number(U=1, V=2, C=3, b=4), "output": one_number(W=1, b=0), "init": [one_number(W=7, b=1)]}
    encoded = summarise(p, settings, ONE)
    c = math.tanh(6 * 0.5 - 2)
    s_0 = math.tanh(7 * c + 1)
    [(found,)] = start(p, settings, encoded)
    np.testing.assert_allclose(found, [s_0])
    step = decode(p, settings, encoded, [1])[0]
    np.testing.assert_allclose(step.states[0][0], [math.tanh(0.2 + 2 * s_0 + 3 * c + 0.4)])


def test_bahdanau_looks_with_the_state_before_the_update_and_luong_with_the_one_after() -> None:
    # Two positions 0 and 1; s . h = s at position 1: its weight is sigmoid(query).
    pair = Encoded([vector(0), vector(1)], [(vector(0.5),)], None)
    p = {"E": WORDS, "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=0.4)], "attention": {}}
    p |= {"readout": one_number(U=1, V=2, C=3, b=4), "output": one_number(W=1, b=0)}
    p |= {"attentional": {"W_c": vector([1.0, 1.0])}, "first": one_number(W_n=7, U_n=1, b_n=0)}
    queries = {"bahdanau": 0.5, "conditional": math.tanh(7 * 0.2 + 0.5), "luong": math.tanh(0.2 + 1 + 0.4)}
    for style, query in queries.items():
        step = decode(p, of(style=style), pair, [1])[0]
        np.testing.assert_allclose(step.attended.weights[1], 1 / (1 + math.exp(-query)), err_msg=style)


def test_conditional_by_hand() -> None:
    first = one_number(W_n=7, U_n=1, b_n=0)
    cells = [one_number(C_n=3, U_n=2, b_n=-6)]
    step = tiny_decoder(of(style="conditional", readout="deep"), first=first, cells=cells)[0]
    s = math.tanh(3 * 2 + 2 * math.tanh(7 * 0.2 + 0.5) - 6)
    np.testing.assert_allclose(step.states[0][0], [s])
    np.testing.assert_allclose(step.readout, [math.tanh(s + 2 * 0.2 + 3 * 2 + 4)])


@pytest.mark.parametrize(("feeding", "fed"), [("none", 0.0), ("attentional", None), ("context", 2.0)])
def test_luong_by_hand(feeding: str, fed: float | None) -> None:
    cells = [one_number(W_n=1, U_n=2, F_n=0.3, b_n=0.4)]
    s_1 = math.tanh(0.2 + 2 * 0.5 + 0.4)  # nothing is fed at the first step
    h_1 = math.tanh(0.1 * 2 + 0.7 * s_1 + 0.05)  # W_c = (0.1, 0.7) on [c; s]
    s_2 = math.tanh(0.3 + 2 * s_1 + 0.3 * (h_1 if fed is None else fed) + 0.4)
    more = {"attentional": {"W_c": vector([0.1, 0.7]), "b": vector(0.05)}}
    steps = tiny_decoder(of(style="luong", input_feeding=feeding), cells=cells, **more)
    np.testing.assert_allclose([step.states[0][0].item() for step in steps], [s_1, s_2])
    np.testing.assert_allclose(steps[0].logits, [h_1, 2 * h_1 + 5])
    plain = tiny_decoder(of(style="luong", attentional_activation="none", readout="deep"), cells=cells, **more)[0]
    inside = 0.1 * 2 + 0.7 * s_1 + 0.05
    np.testing.assert_allclose(plain.readout, [math.tanh(inside + 2 * 0.2 + 3 * 2 + 4)])


def test_maxout_takes_the_larger_of_each_pair() -> None:
    readout = {"U": np.zeros((4, 1)), "V": np.zeros((4, 1)), "C": np.zeros((4, 1)), "b": vector(1, 5, -2, -3)}
    output = {"W": np.eye(2), "b": np.zeros(2)}
    steps = tiny_decoder(of(readout="maxout"), readout=readout, output=output)
    np.testing.assert_allclose(steps[1].logits, [5, -2])


def test_upper_layers_take_the_output_below_and_may_add_it() -> None:
    upper = one_number(W_n=0.5, U_n=0.25, b_n=0)
    two = ONE._replace(last=[(vector(0.5),), (vector(-1.0),)])
    p = {"E": WORDS, "cells": [one_number(W_n=1, U_n=2, C_n=3, b_n=-6), upper], "attention": {}}
    p |= {"readout": one_number(U=1, V=0, C=0, b=0), "output": one_number(W=1, b=0)}
    low = math.tanh(0.2 + 2 * 0.5 + 3 * 2 - 6)
    high = math.tanh(0.5 * low + 0.25 * -1)
    for residual, output in ((False, high), (True, high + low)):
        settings = DecoderSettings(AttentionSettings(score="dot"), cell="rnn", init="last", residual=residual)
        step = decode(p, settings, two, [1])[0]
        np.testing.assert_allclose([state[0].item() for state in step.states], [low, high])
        np.testing.assert_allclose(step.logits, [output])
        np.testing.assert_allclose(step.brought, [output])  # the next query is what came out of the top


def test_first_states_by_hand() -> None:
    # Two encoder layers, three decoder layers: the third gets the top one's. Mean of the states: (1 + 3) / 2 = 2.
    encoded = Encoded([vector(1), vector(3)], [(vector(0.1), vector(0.2)), (vector(0.3), vector(0.4))], vector(0.7))
    maps = [one_number(W=k, b=0.5) for k in (1, 2, 3)]
    p = {"cells": [one_number(U_i=1)] * 3, "init": maps, "init_cell": maps}
    hidden = {
        "zero": [0, 0, 0],
        "last": [0.1, 0.3, 0.3],
        "mean": [math.tanh(k * 2 + 0.5) for k in (1, 2, 3)],
        "bridge": [math.tanh(0.1 + 0.5), math.tanh(0.6 + 0.5), math.tanh(0.9 + 0.5)],
        "backward-first": [math.tanh(k * 0.7 + 0.5) for k in (1, 2, 3)],
    }
    cells = {
        "zero": [0, 0, 0],
        "last": [0.2, 0.4, 0.4],
        "bridge": [math.tanh(0.2 + 0.5), math.tanh(0.8 + 0.5), math.tanh(1.2 + 0.5)],
    }
    attention = AttentionSettings()
    for init, expected in hidden.items():
        for init_cell, cell in {**cells, "copy": expected}.items():
            states = start(p, DecoderSettings(attention, cell="lstm", init=init, init_cell=init_cell), encoded)
            np.testing.assert_allclose([state[0].item() for state in states], expected, err_msg=init)
            np.testing.assert_allclose([state[1].item() for state in states], cell, err_msg=init_cell)


def test_loss_of_even_logits_is_log_v_a_word() -> None:
    steps = [Step([], Attended(vector(1), vector(1)), vector(0), np.zeros(7), None)] * 3
    np.testing.assert_allclose(summed_loss(of(), steps, [1, 2, 3]), 3 * math.log(7))


def test_complex_step_is_the_central_difference() -> None:
    readout = {name: matrix.astype(complex) for name, matrix in one_number(U=1, V=2, C=3, b=4).items()}
    settings = of(readout="deep")

    def loss(bias: complex) -> np.ndarray:
        return summed_loss(settings, tiny_decoder(settings, readout={**readout, "b": np.array([bias])}), [0, 1])

    step, tiny = 1e-4, 1e-30
    central = (loss(-9 + step) - loss(-9 - step)).real / (2 * step)
    np.testing.assert_allclose(loss(-9 + tiny * 1j).imag / tiny, central, rtol=1e-6)
    assert abs(central) > 0.1
