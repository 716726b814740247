"""Frozen parts keep their first weights, and the others learn what they would learn beside them."""

import pytest
import torch
from test_laws import EVERY, keys_of
from tiny_models import Overrides, accepted, tiny_batch, tiny_model

from nmt_attn.config.schema import TrainingConfig
from nmt_attn.errors import ConfigError
from nmt_attn.training.freezing import freeze
from nmt_attn.training.objective import Objective

PARTS = ["source_embedding", "encoder", "target_embedding", "decoder", "output"]


def gradients(keys: Overrides, parts: list[str]) -> dict[str, torch.Tensor]:
    """What an update of the trainer has, by name; only of what learns."""
    model = tiny_model(accepted(keys)).float()
    freeze(parts, model, lambda line: None)
    objective = Objective(model, TrainingConfig(), torch.float32)
    objective.training(tiny_batch([5, 2, 4], [3, 4, 2]), 0).total.backward()
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


@EVERY
@pytest.mark.parametrize("part", PARTS)
def test_the_other_parts_have_the_gradients_that_they_had(score: str, window: str, style: str, part: str) -> None:
    keys = keys_of(score, window, style)
    whole, without = gradients(keys, []), gradients(keys, [part])
    assert without.keys() == {name for name in whole if not name.startswith(f"{part}.")}
    for name, gradient in without.items():
        torch.testing.assert_close(gradient, whole[name], rtol=1e-5, atol=1e-6)


def test_a_part_of_a_part_can_be_named_and_is_said_with_its_size() -> None:
    model, lines = tiny_model(accepted({})), list[str]()
    freeze(["encoder.layers.0", "decoder.attention"], model, lines.append)
    frozen = [name for name, value in model.named_parameters() if not value.requires_grad]
    assert frozen and all(name.startswith(("encoder.layers.0.", "decoder.attention.")) for name in frozen)
    count = sum(value.numel() for value in model.parameters() if not value.requires_grad)
    total = sum(value.numel() for value in model.parameters())
    assert lines == [f"frozen: encoder.layers.0, decoder.attention, {count:,} of {total:,} parameters"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["encode"], r"expected the beginning of a parameter's name, got 'encode' \(did you mean 'encoder'\?\)"),
        (["zzz"], r"got 'zzz' \(the largest are source_embedding, encoder, target_embedding, decoder, output\)"),
        (["encoder", "enc"], r"got 'enc'"),
        (PARTS, r"expected a part that is left to learn, got .*, which is all"),
    ],
)
def test_mistakes_are_refused(parts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^training\.freeze: .*{message}"):
        freeze(parts, tiny_model(accepted({})), print)


def test_one_name_of_a_shared_matrix_is_refused() -> None:
    model = tiny_model(accepted({"tie": "target-output", "decoder.embedding": 5}))
    with pytest.raises(ConfigError, match=r"expected 'output' too, which shares .* \(model\.tie\), got \[\"target_emb"):
        freeze(["target_embedding"], model, print)
    freeze(["target_embedding.weight", "output.weight"], model, lambda line: None)
    assert not model.output.weight.requires_grad
