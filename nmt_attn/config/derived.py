"""Sizes and rates that follow from the keys of `model`. Letters of shapes: nmt_attn/types.py."""

from typing import NamedTuple

from nmt_attn.config.model_section import DecoderConfig, EncoderConfig, ModelConfig


class DropoutRates(NamedTuple):
    """The rate at each place of one side."""

    embedding: float
    layer: float  # between layers
    output: float  # on what the output layer reads; 0 in the encoder


def encoder_directions(encoder: EncoderConfig) -> list[int]:
    """How many directions each layer has, bottom first."""
    if encoder.bidirectional == "bottom":
        return [2] + [1] * (encoder.layers - 1)
    return [2 if encoder.bidirectional else 1] * encoder.layers


def source_vector_size(encoder: EncoderConfig) -> int:
    """Size of what the encoder reads: word vector and, where they are not summed, those of the factors; 0 of none."""
    if encoder.layers == 0:
        return 0
    return encoder.embedding + (0 if encoder.factors == "sum" else sum(encoder.factors))


def encoder_sizes(encoder: EncoderConfig) -> list[int]:
    """What each layer gives, both directions together, bottom first. The last is M."""
    return [directions * encoder.hidden for directions in encoder_directions(encoder)]


def state_size(encoder: EncoderConfig) -> int:
    """M, the size of an encoder state; 0 where there is no source."""
    return encoder_sizes(encoder)[-1] if encoder.layers else 0


def transition_depths(side: EncoderConfig | DecoderConfig) -> list[int]:
    """How many cells in a row each layer has at a step, bottom first."""
    depth = side.transition_depth
    return [depth] * side.layers if isinstance(depth, int) else list(depth)


def start_layer(decoder_layer: int, model: ModelConfig) -> int | None:
    """The encoder layer from whose final state this layer of the decoder starts, both from 0; None for all layers.

    Where each layer has its own, the two stacks are put side by side at the top; where the decoder is the higher one,
    at the bottom, and what stands above the encoder starts from its top layer.
    """
    if model.decoder.init_reads == "all":
        return None
    if model.decoder.init_reads == "top":
        return model.encoder.layers - 1
    offset = max(0, model.encoder.layers - model.decoder.layers)
    return min(decoder_layer + offset, model.encoder.layers - 1)


def start_size(decoder_layer: int, model: ModelConfig) -> int:
    """Size of the final state that this layer of the decoder starts from; 0 where there is no source."""
    if model.encoder.layers == 0:
        return 0
    layer, sizes = start_layer(decoder_layer, model), encoder_sizes(model.encoder)
    return sum(sizes) if layer is None else sizes[layer]


def context_size(model: ModelConfig) -> int:
    """Size of the context: M, or 0 where the fixed vector reaches the decoder through its first state alone."""
    is_fed = model.attention.score != "none" or model.attention.fixed_context
    return state_size(model.encoder) if is_fed else 0


def readout_size(decoder: DecoderConfig) -> int:
    """Size of what the output layer reads."""
    return decoder.readout_hidden or decoder.hidden


def encoder_rates(encoder: EncoderConfig) -> DropoutRates:
    """Dropout of the encoder: `dropout` wherever no key of its own is set."""
    return DropoutRates(_rate(encoder.embedding_dropout, encoder), _rate(encoder.layer_dropout, encoder), 0.0)


def decoder_rates(decoder: DecoderConfig) -> DropoutRates:
    """Dropout of the decoder, likewise."""
    embedding, layer = _rate(decoder.embedding_dropout, decoder), _rate(decoder.layer_dropout, decoder)
    return DropoutRates(embedding, layer, _rate(decoder.output_dropout, decoder))


def _rate(own: float | None, section: EncoderConfig | DecoderConfig) -> float:
    return section.dropout if own is None else own
