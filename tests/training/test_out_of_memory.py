"""A GPU whose memory is too small for a batch ends training with one line."""

import pytest
import torch
from tiny_training import start

from nmt_attn.errors import ConfigError
from nmt_attn.training.gradient import Gradients


def test_the_line_names_the_batch_and_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    session = start()
    monkeypatch.setattr(Gradients, "send", send)
    said = r"^training\.batch_tokens: expected batches that fit into .* cpu, got one of \d+ x \(\d+ \+ \d+\) tokens"
    with pytest.raises(ConfigError, match=said + r" at update 1 \(try a smaller one"):
        session.run()
