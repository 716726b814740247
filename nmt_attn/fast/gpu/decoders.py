"""Decoders over a whole target on a GPU: the loops of nmt_attn/fast/gpu/loops.py where they cover a decoder.

They cover one layer of a GRU, gru-cho or LSTM, a global window and every score that can be taken apart; Luong's order
without feeding needs none of them. Everything else runs by the decoder's own `forward`, which defines the result.
"""

import torch
from torch import Tensor

from nmt_attn.fast.gpu.cell_loops import GPU_CELLS
from nmt_attn.fast.gpu.loops import LoopCell, LoopOutput, LoopScore, bahdanau, conditional, luong
from nmt_attn.model.attention import Attention
from nmt_attn.model.bahdanau import Advanced, BahdanauDecoder
from nmt_attn.model.cells import Cell
from nmt_attn.model.conditional import ConditionalDecoder
from nmt_attn.model.decoder import Decoder
from nmt_attn.model.luong import LuongDecoder
from nmt_attn.model.products import product_dtype
from nmt_attn.model.state import CellState, DecoderState, Memory, Weights


def forward_bahdanau(
    decoder: BahdanauDecoder, embedded: Tensor, state: DecoderState, memory: Memory
) -> tuple[Tensor, Weights] | None:
    """As `decoder.forward`; None where no loop covers it."""
    score = loop_score(decoder, memory)
    if score is None or decoder.upper:
        return None
    cell = loop_cell(decoder.bottom, decoder.embedding_to_gates(embedded), state.layers[0])
    low = product_dtype(decoder.context_to_gates.weight)
    looped = bahdanau(cell, decoder.context_to_gates.weight, score, memory.encoder_states, memory.mask, low)
    before = torch.cat([state.feed.unsqueeze(1).to(low), looped.outputs[:, :-1]], 1)
    read = decoder._read(Advanced(before, looped.outputs, looped.contexts), embedded)
    return decoder.output_dropout(read), Weights(looped.weights, None, memory.mask.shape[1])


def forward_conditional(
    decoder: ConditionalDecoder, embedded: Tensor, state: DecoderState, memory: Memory
) -> tuple[Tensor, Weights] | None:
    """As `decoder.forward`; None where no loop covers it. Layers above the bottom run over its whole output."""
    score = loop_score(decoder, memory)
    if score is None or type(decoder.second.cell) is not type(decoder.bottom):
        return None
    cell = loop_cell(decoder.bottom, decoder.embedding_to_gates(embedded), state.layers[0])
    to_gates = decoder.second.input_to_gates
    second = decoder.second.cell.recurrent
    other = cell._replace(inputs=to_gates.bias, weight=second.weight, bias=second.bias)
    low = product_dtype(to_gates.weight)
    looped = conditional(cell, other, to_gates.weight, score, memory.encoder_states, memory.mask, low)
    top = decoder.climb_sequence(looped.outputs, state.layers[1:])
    read = decoder.readout(top, embedded, looped.contexts)
    return decoder.output_dropout(read), Weights(looped.weights, None, memory.mask.shape[1])


def forward_luong(
    decoder: LuongDecoder, embedded: Tensor, state: DecoderState, memory: Memory
) -> tuple[Tensor, Weights] | None:
    """As `decoder.forward`; None where no loop covers it, or nothing is fed."""
    score = loop_score(decoder, memory)
    if score is None or decoder.upper or decoder.feeding.size == 0:
        return None
    gates, attentional_state = decoder.embedding_to_gates(embedded), decoder.attentional_state
    noise = attentional_state.dropout.noise(gates, decoder.bottom.hidden)
    output = LoopOutput(
        feeds_attentional=decoder.feeding.is_attentional,
        has_tanh=attentional_state.has_tanh,
        noise=noise,
        feed_weight=decoder.feed_to_gates.weight,
        feed=state.feed,
        weight=attentional_state.projection.weight,
        bias=attentional_state.projection.bias,
    )
    cell = loop_cell(decoder.bottom, gates, state.layers[0])
    low = product_dtype(output.weight)
    looped = luong(cell, output, score, memory.encoder_states, memory.mask, low)
    attentional = looped.outputs if noise is None else looped.outputs * noise
    read = decoder._read(attentional, embedded, looped.contexts)
    return decoder.output_dropout(read), Weights(looped.weights, None, memory.mask.shape[1])


def loop_cell(cell: Cell, gate_inputs: Tensor, state: CellState) -> LoopCell:
    """Gate inputs [B, T, G x H], first state."""
    recurrent = cell.recurrent
    return LoopCell(GPU_CELLS[type(cell)], gate_inputs.transpose(0, 1), *state, recurrent.weight, recurrent.bias)


def loop_score(decoder: Decoder, memory: Memory) -> LoopScore | None:
    """The score for a loop, if cell, window and score allow one."""
    if type(decoder.bottom) not in GPU_CELLS or not isinstance(decoder.attention, Attention):
        return None
    score = None if decoder.attention.window.is_local else decoder.attention.score.take_apart(memory.keys)
    return None if score is None else LoopScore(*score)
