"""Reference: the three decoders for one sentence without padding, step by step, in plain NumPy.

Bahdanau et al. 2015 (arXiv 1409.0473v7), A.1 and A.2; Luong et al. 2015 (arXiv 1508.04025), eq. 5, 6 and 3.3;
the conditional GRU of dl4mt and nematus. Parameters: "E", "cells" (one per layer), "attention", "init" and
"init_cell" (one per layer), "readout", "output"; "first" for the conditional decoder's cell before attention.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from reference.attention import Attended, AttentionSettings, attend, fixed_vector
from reference.cells import WITH_CELL, State, Vector, advance, sigmoid
from reference.encoder import Encoded
from reference.normalise import loss

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class DecoderSettings:
    """Names as in the configuration."""

    attention: AttentionSettings
    style: str = "bahdanau"
    cell: str = "gru"
    residual: bool = False
    deep_context: bool = False
    reads_eos: bool = True
    init: str = "bridge"
    init_cell: str = "zero"
    init_activation: str = "tanh"
    init_reads: str = "layers"
    input_feeding: str = "none"
    attentional_state: bool = True
    context_gate: str = "none"
    attentional_activation: str = "tanh"
    readout: str = "linear"
    readout_state: str = "current"
    normalise: str = "softmax"


class Step(NamedTuple):
    """What one step leaves behind."""

    states: list[State]  # one per layer
    attended: Attended
    readout: Vector  # what the output layer multiplies
    logits: Vector
    brought: Vector | None  # to the next step, beside the states: s_t (the query of bahdanau) or luong's feed


def start(p: Parameters, settings: DecoderSettings, encoded: Encoded) -> list[State]:
    """The state of every decoder layer before the first word."""
    states: list[State] = []
    for number in range(len(p["cells"])):
        last = last_states(settings, encoded, number, len(p["cells"]))
        hidden = first_state(p, settings, encoded, last[0] if last else None, number, "init")
        if settings.cell not in WITH_CELL:
            states.append((hidden,))
        elif settings.init_cell == "copy":
            states.append((hidden, hidden))
        else:
            cell = last[1] if len(last) > 1 else None
            states.append((hidden, first_state(p, settings, encoded, cell, number, "init_cell")))
    return states


def last_states(settings: DecoderSettings, encoded: Encoded, number: int, layers: int) -> State:
    """Hidden and, of an LSTM, cell that the encoder ends with, as layer `number` of the decoder reads them."""
    below = len(encoded.last)
    if below == 0:  # no source
        return ()
    if settings.init_reads == "all":
        return tuple(np.concatenate(parts) for parts in zip(*encoded.last, strict=True))
    if settings.init_reads == "top":
        return encoded.last[-1]
    # The two stacks side by side at the top; a decoder that is higher stands on the same ground instead.
    return encoded.last[number + below - layers if below >= layers else min(number, below - 1)]


def first_state(
    p: Parameters, settings: DecoderSettings, encoded: Encoded, last: Vector | None, number: int, which: str
) -> Vector:
    """s_0 of layer `number`, or (`which` is "init_cell") the cell of an LSTM beside it."""
    kind = {"init": settings.init, "init_cell": settings.init_cell}[which]
    size = hidden_size(p["cells"][number])
    if kind == "zero":
        return np.zeros(size)
    if kind == "learned":
        return p[which][number]["v"]
    if kind == "last":
        return last
    if kind == "last-forward":
        return last[:size]
    source = {
        "mean": sum(encoded.states) / (len(encoded.states) - (not settings.reads_eos)),
        "bridge": last,
        "backward-first": encoded.backward_first,
    }[kind]
    total = p[which][number]["W"] @ source + p[which][number]["b"]
    if settings.init_activation == "none":
        return total
    return np.tanh(total) if settings.init_activation == "tanh" else np.where(total.real > 0, total, 0)


def summarise(p: Parameters, settings: DecoderSettings, encoded: Encoded) -> Encoded:
    """The top layer's last state as c = tanh(V h + b), where the fixed context is that."""
    if settings.attention.fixed_context != "projected":
        return encoded
    hidden, *cell = encoded.last[-1]
    summary = np.tanh(p["attention"]["V"] @ hidden + p["attention"]["b"])
    return encoded._replace(last=[*encoded.last[:-1], (summary, *cell)])


