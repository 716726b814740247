"""Every model against the NumPy reference: values and gradients to 1e-9 in float64, source lengths unequal.

`pytest -k reference -v` lists the combinations; those that the configuration refuses stand at the end, with reasons.
"""

import re
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
import torch
from reference.normalise import probabilities
from reference_runs import numbers, parameter_gradients, reference_slope, run_model, run_reference, run_steps
from tiny_models import Overrides, accepted, overridden, tiny_batch, tiny_model

from nmt_attn.config.rules import contradictions
from nmt_attn.registries import (
    CELLS,
    CONTEXT_GATES,
    COVERAGES,
    DECODERS,
    INITIAL_CELL_STATES,
    INITIAL_STATES,
    NORMALISERS,
    SCORES,
    WINDOWS,
)

SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [3, 4, 2]  # the second target is longer than its source
GRID_CELLS = ("gru", "lstm")
TOLERANCE = 1e-9


def combination(score: str, window: str, style: str, cell: str) -> Overrides:
    """The keys of one combination. dot can only meet a decoder of the encoder's size, 2 x 3."""
    return {
        "attention.score": score,
        "attention.window": window,
        "decoder.style": style,
        "encoder.cell": cell,
        "decoder.cell": cell,
        "decoder.hidden": 6 if score in ("dot", "scaled-dot") else 5,
    }


def hidden_for(init: str) -> int:
    """The decoder's size with which a first state can be taken over as it is: 3 a direction."""
    return {"last": 6, "last-forward": 3}.get(init, 5)


def is_meaningful(score: str, window: str) -> bool:
    return score != "none" or window == "global"


GRID = list(product(["none", *SCORES], WINDOWS, DECODERS, GRID_CELLS))
COMBINATIONS = {"-".join(names): combination(*names) for names in GRID if is_meaningful(*names[:2])}

