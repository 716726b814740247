"""The accelerated form of a model for search: its matrices packed, words looked up, the encoder's LSTM in one call.

Only `encode`, `start`, `step` and `step_readout` are accelerated. Every number format: nmt_attn/fast/packed.py. Where
fp32 has nothing to pack (float64, a GPU, a CPU without oneDNN), the form is that of training.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from nmt_attn.fast.gpu.lowered import lowered
from nmt_attn.fast.packed import BFloat16Linear, Float32Linear, Int8Linear, SevenBitLinear, adds_in_32_bits
from nmt_attn.fast.training import PARTS, for_training, runs_on_gpu
from nmt_attn.fast.views import Fast, Forms, view
from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.cells import LSTM
from nmt_attn.model.conditional import ConditionalDecoder
from nmt_attn.model.copying import PointerGenerator
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.deep_context import BahdanauDeepContext, LuongDeepContext
from nmt_attn.model.encoder import Direction, reverse
from nmt_attn.model.initialise import GateProjection, Projection
from nmt_attn.model.luong import AttentionalState, LuongDecoder, TopState
from nmt_attn.model.marginal import MarginalSeq2Seq
from nmt_attn.model.readout import Deep, Linear, Maxout, Readout, State, StateDeep, StateLinear
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import gather_last
from nmt_attn.runtime import DecodingPrecision
from nmt_attn.types import length_mask

MOST_NUMBERS = 1 << 25
"""Numbers that may be kept for all words together: 128 MiB."""
SHUT = 1000.0
"""What closes or opens a gate whatever else reaches it: the sigmoid is 0 or 1 exactly."""


def for_search(model: Seq2Seq, precision: DecodingPrecision) -> Seq2Seq:
    """A view of the model in evaluation mode, for inference; its products are taken in `precision`.

    Its parameters are the model's own, its packed matrices are not: after a change of weights, make a new one. `int8`
    needs a CPU that has it (nmt_attn/runtime.py: choose_decoding_precision).
    """
    if precision == "bf16" and runs_on_gpu(model.output.weight.device):
        return for_training(model) if isinstance(model, MarginalSeq2Seq) else lowered(model)
    if precision == "fp32" and not Float32Linear.covers(model.output):
        return for_training(model)
    forms = SEVEN_BITS if precision == "int8" and not adds_in_32_bits() else SEARCH[precision]
    return view(model, forms, looked_up(model, forms))


def looked_up(model: Seq2Seq, forms: Forms) -> dict[nn.Module, nn.Module]:
    """The target embedding and the maps of the last word alone, with their replacements; none if they are too large.

    Covers the decoders and readouts of this package, on a CPU: a GPU would be synchronised at every step to see which
    words are new.
    """
    maps = _word_maps(model.decoder) if model.output.weight.device.type == "cpu" else []
    size = sum(each.out_features for each in maps)
    if not maps or model.target_embedding.num_embeddings * size > MOST_NUMBERS:
        return {}
    made: dict[nn.Module, nn.Module] = {}
    first = 0
    for each in maps:
        made[each] = Columns(first, each.out_features)
        first += each.out_features
    made[model.target_embedding] = WordMaps(model.target_embedding, [view(each, forms) for each in maps], size)
    return made


def _word_maps(decoder: Decoder) -> list[nn.Linear]:
    """All maps through which `decoder` sees the last word; empty if it is of a class that is not known here."""
    if type(decoder) not in KNOWN_DECODERS:
        return []
    assert isinstance(decoder, BahdanauDecoder | ConditionalDecoder | LuongDecoder)
    readout: Readout | None = decoder.readout
    attentional = decoder.attentional_state if isinstance(decoder, LuongDecoder) else None
    parts = [part for part in (readout, decoder.copying, attentional) if type(part) not in BLIND_PARTS]
    if any(type(part) not in KNOWN_PARTS for part in parts):
        return []
    return [decoder.embedding_to_gates, *(cast(Linear, part).embedding_projection for part in parts)]


class WordMaps(nn.Module):
    """Stands for an embedding [V, E]: ids -> the outputs of `maps`, side by side.

    A decoder sees a word by W y (its gates) and perhaps V_o y (its readout), with y the word's vector. Both are
    computed once for each word that search meets, and then looked up. Memory is touched for those words alone.
    """

    def __init__(self, embedding: nn.Embedding, maps: Sequence[nn.Module], size: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.maps = nn.ModuleList(maps)
        self.rows = torch.empty(embedding.num_embeddings, size)
        self.is_known = torch.zeros(embedding.num_embeddings, dtype=torch.bool)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [...] int64 -> [..., sum of the maps' sizes]."""
        is_known = self.is_known[ids]
        if not bool(is_known.all()):
            self._compute(ids[~is_known].unique())
        return nn.functional.embedding(ids, self.rows)

    def _compute(self, ids: Tensor) -> None:
        vectors = self.embedding(ids)
        self.rows[ids] = torch.cat([each(vectors) for each in self.maps], -1)
        self.is_known[ids] = True


