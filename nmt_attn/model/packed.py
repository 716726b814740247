"""Packed models: the same equations for decoding on a CPU, with the matrices packed once for the road that multiplies
fastest.

    fp32   oneDNN's own layout of W. On CPUs for which MKL has no AVX-512 road, more than twice as fast as W x.
    bf16   W and x in bfloat16, sums in float32. The output layer stays fp32: rounded scores of words would tie.
    int8   W in 8 bits with a scale for each output, x in 8 bits with a scale for each row; whole sums in 32 bits.
           What becomes of a row does not depend on the rows beside it.

In all of them an encoder's LSTM is oneDNN's own, float32: nmt_attn/model/fused_lstm.py.
Only what `encode`, `start` and `step` do is packed; parameters it has are the model's, not copies. Products that
take a part of a matrix (gru-cho's U, concat's W_a) stay as they are. A packed model is for inference alone.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn.model.cells import LSTM, Cell, RecurrentLayer
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.encoder import Direction
from nmt_attn.model.fused_lstm import FusedDirection
from nmt_attn.model.projection import GateProjection
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import CellState
from nmt_attn.model.word_maps import MOST_NUMBERS, Columns, WordMaps
from nmt_attn.runtime import DecodingPrecision, cpu_has_packed_products

LARGEST = 127
"""Of 8 bits, with a sign."""
ZERO = 128
"""What stands for 0 where 8 bits have no sign: oneDNN's fast road wants its inputs so."""


class PackedLinear(nn.Module):
    """Contract: W x [+ b] in at least float32 for any x [..., I]. `weight` is the model's own, for whoever reads it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., I] -> [..., O] float32."""
        raise NotImplementedError


class Float32Linear(PackedLinear):
    """The product in float32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs.float(), self.packed, self.bias, "none", [], "")
        return outputs


class BFloat16Linear(PackedLinear):
    """The product in bfloat16, the bias added in float32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.packed = linear.weight.detach().bfloat16()

    def forward(self, inputs: Tensor) -> Tensor:
        product = nn.functional.linear(inputs.bfloat16(), self.packed)
        return product.float() if self.bias is None else product + self.bias


class Int8Linear(PackedLinear):
    """The product in 8 bits: s_x s_w sum_j (x_j / s_x) (w_j / s_w), each s the greatest number of its row / 127."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        weight = linear.weight.detach()
        self.scales = _scales(weight).squeeze(1)
        self.packed = torch.ops.onednn.qlinear_prepack((weight / self.scales.unsqueeze(1)).round().to(torch.int8), None)
        self.zeros = torch.zeros(linear.out_features, dtype=torch.int32)

    def forward(self, inputs: Tensor) -> Tensor:
        scales = _scales(inputs)
        numbers = torch.div(inputs, scales).round_().to(torch.int8).view(torch.uint8).bitwise_xor_(ZERO)  # + 128
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            numbers, 1.0, ZERO, self.packed, self.scales, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return product.mul_(scales) if self.bias is None else torch.addcmul(self.bias, product, scales, out=product)


class JoinedLinear(nn.Module):
    """The outputs of two maps of the same inputs, side by side."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., I] -> [..., O_1 + O_2]."""
        return torch.cat([self.first(inputs), self.second(inputs)], -1)


class PackedCell(nn.Module):
    """A cell whose whole sequences go through its packed matrix too, where `Cell.sequence` takes the matrix itself."""

    loop = None  # training's loop by hand has no part here

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.hidden, self.gates, self.has_cell = cell.hidden, cell.gates, cell.has_cell

    def forward(self, gate_inputs: Tensor, state: CellState) -> CellState:
        """One step."""
        after: CellState = self.cell(gate_inputs, state)
        return after

    def sequence(self, gate_inputs: Tensor, state: CellState) -> tuple[Tensor, Tensor | None]:
        """gate inputs [B, T, G x H], first state -> hidden [B, T, H] and, for an LSTM, cell [B, T, H] at every step."""
        states = []
        for step_inputs in gate_inputs.unbind(1):
            state = self(step_inputs, state)
            states.append(state)
        cells = [each.cell for each in states if each.cell is not None]
        return torch.stack([each.hidden for each in states], 1), torch.stack(cells, 1) if cells else None