STYLES = {style: {"decoder.style": style} for style in DECODERS}
COVERED = [score for score in SCORES if SCORES[score].has_tanh]
FREE = [score for score in SCORES if not SCORES[score].needs_equal_sizes]
LOCAL_P = {"attention.window": "local-p"}
LSTM = {"encoder.cell": "lstm", "decoder.cell": "lstm"}
DEEP_STACK = {"encoder.layers": 2, "decoder.layers": 3}
NO_SOURCE = {"encoder.layers": 0, "attention.score": "none"}
WITHOUT_H: dict[str, Overrides] = {
    "none": {"attention.score": "none"},
    "fed": {"decoder.input_feeding": "context"},
    "fed-deep-readout": {"decoder.input_feeding": "context", "decoder.readout": "deep"},
    "maxout": {"decoder.readout": "maxout"},
    "deep-context": {"decoder.deep_context": True, "decoder.layers": 2},
    "gnmt-v2": {
        "decoder.deep_context": True,
        "decoder.layers": 3,
        "decoder.residual": True,
        "decoder.input_feeding": "context",
    },
}
STACKED = ("separate", "alternating")
FIXED = {"attention.score": "none", "attention.fixed_context": True}
PROJECTED = {**FIXED, "attention.fixed_context": "projected", "decoder.init": "bridge"}
OPTIONS: dict[str, Overrides] = {
    **{
        f"{score}-bias": {"attention.score": score, "attention.bias": True}
        for score in ("additive", "normed-additive", "concat")
    },
    "additive-inner-size": {"attention.hidden": 9},
    "concat-identity": {"attention.score": "concat", "attention.concat_keys": "identity"},
    "concat-identity-bias": {"attention.score": "concat", "attention.concat_keys": "identity", "attention.bias": True},
    **{f"output-without-bias-{style}": {"decoder.output_bias": False, **keys} for style, keys in STYLES.items()},
    "output-without-bias-tied": {"decoder.output_bias": False, "tie": "target-output", "decoder.readout_hidden": 7},
    "dot-project-equal-sizes": {"attention.score": "dot", "attention.project": True, "decoder.hidden": 6},
    "dot-project": {"attention.score": "dot", "attention.project": True},
    "scaled-dot-project": {"attention.score": "scaled-dot", "attention.project": True},
    **{
        f"location-too-few-positions-{window}": {
            "attention.score": "location",
            "attention.max_positions": 1,
            "attention.window": window,
        }
        for window in WINDOWS
    },
    **{f"{window}-without-eos": {"attention.window": window, "attention.attend_eos": False} for window in WINDOWS},
    "local-p-sigma": {**LOCAL_P, "attention.sigma": 1.7},
    "local-p-renormalise": {**LOCAL_P, "attention.renormalise": True},
    **{
        f"local-p-of-matlab-{style}": {
            **LOCAL_P,
            **keys,
            "attention.position": "nmt.matlab",
            "attention.attend_eos": False,
            "attention.half_width": width,
        }
        for (style, keys), width in zip(STYLES.items(), (1, 2, 9), strict=True)
    },
    "local-p-of-matlab-renormalise": {**LOCAL_P, "attention.position": "nmt.matlab", "attention.renormalise": True},
    "local-p-of-matlab-reversed": {**LOCAL_P, "attention.position": "nmt.matlab", "encoder.reverse_source": True},
    "local-p-inner-size": {**LOCAL_P, "attention.score": "general", "attention.hidden": 9},
    "local-p-wider-than-the-source": {**LOCAL_P, "attention.half_width": 9},
    "local-m-wider-than-the-source": {"attention.window": "local-m", "attention.half_width": 9},
    **{f"fixed-context-{style}": {**FIXED, **keys} for style, keys in STYLES.items()},
    "fixed-context-fed": {**FIXED, "decoder.style": "luong", "decoder.input_feeding": "context"},
    "fixed-context-zero-start": {**FIXED, "decoder.init": "zero"},
    **{f"fixed-context-projected-{style}": {**PROJECTED, **keys} for style, keys in STYLES.items()},
    "fixed-context-projected-zero-start": {**PROJECTED, "decoder.init": "zero"},
    **{
        f"fixed-context-projected-{init}-{cell}": {
            **PROJECTED,
            **LSTM,
            "decoder.hidden": hidden,
            "decoder.init": init,
            "decoder.init_cell": cell,
        }
        for init, cell, hidden in (("last", "copy", 6), ("last", "last", 6))
    },
    **{
        f"fixed-context-projected-reads-{reads}": {**PROJECTED, **DEEP_STACK, "decoder.init_reads": reads}
        for reads in ("layers", "top", "all")
    },
    **{
        f"cell-{cell}-{style}": {"encoder.cell": cell, "decoder.cell": cell, **keys}
        for cell in ("gru-cho", "rnn")
        for style, keys in STYLES.items()
    },
    "cells-differ": {"encoder.cell": "lstm", "decoder.cell": "gru-cho"},
    "cells-differ-copied-cell": {"encoder.cell": "gru", "decoder.cell": "lstm", "decoder.init_cell": "copy"},
    "unidirectional": {"encoder.bidirectional": False},
    "unidirectional-dot": {"encoder.bidirectional": False, "encoder.hidden": 5, "attention.score": "dot"},
    **{f"reversed-source-{window}": {"encoder.reverse_source": True, "attention.window": window} for window in WINDOWS},
    "reversed-source-unidirectional": {"encoder.reverse_source": True, "encoder.bidirectional": False},
    "reversed-source-backward-first": {"encoder.reverse_source": True, "decoder.init": "backward-first"},
    **{
        f"stacked-{cell}-{style}": {**DEEP_STACK, "encoder.cell": cell, "decoder.cell": cell, **keys}
        for cell in CELLS
        for style, keys in STYLES.items()
    },
    **{
        f"residual-{style}": {**DEEP_STACK, "encoder.residual": True, "decoder.residual": True, **keys}
        for style, keys in STYLES.items()
    },
    "residual-previous-readout": {**DEEP_STACK, "decoder.residual": True, "decoder.readout_state": "previous"},
    "residual-first-layer-too": {"encoder.residual": True, "encoder.embedding": 6},
    "residual-fixed-context": {
        **DEEP_STACK,
        "encoder.layers": 3,
        **FIXED,
        "encoder.residual": True,
        "decoder.residual": True,
    },
    "bottom-bidirectional": {"encoder.layers": 3, "encoder.bidirectional": "bottom"},
    "bottom-bidirectional-residual": {
        "encoder.layers": 3,
        "encoder.bidirectional": "bottom",
        "encoder.residual": True,
        "decoder.layers": 2,
    },
    **{
        f"deep-transition-{cell}-{style}": {
            "encoder.transition_depth": 2,
            "decoder.transition_depth": 3,
            "encoder.cell": cell,
            "decoder.cell": cell,
            **keys,
        }
        for cell in CELLS
        for style, keys in STYLES.items()
    },
    **{
        f"deep-transition-stacked-{style}": {
            **DEEP_STACK,
            "encoder.transition_depth": [1, 3],
            "decoder.transition_depth": [2, 1, 3],
            "encoder.bidirectional": "alternating",
            "encoder.residual": True,
            "decoder.residual": True,
            **keys,
        }
        for style, keys in STYLES.items()
    },
    "deep-transition-fed": {
        **LSTM,
        **DEEP_STACK,
        "decoder.style": "luong",
        "decoder.input_feeding": "attentional",
        "decoder.transition_depth": [1, 2, 1],
    },
    **{
        f"{kind}-{layers}-layers-{cell}": {
            "encoder.bidirectional": kind,
            "encoder.layers": layers,
            "encoder.residual": layers == 3,
            "encoder.cell": cell,
            "decoder.cell": cell,
        }
        for kind in STACKED
        for layers in (2, 3)
        for cell in CELLS
    },
    **{
        f"{kind}-{init}": {
            "encoder.bidirectional": kind,
            "encoder.layers": 2,
            "decoder.layers": 2,
            "decoder.init": init,
            "decoder.hidden": hidden_for(init),
        }
        for kind in STACKED
        for init in ("last", "last-forward", "backward-first")
    },
    **{
        f"{kind}-reversed": {
            "encoder.bidirectional": kind,
            "encoder.layers": 2,
            "encoder.reverse_source": True,
            "encoder.reads_eos": False,
            "attention.attend_eos": False,
        }
        for kind in STACKED
    },
    **{
        f"init-{init}{name}": {**DEEP_STACK, **cells, "decoder.init": init, "decoder.hidden": hidden_for(init)}
        for init in INITIAL_STATES
        for name, cells in (("", {}), ("-lstm", LSTM))
    },
    **{
        f"init-cell-{init}": {**DEEP_STACK, **LSTM, "decoder.init_cell": init, "decoder.hidden": hidden_for(init)}
        for init in ("copy", *INITIAL_CELL_STATES)
    },
    "init-cell-learned-copied": {**LSTM, "decoder.init": "learned", "decoder.init_cell": "copy"},
    "init-cell-mean-of-a-gru": {"decoder.cell": "lstm", "decoder.init_cell": "mean"},
    **{
        f"init-{init}-{activation}": {"decoder.init": init, "decoder.init_activation": activation}
        for init in ("mean", "bridge", "backward-first")
        for activation in ("relu", "none")
    },
    **{
        f"init-{init}-reads-{reads}{'-shared' * shared}": {
            **DEEP_STACK,
            **LSTM,
            "decoder.init": init,
            "decoder.init_cell": init,
            "decoder.init_reads": reads,
            "decoder.init_shared": shared,
        }
        for init, reads, shared in product(["bridge"], ["layers", "top", "all"], [False, True])
    },
    **{
        f"init-{init}-reads-top": {
            **DEEP_STACK,
            "decoder.init": init,
            "decoder.init_reads": "top",
            "decoder.hidden": hidden_for(init),
        }
        for init in ("last", "last-forward")
    },
    **{
        f"init-{init}-shared": {**DEEP_STACK, **LSTM, "decoder.init": init, "decoder.init_shared": True}
        for init in ("learned", "mean", "backward-first")
    },
    "mean-without-eos": {"decoder.init": "mean", "attention.attend_eos": False},
    **{
        f"eos-not-read-{cell}-{init}": {
            **DEEP_STACK,
            "encoder.reads_eos": False,
            "attention.attend_eos": False,
            "encoder.cell": cell,
            "decoder.init": init,
            "decoder.hidden": 6,
        }
        for cell in CELLS
        for init in ("last", "mean", "backward-first")
    },
    **{
        f"eos-not-read-reversed-{window}": {
            "encoder.reads_eos": False,
            "encoder.reverse_source": True,
            "attention.attend_eos": False,
            "attention.window": window,
        }
        for window in WINDOWS
    },
    "eos-not-read-fixed-context": {**FIXED, "encoder.reads_eos": False},
    **{
        f"feeding-{feed}-{cell}": {
            "decoder.style": "luong",
            "decoder.input_feeding": feed,
            "encoder.cell": cell,
            "decoder.cell": cell,
        }
        for feed in ("attentional", "context")
        for cell in GRID_CELLS
    },
    **{
        f"feeding-{feed}-stacked-local-p": {
            "decoder.style": "luong",
            "decoder.input_feeding": feed,
            **DEEP_STACK,
            **LOCAL_P,
        }
        for feed in ("attentional", "context")
    },
    "feeding-attentional-none": {
        "decoder.style": "luong",
        "decoder.input_feeding": "attentional",
        "attention.score": "none",
    },
    **{
        f"deep-context-{style}-{cell}-{'residual' if residual else 'plain'}": {
            **DEEP_STACK,
            **keys,
            "decoder.deep_context": True,
            "encoder.cell": cell,
            "decoder.cell": cell,
            "decoder.residual": residual,
        }
        for (style, keys), cell, residual in product(STYLES.items(), GRID_CELLS, [False, True])
    },
    **{
        f"deep-context-{style}-{window}-{coverage}": {
            "decoder.layers": 2,
            **keys,
            "decoder.deep_context": True,
            "attention.window": window,
            "attention.coverage": coverage,
        }
        for (style, keys), window, coverage in product(STYLES.items(), WINDOWS, ["none", "neural"])
    },
    **{
        f"deep-context-feeding-{feed}": {
            "decoder.layers": 3,
            "decoder.style": "luong",
            "decoder.deep_context": True,
            "decoder.input_feeding": feed,
        }
        for feed in ("attentional", "context")
    },
    **{
        f"deep-context-fixed-{style}": {"decoder.layers": 2, **FIXED, **keys, "decoder.deep_context": True}
        for style, keys in STYLES.items()
    },
    **{
        f"deep-context-transition-{style}": {
            **DEEP_STACK,
            **LSTM,
            **keys,
            "decoder.deep_context": True,
            "decoder.transition_depth": 2,
        }
        for style, keys in STYLES.items()
    },
    "deep-context-previous": {
        "decoder.layers": 2,
        "decoder.residual": True,
        "decoder.deep_context": True,
        "decoder.readout_state": "previous",
    },
    "attentional-no-tanh": {"decoder.style": "luong", "decoder.attentional_activation": "none"},
    "attentional-bias": {"decoder.style": "luong", "decoder.attentional_bias": True},
    **{
        f"readout-{readout}-{style}": {"decoder.readout": readout, "decoder.readout_hidden": 4, **keys}
        for readout in ("deep", "maxout")
        for style, keys in STYLES.items()
    },
    "readout-linear-size": {"decoder.readout_hidden": 4},
    **{
        f"readout-state-{style}-{'residual' if residual else 'plain'}": {
            "decoder.readout": "state",
            "decoder.layers": 2,
            "decoder.residual": residual,
            **STYLES[style],
        }
        for style, residual in product(("bahdanau", "conditional"), (False, True))
    },
    **{
        f"readout-{readout}-{style}": {"decoder.readout": readout, "decoder.readout_hidden": 4, **keys}
        for readout in ("state-linear", "state-deep")
        for style, keys in STYLES.items()
    },
    **{
        f"readout-{readout}-feeding": {
            "decoder.readout": readout,
            "decoder.style": "luong",
            "decoder.input_feeding": "attentional",
        }
        for readout in ("state-linear", "state-deep")
    },
    **{
        f"context-gate-{name}-feeding-{feed}": {
            "decoder.style": "luong",
            "decoder.context_gate": name,
            "decoder.input_feeding": feed,
        }
        for name, feed in product(CONTEXT_GATES, ["none", "attentional", "context"])
    },
    **{
        f"context-gate-{name}-deep-context": {
            "decoder.style": "luong",
            "decoder.context_gate": name,
            "decoder.deep_context": True,
            "decoder.input_feeding": "attentional",
            "decoder.readout": "deep",
            "attention.window": "local-p",
            **LSTM,
            **DEEP_STACK,
        }
        for name in CONTEXT_GATES
    },
    "context-gate-fixed": {**FIXED, "decoder.style": "luong", "decoder.context_gate": "both"},
    "context-gate-no-tanh": {
        "decoder.style": "luong",
        "decoder.context_gate": "both",
        "decoder.attentional_activation": "none",
        "decoder.attentional_bias": True,
    },
    **{
        f"without-attentional-state-{name}": {
            "decoder.style": "luong",
            "decoder.attentional_state": False,
            **keys,
        }
        for name, keys in WITHOUT_H.items()
    },
    **{
        f"readout-previous-{readout}": {"decoder.readout_state": "previous", "decoder.readout": readout}
        for readout in ("linear", "deep", "maxout")
    },
    "readout-previous-none": {"decoder.readout_state": "previous", "attention.score": "none"},
    **{
        f"{name}-{window}-{style}": {"attention.normalise": name, "attention.window": window, **keys}
        for name in NORMALISERS
        for window in WINDOWS
        for style, keys in STYLES.items()
    },
    **{
        f"{name}-{score}": {"attention.normalise": name, "attention.score": score}
        for name in NORMALISERS
        for score in FREE
    },
    "sparsemax-renormalise": {**LOCAL_P, "attention.normalise": "sparsemax", "attention.renormalise": True},
    **{
        f"output-{name}-{style}": {"decoder.normalise": name, **keys}
        for name in NORMALISERS
        for style, keys in STYLES.items()
    },
    **{
        f"coverage-{name}-{window}-{style}": {"attention.coverage": name, "attention.window": window, **keys}
        for name in COVERAGES
        for window in WINDOWS
        for style, keys in STYLES.items()
    },
    **{
        f"coverage-{name}-{score}": {"attention.coverage": name, "attention.score": score, "attention.hidden": 9}
        for name in COVERAGES
        for score in COVERED
    },
    **{
        f"coverage-{name}-identity": {
            "attention.coverage": name,
            "attention.score": "concat",
            "attention.concat_keys": "identity",
        }
        for name in COVERAGES
    },
    "coverage-neural-size": {"attention.coverage": "neural", "attention.coverage_size": 3},
    "coverage-fertility": {"attention.coverage": "linguistic", "attention.fertility": 3.7},
    "coverage-without-eos": {"attention.coverage": "linguistic", "attention.attend_eos": False},
    "coverage-fed-lstm": {
        "attention.coverage": "neural",
        "decoder.style": "luong",
        "decoder.input_feeding": "attentional",
        **LSTM,
        **DEEP_STACK,
    },
    "coverage-sparsemax": {"attention.coverage": "sum", "attention.normalise": "sparsemax"},
    **{
        f"no-source-{style}-{cell}-{init}": {**NO_SOURCE, **keys, "decoder.cell": cell, "decoder.init": init}
        for style, keys in STYLES.items()
        for cell in CELLS
        for init in ("zero", "learned")
    },
    "no-source-stacked": {
        **NO_SOURCE,
        "decoder.cell": "lstm",
        "decoder.layers": 3,
        "decoder.residual": True,
        "decoder.init": "learned",
        "decoder.init_cell": "learned",
        "decoder.init_shared": True,
    },
    "no-source-fed-tied": {
        **NO_SOURCE,
        "decoder.style": "luong",
        "decoder.input_feeding": "attentional",
        "decoder.init": "zero",
        "decoder.readout_hidden": 7,
        "decoder.readout": "deep",
        "tie": "target-output",
    },
    "tie-target-output": {"tie": "target-output", "decoder.readout_hidden": 7},
    "tie-source-target": {"tie": "source-target", "encoder.embedding": 7},
    "tie-all": {"tie": "all", "encoder.embedding": 7, "decoder.readout_hidden": 7},
}

