"""Every model on a device that is not the CPU, where there is no GPU: nothing stays on the CPU, no update waits.

In a process of its own, as the device is known to torch from then on. With a GPU: tests/test_gpu.py.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Overrides

from nmt_attn.registries import CELLS, DECODERS, SCORES, WINDOWS
from nmt_attn.training.optimizer import OPTIMIZERS

TESTS = Path(__file__).parent
SCORED = list(SCORES)
COVER: list[Overrides] = [  # each window, order and cell, and each kind of score, once at least
    {"decoder.style": "bahdanau", "attention.score": "additive"},
    {"decoder.style": "luong", "attention.score": "general", "decoder.input_feeding": "attentional"},
    {"decoder.style": "conditional", "attention.score": "location", "attention.window": "local-p"},
    {"decoder.style": "luong", "attention.score": "concat", "attention.window": "local-m", "decoder.cell": "lstm"},
    {"decoder.style": "bahdanau", "attention.score": "none", "decoder.cell": "rnn", "decoder.layers": 2},
    {"decoder.style": "conditional", "attention.score": "dot", "decoder.hidden": 6, "decoder.cell": "gru-cho"},
]


SEARCH_READS = {"_to_copy in recorded.py:search": 1, "_to_copy in trace.py:_weights_of": 1}
"""Once a batch; flags are read where a search has more than eight steps."""


def every_combination() -> Iterator[Overrides]:
    scored = product(SCORED, WINDOWS, DECODERS, CELLS)
    plain = product(["none"], ["global"], DECODERS, CELLS)
    for score, window, style, cell in (*scored, *plain):
        keys: Overrides = {"attention.score": score, "attention.window": window, "decoder.style": style}
        if score in ("dot", "scaled-dot"):
            keys["decoder.hidden"] = 6
        if style == "luong" and score != "none":
            keys["decoder.input_feeding"] = "attentional"
        yield {**keys, "decoder.cell": cell, "encoder.cell": cell}


def python(*arguments: str, given: str = "") -> str:
    """What a Python of its own prints, with the tests' modules at hand; its errors fail the test."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    run = subprocess.run(
        [sys.executable, "-W", "error", *arguments], input=given, capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def compared(configurations: list[str]) -> list[dict[str, Any]]:
    answers = python(str(TESTS / "pretended_gpu_runs.py"), given="\n".join(configurations)).splitlines()
    assert len(answers) == len(configurations)
    return [json.loads(answer) for answer in answers]


def check(configurations: list[Overrides]) -> None:
    results = compared([json.dumps(keys) for keys in configurations])
    for keys, result in zip(configurations, results, strict=True):
        for part in ("loss", "gradients", "norm", "weights", "log_probs", "recorded_log_probs"):
            assert result[part] <= 1e-12, (part, keys, result)  # padding is left out here, and counts 0 there
        assert result["same_hypotheses"] and result["same_recorded"], keys
        assert result["search_waits"] == SEARCH_READS, keys
        assert result["waits"] == {}, keys
        assert result["sent"] == {}, keys


def test_update_and_search_are_those_of_the_cpu_and_no_update_waits() -> None:
    check(COVER)


def test_in_bf16_an_update_is_as_near_to_float32_as_on_the_cpu() -> None:
    """Both round factors of products to 8 binary digits, which changes a gradient by some hundredths."""
    styles = sorted(DECODERS)
    keys = [{**COVER[i], "decoder.style": style} for i in (0, 1) for style in styles if i == 0 or style == "luong"]
    for key, result in zip(keys, compared([f"bf16 {json.dumps(key)}" for key in keys]), strict=True):
        assert result["loss_there"] < max(0.005, 2 * result["loss_here"]), (key, result)
        assert result["gradients_there"] < max(0.03, 2 * result["gradients_here"]), (key, result)


@pytest.mark.slow
def test_every_combination_is_that_of_the_cpu_and_no_update_waits() -> None:
    check(list(every_combination()))


AIDS = {
    "scheduled_sampling": {"rate": 0.5},
    "word_dropout": {"source": 0.2, "target": 0.2},
    "label_smoothing": 0.1,
    "ema": 0.9,
    "accumulate_batches": 2,
}


@pytest.mark.slow
def test_training_reads_from_the_device_once_an_update_and_once_a_validation() -> None:
    trainings: list[dict[str, Any]] = [{"dropout": True, "cuda_graphs": True}, {"cuda_graphs": True}, AIDS]
    trainings += [{"optimizer": name} for name in OPTIMIZERS]
    for keys, result in zip(trainings, compared([f"training {json.dumps(keys)}" for keys in trainings]), strict=True):
        if "dropout" not in keys:
            assert result["there"] == pytest.approx(result["here"], rel=1e-5)
        assert result["waits"] == {
            "_to_copy in gradient.py:read": 4,
            "_local_scalar_dense in trainer.py:validation_loss": 1,
        }


FAULTS = """
import torch
from pretended_gpu import DEVICE, Pretending

def refuses(meet):
    try:
        meet()
    except RuntimeError as error:
        return "one on the CPU" in str(error)
    return False

with Pretending() as pretending:
    there, here = torch.ones(3, device=DEVICE), torch.ones(3)
    assert refuses(lambda: there + here) and refuses(lambda: here @ there)
    assert refuses(lambda: there.masked_fill(here > 0, 0.0))
    assert refuses(lambda: torch.nn.functional.linear(there, torch.ones(2, 3)))
    doubled = there.clone().requires_grad_() * 2 + torch.tensor(1.0)  # a number without axes may
    assert doubled.device == DEVICE and not pretending.waits
    waiting = {
        "_local_scalar_dense": lambda: float(there.sum()),
        "nonzero": lambda: there.nonzero(),
        "index": lambda: there[there > 0],
        "index_put_": lambda: there.__setitem__(torch.tensor([0, 2]), there[:2].clone()),
        "_to_copy": lambda: there.cpu(),
        "copy_": lambda: here.copy_(there),
        "equal": lambda: torch.equal(there, there),
        "multinomial": lambda: there.multinomial(1),
    }
    for name, wait in waiting.items():
        pretending.waits.clear()
        wait()
        assert set(pretending.waits) == {name}, (name, pretending.waits)
    assert not pretending.sent
    there.copy_(here)
    here.to(DEVICE)
    torch.zeros(2, device=DEVICE)
    assert pretending.sent == {"copy_": 1, "_to_copy": 1}
"""


@pytest.mark.slow
def test_the_device_refuses_what_a_gpu_refuses_and_notes_what_it_waits_for() -> None:
    python("-c", FAULTS)
