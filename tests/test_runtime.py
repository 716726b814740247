"""What `auto` chooses."""

import pytest
import torch

from nmt_attn.errors import ConfigError
from nmt_attn.runtime import choose_decoding_precision, choose_device, choose_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_takes_bf16_where_the_cpu_has_it(
    capabilities: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto", CPU) == expected
    assert choose_precision("auto", GPU) == torch.bfloat16
    assert choose_precision("fp32", GPU) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(ConfigError, match="expected a GPU for 'cuda', got a machine without one"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_vnni": True, "avx512_bf16": True}, "int8"),
        ({"avx_vnni": True}, "int8"),
        ({"avx512_bf16": True}, "bf16"),
        ({"avx2": True}, "fp32"),
    ],
)
def test_auto_decodes_in_the_fastest_format_of_the_cpu(
    capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert choose_decoding_precision("auto", CPU) == expected
    assert choose_decoding_precision("auto", GPU) == "fp32"
    assert choose_decoding_precision("bf16", GPU) == "bf16"
    assert choose_decoding_precision("fp32", CPU) == "fp32"


def test_8_bits_are_refused_where_they_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"search.precision: expected a CPU .* for 'int8', got device cuda"):
        choose_decoding_precision("int8", GPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    with pytest.raises(ConfigError, match=r"for 'int8', got a CPU without VNNI"):
        choose_decoding_precision("int8", CPU)