EVERY = {**COMBINATIONS, **OPTIONS}


class Refusal(NamedTuple):
    """Keys that the configuration does not take together."""

    keys: Overrides
    key: str  # the one that it names
    got: str  # and its value


def refused() -> dict[str, Refusal]:
    """By a name that says why."""
    windows = {
        f"{'-'.join(names)}: no score, nothing to see through a window": Refusal(
            combination(*names), "model.attention.window", names[1]
        )
        for names in GRID
        if not is_meaningful(*names[:2])
    }
    sizes = {
        f"{score}-{style}: s . h of 5 and 2 x 3 numbers": Refusal(
            {"attention.score": score, "decoder.style": style}, "model.decoder.hidden", "5"
        )
        for score in ("dot", "scaled-dot")
        for style in STYLES
    }
    blind = {
        f"none-{style}-init-zero: nothing of the source is seen": Refusal(
            {"attention.score": "none", "decoder.style": style, "decoder.init": "zero"}, "model.decoder.init", "zero"
        )
        for style in STYLES
    }
    feeds = {
        f"feeding-{feed}-{style}: only luong's order feeds": Refusal(
            {"decoder.style": style, "decoder.input_feeding": feed}, "model.decoder.input_feeding", feed
        )
        for feed in ("attentional", "context")
        for style in ("bahdanau", "conditional")
    }
    covers = {
        f"coverage-{name}-{score}: no tanh that coverage could enter": Refusal(
            {"attention.coverage": name, "attention.score": score, "decoder.hidden": 6},
            "model.attention.coverage",
            name,
        )
        for name in COVERAGES
        for score in SCORES
        if score not in COVERED
    }
    above = {
        f"deep-context-{style}: there are no layers above": Refusal(
            {"decoder.style": style, "decoder.deep_context": True},
            "model.decoder.deep_context",
            "true",
        )
        for style in STYLES
    }
    above["deep-context-none: there is no context"] = Refusal(
        {"attention.score": "none", "decoder.layers": 2, "decoder.deep_context": True},
        "model.decoder.deep_context",
        "true",
    )
    without = {"decoder.style": "luong", "decoder.attentional_state": False}
    readouts = {
        f"previous-{readout}: nothing would be known of the last word": Refusal(
            {"decoder.readout": readout, "decoder.readout_state": "previous"}, "model.decoder.readout_state", "previous"
        )
        for readout in ("state", "state-linear", "state-deep")
    }
    readouts |= {
        "luong-state: linear is h~ as it is": Refusal(
            {"decoder.style": "luong", "decoder.readout": "state"}, "model.decoder.readout", "state"
        ),
        "state-size: it has that of the state": Refusal(
            {"decoder.readout": "state", "decoder.readout_hidden": 4}, "model.decoder.readout_hidden", "4"
        ),
        "without-h-fed: there is none to feed": Refusal(
            {**without, "decoder.input_feeding": "attentional"}, "model.decoder.input_feeding", "attentional"
        ),
        "without-h-bias: there is no W_c": Refusal(
            {**without, "decoder.input_feeding": "context", "decoder.attentional_bias": True},
            "model.decoder.attentional_bias",
            "true",
        ),
        "without-h-activation: there is no W_c": Refusal(
            {**without, "decoder.input_feeding": "context", "decoder.attentional_activation": "none"},
            "model.decoder.attentional_activation",
            "none",
        ),
        **{
            f"without-h-{name}: the context would reach no word": Refusal(
                {**without, **keys}, "model.decoder.attentional_state", "false"
            )
            for name, keys in {
                "linear": {},
                "state-deep": {"decoder.readout": "state-deep"},
                "fixed": FIXED,
            }.items()
        },
    }
    gated = {"decoder.context_gate": "both"}
    gates = {
        **{
            f"context-gate-{style}: it is over h~": Refusal(
                {**gated, "decoder.style": style}, "model.decoder.context_gate", "both"
            )
            for style in ("bahdanau", "conditional")
        },
        "context-gate-without-h: it is over h~": Refusal(
            {**without, **gated, "decoder.input_feeding": "context"}, "model.decoder.context_gate", "both"
        ),
        "context-gate-none: there is no context": Refusal(
            {**gated, "decoder.style": "luong", "attention.score": "none"}, "model.decoder.context_gate", "both"
        ),
    }
    return {**windows, **sizes, **blind, **feeds, **covers, **above, **readouts, **gates}


