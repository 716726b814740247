"""A memory that is too small for a batch ends training with one line, of a GPU as of the machine."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_training import start

from nmt_attn.errors import ConfigError
from nmt_attn.training.gradient import Gradients
from nmt_attn.training.trainer import Trainer

GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
MACHINE = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 20 bytes")


def failing_after(times: int, function: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The function, which fails from its call after `times` on."""
    calls = []

    def fail(*given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) > times:
            raise error
        return function(*given, **named)

    return fail


@pytest.mark.parametrize("error", [GPU, MACHINE, MemoryError()], ids=lambda error: type(error).__name__)
def test_the_line_names_the_batch_what_to_change_and_the_checkpoint(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = r"^training\.batch_tokens: expected batches that fit into .* cpu, got one of \d+ x \(\d+ \+ \d+\) tokens"
    hint = r" \(try a smaller one, with training\.accumulate_batches for the same updates; the run "
    send = Gradients.send
    for times, end in ((0, "has no checkpoint yet"), (5, "goes on from its checkpoint of update 4")):
        session = start(updates=9, checkpoint_updates=2)
        monkeypatch.setattr(Gradients, "send", failing_after(times, send, error))
        with pytest.raises(ConfigError, match=rf"{said} at update {times + 1}{hint}{end}\)$"):
            session.run()


def test_validation_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(updates=9, validate_updates=3)
    monkeypatch.setattr(Trainer, "validation_loss", failing_after(0, Trainer.validation_loss, MACHINE))
    with pytest.raises(ConfigError, match=r"of cpu, got too large ones in validation at update 3 \(try"):
        session.run()


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gradients, "send", failing_after(0, Gradients.send, RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        start().run()
