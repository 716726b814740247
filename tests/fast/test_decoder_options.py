"""Options of the decoder among accelerated parts: training on either device and search give the plain numbers."""

from itertools import product

import pytest
import torch
from reference_runs import run_steps
from test_equal_to_plain import IS_THERE, TOLERANCES, batch, close, model_of, results
from tiny_models import Overrides

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.search import for_search
from nmt_attn.fast.training import TRAINING
from nmt_attn.fast.views import Fast, view
from nmt_attn.model.build import DECODERS
from nmt_attn.model.context_gate import CONTEXT_GATES
from nmt_attn.model.readout import READOUTS

FEEDINGS = ("none", "attentional", "context")
STYLES: dict[str, Overrides] = {
    **{style: {"decoder.style": style} for style in DECODERS if style != "luong"},
    **{f"luong-{feed}": {"decoder.style": "luong", "decoder.input_feeding": feed} for feed in FEEDINGS},
}
ABOVE: Overrides = {"decoder.layers": 2, "decoder.deep_context": True}
TRANSITION: Overrides = {"decoder.transition_depth": 2}
WITHOUT_H: Overrides = {"decoder.style": "luong", "decoder.attentional_state": False}
OPTIONS: dict[str, Overrides] = {
    **{f"deep-context-{name}": {**ABOVE, **keys} for name, keys in STYLES.items()},
    **{f"deep-context-transition-{name}": {**ABOVE, **keys, **TRANSITION} for name, keys in STYLES.items()},
    **{
        f"{readout}-{name}": {"decoder.readout": readout, **keys}
        for name, keys in STYLES.items()
        for readout in READOUTS
        if readout != "state" or "luong" not in name
    },
    **{
        f"context-gate-{gate}-{name}": {"decoder.context_gate": gate, **keys}
        for gate in CONTEXT_GATES
        for name, keys in STYLES.items()
        if keys["decoder.style"] == "luong"
    },
    "context-gate-deep-context": {**STYLES["luong-attentional"], **ABOVE, "decoder.context_gate": "both"},
    "without-h-fed": WITHOUT_H | {"decoder.input_feeding": "context"},
    "without-h-fed-deep-context": WITHOUT_H | ABOVE | {"decoder.input_feeding": "context"},
    "without-h-maxout": WITHOUT_H | {"decoder.input_feeding": "none", "decoder.readout": "maxout"},
    "without-h-deep-context": WITHOUT_H | ABOVE | {"decoder.input_feeding": "none"},
}


@pytest.mark.parametrize(("name", "cell"), list(product(OPTIONS, ["gru", "lstm"])))
def test_accelerated_parts_give_the_numbers_of_the_plain_model(name: str, cell: str) -> None:
    keys = dict(OPTIONS[name])
    model = model_of("general", "global", keys.pop("decoder.style"), cell, **keys)
    parameters = list(model.parameters())
    for forms in (TRAINING, GPU):
        fast = view(model, forms)
        assert any(isinstance(part, Fast) for part in fast.decoder.bottom.modules())
        close(results(fast, parameters), results(model, parameters), 1e-10)
    model.float().eval()
    with torch.inference_mode():
        for precision in (each for each, is_there in IS_THERE.items() if is_there):
            close(run_steps(for_search(model, precision), batch()), run_steps(model, batch()), TOLERANCES[precision])
