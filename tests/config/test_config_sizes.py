"""Which encoder layer a decoder layer starts from."""

import pytest

from nmt_attn.config.derived import start_layer
from nmt_attn.config.model_section import DecoderConfig, EncoderConfig, ModelConfig


@pytest.mark.parametrize(
    ("encoder", "decoder", "expected"),
    [(2, 2, [0, 1]), (3, 1, [2]), (3, 2, [1, 2]), (1, 3, [0, 0, 0]), (2, 3, [0, 1, 1])],
)
def test_the_stacks_meet_at_the_top(encoder: int, decoder: int, expected: list[int]) -> None:
    model = ModelConfig(encoder=EncoderConfig(layers=encoder), decoder=DecoderConfig(layers=decoder))
    assert [start_layer(layer, model) for layer in range(decoder)] == expected