class Columns(nn.Module):
    """Stands for one of the maps: its part of what `WordMaps` gives."""

    def __init__(self, first: int, size: int) -> None:
        super().__init__()
        self.first = first
        self.size = size

    def forward(self, rows: Tensor) -> Tensor:
        """[..., all maps] -> [..., size]."""
        return rows.narrow(-1, self.first, self.size)


class FusedDirection(Fast, Direction):
    """An LSTM over whole sentences in one call, torch's own, which oneDNN runs: float32 on a CPU.

    That gives back the states of every step but only the last cell state, which must be that of each sentence's own
    last token. So padding is marked by one more input, whose weights close the input gate and open the forget gate: the
    cell state then stays as it is.
    """

    @classmethod
    def covers(cls, module: nn.Module) -> bool:
        if not isinstance(module, Direction) or type(module.layer.cell) is not LSTM:
            return False
        weight = module.layer.input_to_gates.weight
        return weight.device.type == "cpu" and weight.dtype == torch.float32

    @cached_property
    def weights(self) -> list[Tensor]:
        """W with the column of padding, U, and both biases."""
        to_gates, recurrent = self.layer.input_to_gates, self.layer.cell.recurrent
        hidden = self.layer.cell.hidden
        weight, bias = to_gates.weight.detach(), to_gates.bias.detach()
        of_padding = weight.new_zeros(4, hidden, 1)  # i, f, g, o
        of_padding[0], of_padding[1] = -SHUT, SHUT
        whole = torch.cat([weight, of_padding.flatten(0, 1)], 1)
        return [whole, recurrent.weight.detach(), bias, torch.zeros_like(bias)]

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        if self.is_backward:
            inputs = reverse(inputs, lengths)
        rows, steps, _ = inputs.shape
        is_padding = ~length_mask(lengths, steps)
        marked = torch.cat([inputs, is_padding.unsqueeze(2).to(inputs.dtype)], -1)
        zeros = inputs.new_zeros(1, rows, self.layer.cell.hidden)
        states, _, cell = torch.lstm(
            marked,
            (zeros, zeros),
            self.weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=False,
            bidirectional=False,
            batch_first=True,
        )
        final = gather_last(states, lengths)
        return (reverse(states, lengths) if self.is_backward else states), final, cell[0]


KNOWN_DECODERS = (BahdanauDecoder, BahdanauDeepContext, ConditionalDecoder, LuongDecoder, LuongDeepContext)
"""Which see the last word by `embedding_to_gates` and these parts:"""
BLIND_PARTS = (type(None), State, StateLinear, StateDeep, AttentionalState, TopState)
"""Which do not see the last word."""
KNOWN_PARTS = (Linear, Deep, Maxout, PointerGenerator)
"""Which see the last word by their `embedding_projection` alone."""
INNER = (Projection, GateProjection)
SEARCH: dict[DecodingPrecision, Forms] = {
    "fp32": {**PARTS, Direction: FusedDirection, **dict.fromkeys((*INNER, nn.Linear), Float32Linear)},
    "bf16": {**PARTS, Direction: FusedDirection, **dict.fromkeys(INNER, BFloat16Linear), nn.Linear: Float32Linear},
    "int8": {**PARTS, Direction: FusedDirection, **dict.fromkeys((*INNER, nn.Linear), Int8Linear)},
}
"""In each number format; only the output layer is an `nn.Linear` and no more."""
SEVEN_BITS: Forms = {**SEARCH["int8"], **dict.fromkeys((*INNER, nn.Linear), SevenBitLinear)}
"""int8 on a CPU without VNNI."""
