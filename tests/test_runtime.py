"""What `auto` chooses."""

import pytest
import torch

from nmt_attn import runtime
from nmt_attn.errors import ConfigError
from nmt_attn.runtime import choose_decoding_precision, choose_device, choose_precision, cpu_has_bfloat16, use_tf32

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
    assert choose_precision("fp32", GPU) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16


@pytest.mark.parametrize(
    ("isa", "expected"), [("avx2", False), ("AVX512_CORE_VNNI", False), ("AVX512_CORE_BF16", True)]
)
def test_no_bfloat16_where_onednn_is_kept_from_it(isa: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be emulated: one product takes minutes."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert cpu_has_bfloat16() is expected


@pytest.mark.parametrize(("is_real", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bf16_where_the_gpu_has_it(
    is_real: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or is_real)
    assert choose_precision("auto", GPU) == expected
    assert choose_precision("tf32", GPU) == torch.float32
    with pytest.raises(ConfigError, match=r"^run\.precision: expected a GPU for 'tf32', got device cpu$"):
        choose_precision("tf32", CPU)


def test_tf32_is_off_unless_it_is_asked_for() -> None:
    kinds = torch.backends.cuda.matmul, torch.backends.cudnn.rnn
    for name, expected in (("tf32", "tf32"), ("fp32", "ieee"), ("auto", "ieee")):
        use_tf32(name)
        assert [kind.fp32_precision for kind in kinds] == [expected, expected]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cuda", "expected a GPU for 'cuda', got a machine without one"),
        ("cuda:1", "expected a GPU for 'cuda:1', got a machine without one"),
        ("mps", "expected 'auto', 'cpu', 'cuda' or 'cuda:N', got 'mps'"),
        ("cuda:x", "got 'cuda:x'"),
        ("cpu:1", "got 'cpu:1'"),
    ],
)
def test_a_device_that_is_not_there_is_refused(name: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime, "has_cuda", lambda: True)
    assert choose_device("auto") == CPU
    with pytest.raises(ConfigError, match=reason):
        choose_device(name)


def test_a_number_of_a_gpu_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="expected a GPU from cuda:0 to cuda:1, got 'cuda:2'"):
        choose_device("cuda:2")


def test_a_pytorch_without_cuda_beside_a_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime, "has_cuda", lambda: False)
    with pytest.raises(
        ConfigError, match=r"expected a PyTorch with CUDA for 'cuda', got one .* is built for CPUs alone"
    ):
        choose_device("cuda")
    monkeypatch.setattr(runtime, "has_nvidia_gpu", lambda: True)
    with pytest.warns(UserWarning, match="device: a GPU stays idle, as PyTorch .* is built for CPUs alone"):
        assert choose_device("auto") == CPU


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_vnni": True, "avx512_bf16": True}, "int8"),
        ({"avx_vnni": True}, "int8"),
        ({"avx512_bf16": True}, "bf16"),
        ({"avx2": True}, "int8"),
        ({}, "fp32"),
    ],
)
def test_auto_decodes_in_the_fastest_format_of_the_cpu(
    capabilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(runtime, "has_fbgemm", lambda: True)
    assert choose_decoding_precision("auto", CPU) == expected
    assert choose_decoding_precision("auto", GPU) == "fp32"
    assert choose_decoding_precision("bf16", GPU) == "bf16"
    assert choose_decoding_precision("fp32", CPU) == "fp32"


def test_8_bits_are_refused_where_they_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"search.precision: expected a CPU .* for 'int8', got device cuda"):
        choose_decoding_precision("int8", GPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    with pytest.raises(ConfigError, match=r"for 'int8', got a CPU without AVX2"):
        choose_decoding_precision("int8", CPU)