def hidden_size(cell: Mapping[str, Vector]) -> int:
    """H of a cell's parameters."""
    return next(matrix.shape[0] for name, matrix in cell.items() if name.startswith("U_"))


def look(
    p: Parameters, settings: DecoderSettings, query: Vector, encoded: Encoded, t: int, coverage: Sequence[Vector] | None
) -> Attended:
    """Weights and context of step t, from 1, after looks that left this coverage."""
    if settings.attention.score == "none":
        last = encoded.last[-1][0] if encoded.last else np.zeros(0)
        return fixed_vector(settings.attention, last, len(encoded.states))
    return attend(p["attention"], settings.attention, query, encoded.states, t, coverage)


def upper_layers(
    p: Parameters, settings: DecoderSettings, bottom: State, previous: Sequence[State], context: Vector | None
) -> tuple[list[State], Vector]:
    """The states of all layers above a bottom state, and what comes out of the top. The context is there by option."""
    states, output = [bottom], bottom[0]
    for number in range(1, len(p["cells"])):
        inputs = {"W": output, "C": context} if settings.deep_context else {"W": output}
        state = advance(settings.cell, p["cells"][number], inputs, previous[number])
        output = state[0] + output if settings.residual else state[0]
        states.append(state)
    return states, output


def read_out(p: Parameters, settings: DecoderSettings, s: Vector, y: Vector, c: Vector) -> Vector:
    """t = U s + V y + C c + b, as it is, through tanh, or the larger of each pair; or s alone, as it is or U s + b."""
    if settings.readout == "state":
        return s
    r = p["readout"]
    if settings.readout.startswith("state"):
        t = r["U"] @ s + r["b"]
        return np.tanh(t) if settings.readout == "state-deep" else t
    t = r["U"] @ s + r["V"] @ y + r["C"] @ c + r["b"]
    if settings.readout == "linear":
        return t
    if settings.readout == "deep":
        return np.tanh(t)
    return np.array([max(t[2 * k], t[2 * k + 1], key=lambda number: number.real) for k in range(len(t) // 2)])


def output_layer(p: Parameters, t: Vector) -> Vector:
    """Logits W_o t + b_o."""
    return p["output"]["W"] @ t + p["output"].get("b", 0)


def bahdanau(
    p: Parameters,
    settings: DecoderSettings,
    previous: Sequence[State],
    before: Vector,
    y: Vector,
    encoded: Encoded,
    t: int,
    coverage: Sequence[Vector] | None,
) -> Step:
    """Look with s_{t-1}, what came out of the top, then update with the context in every gate, then read out.

    Where the context enters every layer, with that of the bottom.
    """
    query = previous[0][0] if settings.deep_context else before
    attended = look(p, settings, query, encoded, t, coverage)
    bottom = advance(settings.cell, p["cells"][0], {"W": y, "C": attended.context}, previous[0])
    states, output = upper_layers(p, settings, bottom, previous, attended.context)
    s = output if settings.readout_state == "current" else before
    readout = read_out(p, settings, s, y, attended.context)
    return Step(states, attended, readout, output_layer(p, readout), output)


def conditional(
    p: Parameters,
    settings: DecoderSettings,
    previous: Sequence[State],
    before: None,
    y: Vector,
    encoded: Encoded,
    t: int,
    coverage: Sequence[Vector] | None,
) -> Step:
    """Update with the word, look with that state, update with the context, read out."""
    between = advance(settings.cell, p["first"], {"W": y}, previous[0])
    attended = look(p, settings, between[0], encoded, t, coverage)
    bottom = advance(settings.cell, p["cells"][0], {"C": attended.context}, between)
    states, output = upper_layers(p, settings, bottom, previous, attended.context)
    readout = read_out(p, settings, output, y, attended.context)
    return Step(states, attended, readout, output_layer(p, readout), None)


def luong(
    p: Parameters,
    settings: DecoderSettings,
    previous: Sequence[State],
    feed: Vector | None,
    y: Vector,
    encoded: Encoded,
    t: int,
    coverage: Sequence[Vector] | None,
) -> Step:
    """Update with the word and what is fed back, look with the new state, join both in h~, read out.

    Where the context enters every layer, the look comes between the bottom layer and the others.
    """
    inputs = {"W": y} if feed is None else {"W": y, "F": feed}
    bottom = advance(settings.cell, p["cells"][0], inputs, previous[0])
    if settings.deep_context:
        attended = look(p, settings, bottom[0], encoded, t, coverage)
        states, output = upper_layers(p, settings, bottom, previous, attended.context)
    else:
        states, output = upper_layers(p, settings, bottom, previous, None)
        attended = look(p, settings, output, encoded, t, coverage)
    attentional = attentional_state(p, settings, attended.context, output)
    if settings.context_gate != "none":
        attentional = gate(p["gate"], settings, attentional, np.concatenate([y, [] if feed is None else feed, output]))
    readout = attentional
    if settings.readout != "linear":
        readout = read_out(p, settings, attentional, y, attended.context)
    fed = {"none": None, "attentional": attentional, "context": attended.context}[settings.input_feeding]
    return Step(states, attended, readout, output_layer(p, readout), fed)


def attentional_state(p: Parameters, settings: DecoderSettings, c: Vector, s: Vector) -> Vector:
    """h~ = f(W_c [c ; s] + b), or s where there is none."""
    if not settings.attentional_state:
        return s
    total = p["attentional"]["W_c"] @ np.concatenate([c, s]) + p["attentional"].get("b", 0)
    return np.tanh(total) if settings.attentional_activation == "tanh" else total


def gate(p: Parameters, settings: DecoderSettings, source: Vector, target: Vector) -> Vector:
    """h~ and [y ; f ; s] behind a gate on one of the two, or that shares out between them."""
    z = sigmoid(p["W_z"] @ np.concatenate([target, source]) + p["b_z"])
    of_source, of_target = p["W_S"] @ source + p["b_S"], p["W_T"] @ target + p["b_T"]
    factors = {"source": (z, 1), "target": (1, z), "both": (z, 1 - z)}[settings.context_gate]
    return np.tanh(factors[0] * of_source + factors[1] * of_target)


STYLES = {"bahdanau": bahdanau, "conditional": conditional, "luong": luong}


def decode(p: Parameters, settings: DecoderSettings, encoded: Encoded, tgt_in: Sequence[int]) -> list[Step]:
    """All steps over a given target, from what `summarise` gives."""
    states = start(p, settings, encoded)
    brought = first_brought(p, settings, encoded, states)
    steps: list[Step] = []
    coverage = None
    for t, word in enumerate(tgt_in, start=1):
        step = STYLES[settings.style](p, settings, states, brought, p["E"][word], encoded, t, coverage)
        steps.append(step)
        states, brought, coverage = step.states, step.brought, step.attended.coverage
    return steps


def first_brought(p: Parameters, settings: DecoderSettings, encoded: Encoded, states: Sequence[State]) -> Vector | None:
    """bahdanau: s_0 of the top layer; luong: zeros, as nothing has been seen before the first word."""
    if settings.style == "bahdanau":
        return states[-1][0]
    if settings.style == "conditional" or settings.input_feeding == "none":
        return None
    if settings.input_feeding == "attentional":
        return np.zeros(p["attentional"]["W_c"].shape[0])
    return np.zeros(
        0 if settings.attention.score == "none" and not settings.attention.fixed_context else len(encoded.states[0])
    )


def summed_loss(settings: DecoderSettings, steps: Sequence[Step], tgt_out: Sequence[int]) -> Vector:
    """- sum of log p(y_t), in nats, or of the Fenchel-Young losses."""
    losses = [loss(settings.normalise, step.logits, word) for step, word in zip(steps, tgt_out, strict=True)]
    return sum(losses, start=np.zeros(()))
