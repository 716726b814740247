"""Without attention the model is torch's own recurrent networks, taught by force: encoder, decoder, loss, gradients."""

import pytest
import torch
from reference_runs import parameter_gradients, run_model
from tiny_models import accepted, tiny_batch, tiny_model
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt_attn.model.cells import RecurrentLayer
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.types import PAD, Batch

TORCH = {"gru": nn.GRU, "lstm": nn.LSTM}
NONE = {"attention.score": "none"}


def call(network: nn.RNNBase, weights: list[Tensor], *inputs: object) -> tuple[object, object]:
    """`network` with these weights in place of its own, so that gradients reach them."""
    flat = dict(zip((name for name, _ in network.named_parameters()), weights, strict=True))
    return torch.func.functional_call(network, flat, inputs)


def weights_of(inputs: nn.Linear, recurrent: nn.Linear) -> list[Tensor]:
    """W_ih, W_hh, b_ih, b_hh."""
    outer = inputs.bias
    return [inputs.weight, recurrent.weight, outer, recurrent.bias if recurrent.bias is not None else 0 * outer]


def torch_loss(model: Seq2Seq, cell: str, batch: Batch) -> Tensor:
    """One bidirectional encoder layer, a bridge, one decoder layer, h~ = tanh(W_c s), logits; by torch's modules."""
    directions = [direction.layer for direction in model.encoder.layers[0].directions]
    weights = [tensor for layer in directions for tensor in weights_of(layer.input_to_gates, layer.cell.recurrent)]
    encoder = TORCH[cell](4, 3, bidirectional=True, batch_first=True).double()
    packed = pack_padded_sequence(
        model.source_embedding(batch.src_ids), batch.src_lengths, batch_first=True, enforce_sorted=False
    )
    _, final = call(encoder, weights, packed)
    last = final if cell == "gru" else final[0]  # [2, B, 3]
    bridge = model.decoder.start_state.hidden[0].projection
    start = torch.tanh(bridge(torch.cat([last[0], last[1]], -1))).unsqueeze(0)  # [1, B, 5]
    decoder = TORCH[cell](7, 5, batch_first=True).double()
    decoder_weights = weights_of(model.decoder.embedding_to_gates, model.decoder.bottom.recurrent)
    first = start if cell == "gru" else (start, torch.zeros_like(start))
    states, _ = call(decoder, decoder_weights, model.target_embedding(batch.tgt_in), first)
    logits = model.output(torch.tanh(states @ model.decoder.attentional_state.projection.weight.T))
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch.tgt_out.flatten(), ignore_index=PAD, reduction="sum")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_plain_encoder_decoder_is_torchs(cell: str) -> None:
    keys = {**NONE, "decoder.style": "luong", "encoder.cell": cell, "decoder.cell": cell}
    model, batch = tiny_model(accepted(keys)), tiny_batch([5, 2, 4], [3, 4, 2])
    ours, theirs = run_model(model, batch).loss, torch_loss(model, cell, batch)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    pairs = zip(parameter_gradients(model, ours).values(), parameter_gradients(model, theirs).values(), strict=True)
    for our_gradient, their_gradient in pairs:
        torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("reverse_source", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_stacked_encoder_is_torchs_over_packed_sentences(cell: str, reverse_source: bool) -> None:
    keys = {"encoder.cell": cell, "encoder.layers": 2, "encoder.reverse_source": reverse_source}
    model, batch = tiny_model(accepted(keys)), tiny_batch([5, 2, 4], [3, 4, 2])
    ids = batch.src_ids.clone()
    if reverse_source:  # the words, not </s>
        for row, length in enumerate(batch.src_lengths):
            ids[row, : length - 1] = ids[row, : length - 1].flip(0)
    layers: list[RecurrentLayer] = [d.layer for layer in model.encoder.layers for d in layer.directions]
    weights = [tensor for layer in layers for tensor in weights_of(layer.input_to_gates, layer.cell.recurrent)]
    network = TORCH[cell](4, 3, num_layers=2, bidirectional=True, batch_first=True).double()
    packed = pack_padded_sequence(
        model.source_embedding(ids), batch.src_lengths, batch_first=True, enforce_sorted=False
    )
    outputs, final = call(network, weights, packed)
    states, _ = pad_packed_sequence(outputs, batch_first=True)
    memory = model.encode(batch.src_ids, batch.src_lengths)
    for row, length in enumerate(batch.src_lengths):
        written = [*reversed(range(length - 1)), length - 1] if reverse_source else list(range(length))
        torch.testing.assert_close(memory.encoder_states[row, :length], states[row, written], rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        [memory.final_hidden, memory.final_cell], [final] if cell == "gru" else list(final), strict=False
    ):
        by_layer = theirs.unflatten(0, (2, 2))  # [layers, directions, B, 3]
        for layer, end in enumerate(ours):
            torch.testing.assert_close(end, torch.cat([*by_layer[layer]], -1), rtol=1e-12, atol=1e-12)