def pack(model: Seq2Seq, precision: DecodingPrecision) -> Seq2Seq:
    """A model for `encode`, `start` and `step` that takes its products so; the model itself where that gains nothing.

    What it has of parameters is the model's own. Expects an evaluated model; `int8` expects a CPU that has it.
    """
    kinds = _kinds(model.output.weight, precision)
    if kinds is None:
        return model
    shared: dict[int, object] = {id(parameter): parameter for parameter in model.parameters()}
    packed = copy.deepcopy(model, shared)
    on_cpu = model.output.weight.device.type == "cpu"
    if on_cpu and model.output.weight.dtype == torch.float32:
        _fuse(packed)
    done = _join(packed.decoder, kinds.inner)
    for module in list(packed.modules()):
        for name, child in module.named_children():
            kind = kinds.output if child is packed.output else kinds.inner
            if child in done:
                continue
            if isinstance(child, nn.Linear) and child.in_features > 0 and kind is not None:
                setattr(module, name, kind(child))
            elif isinstance(child, Cell):
                setattr(module, name, PackedCell(child))
    if on_cpu:  # a GPU would be waited for at every step, to see which words are new
        _keep_words(packed)
    return packed


def _fuse(packed: Seq2Seq) -> None:
    """Has each LSTM of the encoder run in one call, in float32 whatever other products are in."""
    for module in list(packed.encoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, Direction) and isinstance(child.layer.cell, LSTM):
                setattr(module, name, FusedDirection(child))


def _join(decoder: Decoder, kind: type[PackedLinear]) -> set[nn.Module]:
    """Makes one product of what enters a cell of the decoder and its last state; gives back the maps it stands for."""
    owners: list[tuple[Decoder | RecurrentLayer, Cell, GateProjection | None]]
    owners = [(each, each.cell, each.input_to_gates) for each in decoder.modules() if isinstance(each, RecurrentLayer)]
    done: set[nn.Module] = set()
    for owner, cell, entering in [(decoder, decoder.bottom, decoder.entering), *owners]:
        if entering is not None and cell.is_sum:
            owner.joined = kind(_side_by_side(entering, cell.recurrent))
            del owner.joined.weight  # a copy that nobody reads
            done |= {entering, cell.recurrent, cell}
    return done


def _keep_words(packed: Seq2Seq) -> None:
    """Has the maps of the last word's vector looked up, if they are not too large."""
    decoder = packed.decoder
    places: list[tuple[nn.Module, str]] = [(decoder, "embedding_to_gates")]
    readout = getattr(decoder, "readout", None)
    if readout is not None:
        places.append((readout, "embedding_projection"))
    maps = [getattr(owner, name) for owner, name in places]
    size = sum(each.out_features for each in maps)
    if packed.target_embedding.num_embeddings * size > MOST_NUMBERS:
        return
    first = 0
    for (owner, name), each in zip(places, maps, strict=True):
        setattr(owner, name, Columns(first, each.out_features))
        first += each.out_features
    packed.register_module("target_embedding", WordMaps(packed.target_embedding, maps, size))


def _side_by_side(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """The map [x ; y] -> A x + a + B y of two maps; neither is copied but in this one."""
    joined = nn.Linear(first.in_features + second.in_features, first.out_features, device="meta")
    joined.weight = nn.Parameter(torch.cat([first.weight, second.weight], 1).detach(), requires_grad=False)
    joined.bias = first.bias
    return joined


def output_rows(output: nn.Module, rows: Tensor) -> nn.Module:
    """The map to the outputs `rows` [C] int64 of a linear map alone, in its number format."""
    assert isinstance(output, nn.Linear | PackedLinear), "packed or not"
    part = nn.Linear(output.in_features, len(rows), bias=output.bias is not None, device="meta")
    part.weight = nn.Parameter(output.weight.detach().index_select(0, rows), requires_grad=False)
    if output.bias is not None:
        part.bias = nn.Parameter(output.bias.detach()[rows], requires_grad=False)
    return type(output)(part) if isinstance(output, PackedLinear) else part


class _Kinds(NamedTuple):
    """What takes the place of linear maps; None: they stay."""

    inner: type[PackedLinear]
    output: type[PackedLinear] | None


def _kinds(weight: Tensor, precision: DecodingPrecision) -> _Kinds | None:
    """For a model with weights like this one; None: it stays as it is."""
    on_cpu = weight.device.type == "cpu"
    plain = Float32Linear if on_cpu and cpu_has_packed_products() and weight.dtype == torch.float32 else None
    if precision == "fp32":
        return None if plain is None else _Kinds(plain, plain)
    return _Kinds(BFloat16Linear, plain) if precision == "bf16" else _Kinds(Int8Linear, Int8Linear)


def _scales(rows: Tensor) -> Tensor:
    """[..., I] -> [..., 1], what 1 of 8 bits stands for in each row; a row of zeros has some scale too."""
    return rows.abs().amax(-1, keepdim=True).clamp_min_(torch.finfo(rows.dtype).tiny * LARGEST).div_(LARGEST)