REFUSED = refused()


def equal(ours: torch.Tensor, theirs: object) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), np.array(theirs), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", EVERY)
def test_values_equal_the_reference(name: str) -> None:
    config = accepted(EVERY[name])
    model, batch = tiny_model(config), tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    ours, steps = run_model(model, batch), run_steps(model, batch)
    sentences = run_reference(numbers(model), config.model, batch)
    for row, sentence in enumerate(sentences):
        s, t = SOURCE_LENGTHS[row], TARGET_LENGTHS[row]
        equal(ours.memory.encoder_states[row, :s], sentence.encoded.states)
        for layer, state in enumerate(sentence.first_states):
            equal(ours.first.layers[layer].hidden[row], state[0])
        equal(ours.weights[row, :t, :s], [step.attended.weights for step in sentence.steps])
        assert ours.weights[row, :, s:].eq(0).all()
        equal(ours.readouts[row, :t], [step.readout for step in sentence.steps])
        equal(ours.logits[row, :t], [step.logits for step in sentence.steps])
    equal(ours.loss, sum(sentence.loss for sentence in sentences))
    for row, sentence in enumerate(sentences):
        for our_step, their_step in zip(steps[: TARGET_LENGTHS[row]], sentence.steps, strict=True):
            equal(our_step.context[row], their_step.attended.context)
            equal(our_step.weights[row, : SOURCE_LENGTHS[row]], their_step.attended.weights)
            for ours_layer, theirs_layer in zip(our_step.state.layers, their_step.states, strict=True):
                parts = [part for part in ours_layer if part is not None]
                for our_part, their_part in zip(parts, theirs_layer, strict=True):
                    equal(our_part[row], their_part)
            their_probs = probabilities(config.model.decoder.normalise, their_step.logits)
            equal(our_step.log_probs[row], np.log(np.maximum(their_probs, np.finfo(float).tiny)))


