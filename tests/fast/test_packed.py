"""The form for search, part by part. That it says what the model says: test_equal_to_plain.py."""

import os
import subprocess
import sys

import pytest
import torch
from reference_runs import run_steps
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import nn

from nmt_attn.fast.packed import (
    BFloat16Linear,
    Float32Linear,
    Int8Linear,
    JoinedLinear,
    PackedLinear,
    SevenBitLinear,
    output_rows,
    pack,
)
from nmt_attn.fast.search import FusedDirection, WordMaps, for_search
from nmt_attn.fast.training import for_training
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.runtime import DecodingPrecision, cpu_has_int8, cpu_has_packed_products, has_fbgemm

MODELS: dict[str, Overrides] = {
    "bahdanau": {"decoder.style": "bahdanau", "decoder.readout": "maxout"},
    "luong": {
        "encoder.cell": "lstm",
        "encoder.layers": 2,
        "decoder.style": "luong",
        "decoder.cell": "lstm",
        "decoder.layers": 2,
        "decoder.input_feeding": "attentional",
        "attention.score": "concat",
    },
    "conditional": {
        "decoder.style": "conditional",
        "encoder.cell": "gru-cho",
        "decoder.cell": "gru-cho",
        "attention.score": "general",
        "attention.window": "local-p",
    },
    "plain": {"attention.score": "none", "attention.fixed_context": True, "encoder.cell": "rnn", "decoder.cell": "rnn"},
}
needs_packed = pytest.mark.skipif(not cpu_has_packed_products(), reason="no oneDNN, or a CPU without AVX2")
needs_int8 = pytest.mark.skipif(not cpu_has_int8(), reason="a CPU without fast products of 8 bits")
needs_fbgemm = pytest.mark.skipif(not has_fbgemm(), reason="a torch without FBGEMM")
EIGHT_BITS = [pytest.param(Int8Linear, marks=needs_int8), pytest.param(SevenBitLinear, marks=needs_fbgemm)]
ONLY_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def model_of(name: str) -> Seq2Seq:
    return tiny_model(accepted(MODELS[name])).float().eval()


@needs_packed
@torch.inference_mode()
@pytest.mark.parametrize("precision", ["bf16", pytest.param("int8", marks=needs_int8)])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_other_formats_are_not_fp32_in_disguise(name: str, precision: DecodingPrecision) -> None:
    model, batch = model_of(name), tiny_batch([5, 2, 4], [3, 4, 2])
    expected, found = run_steps(model, batch), run_steps(for_search(model, precision), batch)
    assert not torch.equal(found[-1].log_probs, expected[-1].log_probs)


@needs_packed
@torch.inference_mode()
@pytest.mark.parametrize("overrides", [{}, {"encoder.residual": True}, {"encoder.reverse_source": True}])
@pytest.mark.parametrize("lengths", [[5, 2, 4], [3, 3], [1]])
def test_a_fused_encoder_ends_in_the_states_of_each_sentence(overrides: Overrides, lengths: list[int]) -> None:
    """Padding leaves the cell state as it was, in both directions."""
    model = tiny_model(accepted({**MODELS["luong"], **overrides})).float().eval()
    packed = for_search(model, "fp32")
    assert [type(each) for each in packed.encoder.modules()].count(FusedDirection) == 4
    batch = tiny_batch(lengths, [2] * len(lengths))
    found, expected = (each.encode(batch.src_ids, batch.src_lengths) for each in (packed, model))
    is_word = expected.mask.unsqueeze(2)
    torch.testing.assert_close(found.encoder_states * is_word, expected.encoder_states * is_word, atol=1e-6, rtol=1e-5)
    for name in ("final_hidden", "final_cell"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-6, rtol=1e-5)


@needs_packed
@torch.inference_mode()
@pytest.mark.parametrize("name", sorted(MODELS))
def test_words_seen_before_and_new_ones_give_what_their_maps_give(name: str) -> None:
    packed = for_search(model_of(name), "fp32")
    words = packed.target_embedding
    assert isinstance(words, WordMaps)
    for ids in ([4], [4, 5, 4], [[6, 5], [9, 4]]):
        found = words(torch.tensor(ids))
        vectors = words.embedding(torch.tensor(ids))
        torch.testing.assert_close(found, torch.cat([each(vectors) for each in words.maps], -1))
    assert words.is_known.nonzero().flatten().tolist() == [4, 5, 6, 9]


@needs_packed
def test_a_vocabulary_that_is_too_large_is_multiplied_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt_attn.fast.search.MOST_NUMBERS", 20)
    packed = for_search(model_of("bahdanau"), "fp32")
    assert isinstance(packed.target_embedding, nn.Embedding)
    assert isinstance(packed.decoder.embedding_to_gates, Float32Linear)


def test_elsewhere_than_on_a_cpu_words_are_multiplied_too() -> None:
    """A GPU would be asked at every step which words are new."""
    packed = for_search(model_of("bahdanau").to("meta"), "bf16")
    assert isinstance(packed.target_embedding, nn.Embedding)
    assert isinstance(packed.decoder.embedding_to_gates, BFloat16Linear)


@needs_packed
@pytest.mark.parametrize("name", ["luong", "plain"])
def test_what_enters_a_cell_and_its_state_are_one_product(name: str) -> None:
    """Where the cell only adds the two up; a GRU's candidate keeps them apart."""
    decoder = for_search(model_of(name), "fp32").decoder
    layers = [decoder, *decoder.upper]
    assert all(isinstance(layer.joined, Float32Linear) for layer in layers)
    assert not any(hasattr(layer.joined, "weight") for layer in layers), "the matrix itself is not kept"
    assert for_search(model_of("bahdanau"), "fp32").decoder.joined is None


