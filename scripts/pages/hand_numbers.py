"""The numbers of docs/worked-example.md: two decoders small enough for pencil and paper, run by the package.

What is chosen has one decimal; it was fitted to the sentence and then rounded. Everything else is computed by the
package's own decoders, whose modules are watched while they write the sentence. A name of a number: `h` and `W` are
chosen ones, `b2.c` is Bahdanau's context at the second word, `l1.s` Luong's state at the first.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.config.schema import Config
from nmt_attn.lab.lab_model import SentenceTrace
from nmt_attn.lab.trace import score_terms, traced_step
from nmt_attn.model.build import build_model
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory

WORDS = ("turn", "off", "the", "lights")
TARGET = ("<s>", "लाइट", "बंद", "करो")
"""Words that are read; the first one, when it is written, is `</s>`."""

Numbers = dict[str, Tensor]

CHOSEN: dict[str, list[Any]] = {
    "h": [[-0.9, -0.6], [-0.7, 0.8], [0.3, -0.4], [0.9, 0.5]],  # encoder states, a row a source word
    "y": [[-0.9, 0.9], [-0.9, -0.3], [0.9, -0.6], [0.7, 0.1]],  # vectors of the target words
    "s0": [-0.9, 0.8],
    "W": [[-1.4, 1.1], [-0.9, 0.1]],
    "U": [[-0.3, -0.3], [0.4, 0.9]],
    "C": [[-0.7, 0.4], [-1.1, -0.4]],
    "F": [[-1.5, -0.7], [0.4, 0.2]],
    "Wa": [[-1.4, -1.3], [-0.8, 1.1], [-0.2, -1.3]],
    "Ua": [[-1.1, -0.3], [1.2, 0.5], [0.1, 1.2]],
    "va": [-1.9, -1.8, 1.4],
    "Uo": [[0.6, 0.0], [0.5, 0.0], [0.0, -0.3], [0.0, -0.6]],
    "Vo": [[-0.5, 0.0], [-0.5, 0.1], [0.1, 0.8], [0.0, 0.3]],
    "Co": [[-0.1, -0.1], [-0.1, -0.2], [0.7, 0.2], [0.4, -0.2]],
    "Wc": [[0.5, 0.5, 0.5, 1.8], [0.5, 0.1, 1.3, -0.1]],
    "Wo": [[-1.4, 1.3], [1.4, 1.3], [1.4, -1.3], [-1.4, -1.3]],
}
SHARED = {
    "target_embedding.weight": "y",
    "decoder.start_state.hidden.0.vector": "s0",
    "decoder.embedding_to_gates.weight": "W",
    "decoder.bottom.recurrent.weight": "U",
    "output.weight": "Wo",
}
"""Parameters of the package that hold the chosen numbers, in both orders; all others are 0."""


class Side(NamedTuple):
    """One of the two orders."""

    letter: str
    title: str
    attention: dict[str, Any]
    decoder: dict[str, Any]
    parameters: dict[str, str]  # of the package -> the chosen numbers that they hold
    products: dict[str, str]  # module -> the name of what it gives


SIDES = (
    Side(
        "b",
        "Bahdanau",
        {"score": "additive", "hidden": 3},
        {"style": "bahdanau", "readout": "maxout"},
        SHARED
        | {
            "decoder.context_to_gates.weight": "C",
            "decoder.attention.score.query_projection.weight": "Wa",
            "decoder.attention.score.key_projection.weight": "Ua",
            "decoder.attention.score.vector": "va",
            "decoder.readout.state_projection.weight": "Uo",
            "decoder.readout.embedding_projection.weight": "Vo",
            "decoder.readout.context_projection.weight": "Co",
        },
        {
            "decoder.embedding_to_gates": "Wy",
            "decoder.bottom.recurrent": "Us",
            "decoder.context_to_gates": "Cc",
            "decoder.attention.score.query_projection": "Was",
            "decoder.readout.state_projection": "Uos",
            "decoder.readout.embedding_projection": "Voy",
            "decoder.readout.context_projection": "Coc",
            "output": "z",
        },
    ),
    Side(
        "l",
        "Luong",
        {"score": "dot"},
        {"style": "luong", "input_feeding": "attentional"},
        SHARED | {"decoder.feed_to_gates.weight": "F", "decoder.attentional_state.projection.weight": "Wc"},
        {
            "decoder.embedding_to_gates": "Wy",
            "decoder.bottom.recurrent": "Us",
            "decoder.feed_to_gates": "Fr",
            "decoder.attentional_state.projection": "Wcs",
            "output": "z",
        },
    ),
)
STEPS = len(TARGET)


def hand_numbers() -> Numbers:
    """Every number of the small machines, by its name."""
    numbers = {name: _tensor(values) for name, values in CHOSEN.items()}
    numbers |= {"b0.s": numbers["s0"], "l0.s": numbers["s0"], "l0.r": torch.zeros(2, dtype=torch.float64)}
    with torch.no_grad():
        for side in SIDES:
            numbers |= _run(side)
    return numbers


def trained_numbers(sides: dict[str, SentenceTrace]) -> Numbers:
    """Scores, weights, context, state and p of the trained models: `tb1.e`, `tl3.a`; letter -> trace."""
    numbers: Numbers = {}
    for letter, trace in sides.items():
        for t, step in enumerate(trace.steps, 1):
            assert step.look is not None and step.look.context is not None
            found = {"e": step.look.scores[0], "a": step.look.weights[0], "c": step.look.context[0], "s": step.state}
            found["p"] = torch.tensor([p for _, p in step.top])
            numbers |= {f"t{letter}{t}.{name}": values.double() for name, values in found.items()}
    return numbers


def _run(side: Side) -> Numbers:
    model = _model(side)
    memory = _memory(model)
    state, last = model.start(memory), 0
    numbers: Numbers = {"Uah": memory.keys[0]} if side.letter == "b" else {}
    for step in range(1, STEPS + 1):
        found, state = _step(side, model, memory, state, last)
        numbers |= {f"{side.letter}{step}.{name}": values for name, values in found.items()}
        last = int(found["p"].argmax())
        assert last == step % STEPS, f"{side.title}: expected {TARGET[step % STEPS]}, got {TARGET[last]}"
    return numbers


def _step(side: Side, model: Seq2Seq, memory: Memory, state: DecoderState, last: int) -> tuple[Numbers, DecoderState]:
    """The numbers of one word, and the next state."""
    found: Numbers = {}
    hooks = [
        model.get_submodule(place).register_forward_hook(_note(found, name)) for place, name in side.products.items()
    ]
    traced = traced_step(model, torch.tensor([last]), state, memory)
    for hook in hooks:
        hook.remove()
    look = traced.look
    assert look is not None and look.context is not None and traced.readout is not None
    found |= {"e": look.scores[0], "exp": look.scores[0].exp(), "a": look.weights[0], "c": look.context[0]}
    found["ah"] = look.weights[0].unsqueeze(1) * memory.encoder_states[0]
    found["s"], found["r"] = traced.state.layers[-1].hidden[0], traced.readout[0]
    found["p"] = traced.log_probs[0].exp()
    found["sum"] = found["Wy"] + found["Us"] + found["Cc" if side.letter == "b" else "Fr"]
    if side.letter == "b":
        rows = [score_terms(model, look, memory, j) for j in range(len(WORDS))]
        terms = torch.stack([row for row in rows if row is not None])  # [S, A, 3]: v, x, tanh x
        found |= {"x": terms[..., 1], "tanh": terms[..., 2], "tt": found["Uos"] + found["Voy"] + found["Coc"]}
    return found, traced.state


def _note(found: Numbers, name: str) -> Any:
    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        found[name] = output.flatten()

    return note


def _model(side: Side) -> Seq2Seq:
    """The package's model of this order, with the chosen numbers in it."""
    decoder = {"cell": "rnn", "hidden": 2, "embedding": 2, "init": "learned", "dropout": 0.0, **side.decoder}
    sections = {
        "encoder": {"hidden": 1, "embedding": 1, "dropout": 0.0},
        "attention": side.attention,
        "decoder": decoder,
    }
    config = Config.model_validate({"model": sections})
    model = build_model(config.model, STEPS, STEPS, len(WORDS)).double()
    for name, parameter in model.named_parameters():
        parameter.zero_()
        if name in side.parameters:
            parameter.copy_(_tensor(CHOSEN[side.parameters[name]]))
    return model


def _memory(model: Seq2Seq) -> Memory:
    """What the encoder would have left."""
    states, lengths = _tensor(CHOSEN["h"]).unsqueeze(0), torch.tensor([len(WORDS)])
    keys, mask = model.decoder.attention.project_keys(states), torch.ones(1, len(WORDS), dtype=torch.bool)
    return Memory(states, keys, mask, lengths, lengths, lengths, (), ())


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