@pytest.mark.parametrize("name", EVERY)
def test_gradient_along_a_random_direction_equals_the_reference(name: str) -> None:
    config = accepted(EVERY[name])
    model, batch = tiny_model(config), tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    gradients = parameter_gradients(model, run_model(model, batch).loss)
    generator = torch.Generator().manual_seed(5)
    directions = {p: torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in gradients}
    ours = sum((gradients[p] * directions[p]).sum() for p in gradients)
    equal(ours, reference_slope(model, config.model, batch, directions))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_gradient_of_each_parameter_equals_the_reference(name: str) -> None:
    config = accepted(EVERY[name])
    model, batch = tiny_model(config), tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    gradients = parameter_gradients(model, run_model(model, batch).loss)
    generator = torch.Generator().manual_seed(7)
    for p, gradient in gradients.items():
        if p.numel() == 0:
            continue
        direction = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        equal((gradient * direction).sum(), reference_slope(model, config.model, batch, {p: direction}))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    refusal = REFUSED[name]
    messages = contradictions(overridden(refusal.keys))
    form = rf"{re.escape(refusal.key)}: expected .+, got '?{re.escape(refusal.got)}\b"
    assert any(re.match(form, message) for message in messages), messages


def test_nothing_of_the_grid_is_left_out() -> None:
    named = {name.partition(":")[0] for name in (*COMBINATIONS, *REFUSED)}
    assert {"-".join(names) for names in GRID} <= named
    assert len(GRID) >= 9 * 3 * 3 * 2
