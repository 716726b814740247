"""Packed matrices: linear maps of search on a CPU, in the layout and number format that multiply fastest.

    fp32   oneDNN's own layout of W. On CPUs for which MKL has no AVX-512 kernels, more than twice as fast as W x.
    bf16   W and x in bfloat16, sums in float32. The output layer stays fp32: rounded scores of words would tie.
    int8   W in 8 bits with a scale for each output, x in 8 bits with a scale for each row; whole sums in 32 bits.
           The result for a row does not depend on the rows beside it. Without VNNI x has 7 bits (`SevenBitLinear`).

fp32 covers float32 on x86 CPUs with AVX2, int8 the same CPUs, bf16 every device. A map without inputs stays plain, and
so do products that take a part of a matrix (gru-cho's U, concat's W_a). A matrix is packed when it is first used; for
inference alone. Near the plain maps, within what each format can hold: tests/fast/test_packed.py.
"""

from functools import cache, cached_property
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn

from nmt_attn.fast.views import Fast, view
from nmt_attn.runtime import cpu_has_packed_products

LARGEST = 127
"""Of 8 bits, with a sign."""
ZERO = 128
"""What stands for 0 where 8 bits have no sign: oneDNN's fast kernel takes unsigned inputs."""
LARGEST_OF_SEVEN, ZERO_OF_SEVEN = 63, 64
"""The same for 7 bits, of which two products, at most 2 x 127 x 127, fit into the 16 bits that AVX2 adds them in."""


class PackedLinear(Fast, nn.Linear):
    """Contract: W x [+ b] in at least float32 for any x [..., I]. `weight` is the model's own."""

    @classmethod
    def covers(cls, module: nn.Module) -> bool:
        return isinstance(module, nn.Linear) and module.in_features > 0

    @cached_property
    def packed(self) -> Any:
        """W as the product takes it."""
        raise NotImplementedError


class Float32Linear(PackedLinear):
    """The product in float32."""

    @classmethod
    def covers(cls, module: nn.Module) -> bool:
        if not isinstance(module, nn.Linear) or not super().covers(module):
            return False
        weight = module.weight
        return weight.device.type == "cpu" and weight.dtype == torch.float32 and cpu_has_packed_products()

    @cached_property
    def packed(self) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), None)
        return packed

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs.float(), self.packed, self.bias, "none", [], "")
        return outputs


class BFloat16Linear(PackedLinear):
    """The product in bfloat16, the bias added in float32."""

    @cached_property
    def packed(self) -> Tensor:
        return self.weight.detach().bfloat16()

    def forward(self, inputs: Tensor) -> Tensor:
        product = nn.functional.linear(inputs.bfloat16(), self.packed)
        return product.float() if self.bias is None else product + self.bias


class Int8Linear(PackedLinear):
    """The product in 8 bits: s_x s_w sum_j (x_j / s_x) (w_j / s_w), each s the greatest number of its row / 127."""

    @cached_property
    def scales(self) -> Tensor:
        """s_w [O]."""
        return _scales(self.weight.detach()).squeeze(1)

    @cached_property
    def packed(self) -> Tensor:
        whole_numbers = (self.weight.detach() / self.scales.unsqueeze(1)).round().to(torch.int8)
        packed: Tensor = torch.ops.onednn.qlinear_prepack(whole_numbers, None)
        return packed

    @cached_property
    def zeros(self) -> Tensor:
        """What 0 is in W [O]."""
        return torch.zeros(self.out_features, dtype=torch.int32)

    def forward(self, inputs: Tensor) -> Tensor:
        scales = _scales(inputs)
        numbers = torch.div(inputs, scales).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(ZERO)  # + 128
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers, 1.0, ZERO, self.packed, self.scales, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return product.mul_(scales) if self.bias is None else torch.addcmul(self.bias, product, scales, out=product)


class SevenBitLinear(PackedLinear):
    """As `Int8Linear` with inputs of 7 bits, their greatest number 63: exact where sums of two have only 16 bits.

    FBGEMM's product, which comes with torch. oneDNN's takes several times as long for few rows without VNNI.
    """

    @cached_property
    def packed(self) -> Any:
        weight, engine = self.weight.detach(), torch.backends.quantized.engine
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        with catch_warnings():  # that PyTorch means to drop this kind of tensor, the only one that FBGEMM packs
            simplefilter("ignore", UserWarning)
            numbers = torch.quantize_per_channel(weight, _scales(weight).squeeze(1).double(), zeros, 0, torch.qint8)
            torch.backends.quantized.engine = "fbgemm"
            try:
                return torch.ops.quantized.linear_prepack(numbers, None)
            finally:
                torch.backends.quantized.engine = engine

    def forward(self, inputs: Tensor) -> Tensor:
        scales = _scales(inputs, LARGEST_OF_SEVEN)
        product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            inputs / scales, 1.0, ZERO_OF_SEVEN, self.packed
        )
        return product.mul_(scales) if self.bias is None else torch.addcmul(self.bias, product, scales, out=product)


@cache
def adds_in_32_bits() -> bool:
    """Whether oneDNN adds products of 8 bits without cutting them: it has VNNI, and nobody keeps it from using that.

    Measured by one product of the largest numbers. Without VNNI, each sum of two is cut at 16 bits.
    """
    inputs = torch.full((1, 64), 2 * LARGEST + 1, dtype=torch.uint8)
    weight = torch.ops.onednn.qlinear_prepack(torch.full((64, 64), LARGEST, dtype=torch.int8), None)
    ones, zeros = torch.ones(64), torch.zeros(64, dtype=torch.int32)
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        inputs, 1.0, 0, weight, ones, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return bool((product == 64 * (2 * LARGEST + 1) * LARGEST).all())


def one_product(first: nn.Linear, second: PackedLinear) -> PackedLinear:
    """The map [x ; y] -> A x + a + B y of two maps, packed as the second is. The matrix [A B] is not kept."""
    whole = nn.Linear(first.in_features + second.in_features, first.out_features, device="meta")
    whole.weight = nn.Parameter(torch.cat([first.weight, second.weight], 1).detach(), requires_grad=False)
    whole.bias = first.bias
    packed = pack(whole, type(second))
    assert packed.packed is not None, "made here, before the matrix goes"
    del packed.weight
    return packed


def output_rows(output: nn.Linear, rows: Tensor) -> nn.Linear:
    """The map to the outputs `rows` [C] int64 of a linear map alone, in its number format."""
    part = nn.Linear(output.in_features, len(rows), bias=output.bias is not None, device="meta")
    part.weight = nn.Parameter(output.weight.detach().index_select(0, rows), requires_grad=False)
    if output.bias is not None:
        part.bias = nn.Parameter(output.bias.detach()[rows], requires_grad=False)
    return view(part, {nn.Linear: type(output)}) if isinstance(output, Fast) else part


def pack(linear: nn.Linear, kind: type[PackedLinear]) -> PackedLinear:
    """The same map in such a format, whatever it covers."""
    packed = view(linear, {type(linear): kind})
    assert isinstance(packed, PackedLinear), "covered"
    return packed


class JoinedLinear(nn.Module):
    """The outputs of two maps of the same inputs, side by side."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., I] -> [..., O_1 + O_2]."""
        return torch.cat([self.first(inputs), self.second(inputs)], -1)


def _scales(rows: Tensor, largest: int = LARGEST) -> Tensor:
    """[..., I] -> [..., 1], what 1 stands for in each row, whose greatest is `largest`; a row of zeros has one too."""
    return rows.abs().amax(-1, keepdim=True).clamp_min_(torch.finfo(rows.dtype).tiny * largest).div_(largest)