@needs_packed
def test_parameters_are_shared() -> None:
    model = model_of("luong")
    packed = for_search(model, "fp32")
    assert {id(each) for each in packed.parameters()} <= {id(each) for each in model.parameters()}
    assert not any(isinstance(module, PackedLinear) for module in model.modules())


@needs_packed
def test_the_output_layer_is_never_rounded_to_bf16() -> None:
    """Two words whose scores differ by less than bf16 can tell would tie."""
    packed = for_search(model_of("bahdanau"), "bf16")
    assert isinstance(packed.output, Float32Linear)
    assert isinstance(packed.decoder.readout.state_projection, BFloat16Linear)


def test_float64_has_nothing_packed_in_fp32() -> None:
    model = tiny_model(accepted(MODELS["bahdanau"])).eval()
    kinds = [[type(each) for each in made.modules()] for made in (for_search(model, "fp32"), for_training(model))]
    assert kinds[0] == kinds[1]


@needs_int8
def test_8_bits_by_hand() -> None:
    """x = (127, -64): 1 stands for 1. w = (1.27, 0.02): 1 stands for 0.01. 0.01 (127 127 - 64 2) + 0.5 = 160.51."""
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.27, 0.02]]))
        linear.bias.fill_(0.5)
    packed = pack(linear, Int8Linear)
    with torch.inference_mode():
        torch.testing.assert_close(packed(torch.tensor([[127.0, -64.0]])), torch.tensor([[160.51]]))
        torch.testing.assert_close(packed(torch.zeros(3, 2)), torch.full((3, 1), 0.5))  # a row of zeros
        # (127, 0.4) has 0.4 rounded away, whatever else there is
        torch.testing.assert_close(packed(torch.tensor([[127.0, 0.4]])), torch.tensor([[161.79]]))


@needs_fbgemm
@torch.inference_mode()
def test_7_bits_by_hand() -> None:
    """x = (63, -32): 1 stands for 1. w as above: 0.01 (63 127 - 32 2) + 0.5 = 79.87."""
    linear = nn.Linear(2, 1)
    linear.weight.copy_(torch.tensor([[1.27, 0.02]]))
    linear.bias.fill_(0.5)
    packed = pack(linear, SevenBitLinear)
    torch.testing.assert_close(packed(torch.tensor([[63.0, -32.0]])), torch.tensor([[79.87]]))
    torch.testing.assert_close(packed(torch.zeros(3, 2)), torch.full((3, 1), 0.5))


ALL_LARGEST = """
import torch
from torch import nn
from nmt_attn.fast.packed import SevenBitLinear, adds_in_32_bits, pack
linear = nn.Linear(64, 40, bias=False)
with torch.no_grad():
    linear.weight.fill_(1.27)
packed = pack(linear, SevenBitLinear)
print(adds_in_32_bits(), packed(torch.full((7, 64), 63.0)).detach().unique().tolist(), torch.backends.quantized.engine)
"""


@needs_fbgemm
@needs_packed
def test_no_sum_of_7_bits_is_cut_where_there_are_16_for_it() -> None:
    """64 products of the largest numbers, 63 127 0.01 64 = 5120.64, on a CPU that may use AVX2 and no more."""
    environment = {**os.environ, **ONLY_AVX2}
    ran = subprocess.run(
        [sys.executable, "-c", ALL_LARGEST], env=environment, capture_output=True, text=True, check=True
    )
    is_whole, rest = ran.stdout.split(maxsplit=1)
    numbers, engine = rest.rsplit(maxsplit=1)
    assert is_whole == "False"
    assert [float(each) for each in numbers.strip("[]").split(",")] == pytest.approx([5120.64], rel=1e-6)
    assert engine == torch.backends.quantized.engine, "the engine of others stays"


@torch.inference_mode()
@pytest.mark.parametrize("kind", EIGHT_BITS)
def test_a_row_of_8_bits_does_not_depend_on_the_rows_beside_it(kind: type[PackedLinear]) -> None:
    generator = torch.Generator().manual_seed(3)
    packed = pack(nn.Linear(37, 53), kind)
    rows = torch.randn(2, 33, 37, generator=generator) * torch.logspace(-3, 3, 33).unsqueeze(1)
    together = packed(rows)
    assert together.shape == (2, 33, 53)
    for place, row in enumerate(rows.flatten(0, 1)):
        assert torch.equal(packed(row.unsqueeze(0))[0], together.flatten(0, 1)[place])


@needs_packed
@torch.inference_mode()
@pytest.mark.parametrize("kind", [None, Float32Linear, BFloat16Linear, *EIGHT_BITS])
@pytest.mark.parametrize("has_bias", [True, False])
def test_some_outputs_of_a_map_are_its_rows(kind: type[PackedLinear] | None, has_bias: bool) -> None:
    linear = nn.Linear(32, 11, bias=has_bias)
    whole = linear if kind is None else pack(linear, kind)
    inputs, first, second = torch.randn(5, 32), torch.tensor([9, 2, 4]), torch.tensor([0])
    joined = JoinedLinear(output_rows(whole, first), output_rows(whole, second))
    assert isinstance(joined.first, kind or nn.Linear)
    torch.testing.assert_close(joined(inputs), whole(inputs)[:, [9, 2, 4, 0]])
