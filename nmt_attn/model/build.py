"""Builds the model that `config.model` describes. The one file that reads it.

Which parts there are stands in nmt_attn/registries.py. A new score, window or initial state is one class, a new
decoder one class and a function here, and each one line there.
"""

from collections.abc import Callable, Mapping

from torch import nn

from nmt_attn import registries
from nmt_attn.config.derived import (
    context_size,
    decoder_rates,
    encoder_directions,
    encoder_rates,
    readout_size,
    source_vector_size,
    start_layer,
    start_size,
    state_size,
    transition_depths,
)
from nmt_attn.config.model_section import AttentionConfig, DecoderConfig, EncoderConfig, ModelConfig
from nmt_attn.model.attention import Attention, CoveredAttention, NoAttention, ProjectedNoAttention
from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.cells import CELLS, Cell
from nmt_attn.model.conditional import ConditionalDecoder
from nmt_attn.model.context_gate import CONTEXT_GATES
from nmt_attn.model.copying import COPYINGS, CopyingSeq2Seq
from nmt_attn.model.coverage import COVERAGES, CoverageSizes
from nmt_attn.model.decoder import Decoder, DecoderParts
from nmt_attn.model.deep_context import BahdanauDeepContext, LuongDeepContext
from nmt_attn.model.deep_transition import in_a_row
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.encoder import AlternatingLayer, Encoder, EncoderLayer, SeparateLayer
from nmt_attn.model.factors import FactoredEmbedding
from nmt_attn.model.hard_attention import HardAttention, HardSeq2Seq
from nmt_attn.model.initial_state import (
    ACTIVATIONS,
    INITIAL_CELL_STATES,
    INITIAL_STATES,
    InitialState,
    StartSizes,
    StartState,
)
from nmt_attn.model.initialise import INITIALISATIONS, zero_padding
from nmt_attn.model.luong import AttentionalState, Feeding, GatedState, LuongDecoder, TopState
from nmt_attn.model.normalise import NORMALISERS
from nmt_attn.model.readout import READOUTS, Readout, UnbiasedOutput
from nmt_attn.model.scores import SCORES, ConcatIdentity, ScoreSizes, TanhScore
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.transitions import TRANSITIONS, TransitionSizes
from nmt_attn.model.windows import WINDOWS, LocalPMatlab, WindowSizes
from nmt_attn.registry import Registry, reads
from nmt_attn.types import PAD


def build_model(
    config: ModelConfig, source_size: int, target_size: int, positions: int, factors: Mapping[str, int] | None = None
) -> Seq2Seq:
    """A new model, its weights drawn from torch's random state.

    Sizes of the two vocabularies, and of the source's `factors` by name; `positions` are the source positions that
    the location score can see by default.
    """
    encoder = build_encoder(config)
    decoder = DECODERS[config.decoder.style](config, positions)
    tied = config.tie
    target_embedding = nn.Embedding(target_size, config.decoder.embedding, padding_idx=PAD)
    source_embedding = _source_embedding(config.encoder, source_size, factors or {})
    output = (nn.Linear if config.decoder.output_bias else UnbiasedOutput)(readout_size(config.decoder), target_size)
    if tied in ("source-target", "all"):
        source_embedding.weight = target_embedding.weight
    if tied in ("target-output", "all"):
        output.weight = target_embedding.weight
    model = _kind(config)(
        source_embedding,
        encoder,
        target_embedding,
        decoder,
        output,
        NORMALISERS[config.decoder.normalise](),
        source_dropout=_dropout(config, encoder_rates(config.encoder).embedding),
        target_dropout=_dropout(config, decoder_rates(config.decoder).embedding),
        attends_eos=config.attention.attend_eos,
    )
    INITIALISATIONS[config.initialisation](config.initial_range, config.word_deviation).initialise(model)
    zero_padding(model)
    return model


def _kind(config: ModelConfig) -> type[Seq2Seq]:
    if config.decoder.copying != "none":
        return CopyingSeq2Seq
    return Seq2Seq if config.attention.alignment == "soft" else HardSeq2Seq


def _source_embedding(encoder: EncoderConfig, words: int, factors: Mapping[str, int]) -> nn.Embedding:
    if not factors:
        return nn.Embedding(words, source_vector_size(encoder), padding_idx=PAD)
    return FactoredEmbedding(words, encoder.embedding, factors, None if encoder.factors == "sum" else encoder.factors)


def build_encoder(config: ModelConfig) -> Encoder:
    """The stack; its first layer reads word vectors, the others the layer below."""
    encoder = config.encoder
    layers: list[EncoderLayer] = []
    inputs = source_vector_size(encoder)
    above = {"separate": SeparateLayer, "alternating": AlternatingLayer}.get(str(encoder.bidirectional), EncoderLayer)
    for directions, depth in zip(encoder_directions(encoder), transition_depths(encoder), strict=True):
        cells = [_cell(encoder, depth) for _ in range(directions)]
        layers.append((above if layers else EncoderLayer)(cells, inputs))
        inputs = directions * encoder.hidden
    dropout = _dropout(config, encoder_rates(encoder).layer)
    return Encoder(
        layers,
        dropout,
        is_residual=encoder.residual,
        is_reversed=encoder.reverse_source,
        reads_eos=encoder.reads_eos,
    )


def build_attention(config: ModelConfig, positions: int) -> Attention | NoAttention:
    """The link between the sides."""
    attention, hidden = config.attention, config.decoder.hidden
    encoder_size = state_size(config.encoder)  # M
    if attention.score == "none":
        return (ProjectedNoAttention if attention.fixed_context == "projected" else NoAttention)(context_size(config))
    inner = attention.hidden or hidden
    is_identity = attention.score == "concat" and attention.concat_keys == "identity"
    score = ConcatIdentity if is_identity else SCORES[attention.score]
    sizes = ScoreSizes(
        decoder=hidden,
        encoder=encoder_size,
        hidden=inner,
        positions=attention.max_positions or positions,
        use_bias=attention.bias,
        project=attention.project,
    )
    is_matlab = attention.window == "local-p" and attention.position == "nmt.matlab"
    window = (LocalPMatlab if is_matlab else WINDOWS[attention.window])(_window_sizes(attention, hidden))
    part, normaliser = score(sizes), NORMALISERS[attention.normalise]()
    if attention.alignment != "soft":
        transition = TRANSITIONS[attention.alignment](TransitionSizes(hidden, encoder_size, attention.jump))
        return HardAttention(part, window, encoder_size, transition)
    if attention.coverage == "none":
        return Attention(part, window, encoder_size, normaliser)
    assert isinstance(part, TanhScore), "coverage enters no other score"
    inside = encoder_size if is_identity else inner
    covered = CoverageSizes(hidden, encoder_size, inside, attention.coverage_size, attention.fertility)
    return CoveredAttention(part, window, encoder_size, normaliser, COVERAGES[attention.coverage](covered))


def _window_sizes(config: AttentionConfig, hidden: int) -> WindowSizes:
    return WindowSizes(
        decoder=hidden,
        hidden=config.hidden or hidden,
        half_width=config.half_width,
        sigma=config.sigma or config.half_width / 2,
        renormalise=config.renormalise,
    )


def build_start_state(config: ModelConfig) -> StartState:
    """The decoder's first state, a part for each layer."""
    decoder = config.decoder

    def parts(kind: type[InitialState]) -> list[InitialState]:
        layers = [kind(_start_sizes(layer, config)) for layer in range(decoder.layers)]
        for layer in layers[1:] if decoder.init_shared else []:
            layer.share(layers[0])
        return layers

    hidden = parts(INITIAL_STATES[decoder.init])
    has_cell, copies = CELLS[decoder.cell].has_cell, decoder.init_cell == "copy"
    cell = parts(INITIAL_CELL_STATES[decoder.init_cell]) if has_cell and not copies else None
    return StartState(hidden, cell, copies_hidden=has_cell and copies)


def _start_sizes(layer: int, config: ModelConfig) -> StartSizes:
    encoder, decoder = config.encoder, config.decoder
    return StartSizes(
        layer=start_layer(layer, config),
        final=start_size(layer, config),
        top=state_size(encoder),
        direction=encoder.hidden,
        decoder=decoder.hidden,
        activation=ACTIVATIONS[decoder.init_activation],
    )


@reads("readout_state")
def build_bahdanau(config: ModelConfig, positions: int) -> Decoder:
    """Attend with the previous state, then update."""
    decoder, parts = config.decoder, _parts(config, positions)
    kind = BahdanauDeepContext if parts.deep_context else BahdanauDecoder
    return kind(parts, _readout(decoder, parts), reads_previous=decoder.readout_state == "previous")


def build_conditional(config: ModelConfig, positions: int) -> Decoder:
    """Update, attend, update again."""
    decoder, parts = config.decoder, _parts(config, positions)
    second, *upper = parts.cells
    parts = parts._replace(cells=[_cell(decoder, 1), *upper])
    return ConditionalDecoder(parts, second, _readout(decoder, parts))


@reads(
    "input_feeding",
    "attentional_state",
    "attentional_activation",
    "attentional_bias",
    "attentional_dropout",
    "context_gate",
)
def build_luong(config: ModelConfig, positions: int) -> Decoder:
    """Update, then attend with the new state."""
    decoder, parts = config.decoder, _parts(config, positions)
    readout = None if decoder.readout == "linear" else _readout(decoder, parts)
    kind = LuongDeepContext if parts.deep_context else LuongDecoder
    return kind(parts, _attentional_state(config, parts), _feeding(decoder, parts), readout)


def _attentional_state(config: ModelConfig, parts: DecoderParts) -> AttentionalState:
    decoder = config.decoder
    dropout = _dropout(config, decoder.attentional_dropout)
    if not decoder.attentional_state:
        return TopState(dropout)
    has_tanh, use_bias = decoder.attentional_activation == "tanh", decoder.attentional_bias
    context, hidden = parts.attention.context_size, decoder.hidden
    if decoder.context_gate == "none":
        return AttentionalState(context, hidden, dropout, has_tanh=has_tanh, use_bias=use_bias)
    gate = CONTEXT_GATES[decoder.context_gate](decoder.embedding + _feeding(decoder, parts).size + hidden, hidden)
    return GatedState(context, hidden, dropout, gate, has_tanh=has_tanh, use_bias=use_bias)


def _parts(config: ModelConfig, positions: int) -> DecoderParts:
    decoder, rates = config.decoder, decoder_rates(config.decoder)
    attention, copies = build_attention(config, positions), decoder.copying != "none"
    sizes = (attention.context_size, decoder.hidden, decoder.embedding)
    return DecoderParts(
        attention,
        build_start_state(config),
        [_cell(decoder, depth) for depth in transition_depths(decoder)],
        decoder.embedding,
        _dropout(config, rates.layer),
        _dropout(config, rates.output),
        is_residual=decoder.residual,
        copying=COPYINGS[decoder.copying](*sizes) if copies else None,
        deep_context=decoder.deep_context,
    )


def _cell(side: EncoderConfig | DecoderConfig, depth: int) -> Cell:
    """That of one layer and direction, `depth` in a row."""
    return in_a_row([CELLS[side.cell](side.hidden) for _ in range(depth)])


def _dropout(config: ModelConfig, rate: float) -> Dropout:
    return Dropout(rate, per_sentence=config.dropout_mask == "sentence")


def _readout(config: DecoderConfig, parts: DecoderParts) -> Readout:
    context = parts.attention.context_size
    return READOUTS[config.readout](config.hidden, config.embedding, context, readout_size(config))


def _feeding(config: DecoderConfig, parts: DecoderParts) -> Feeding:
    sizes = {"none": 0, "attentional": config.hidden, "context": parts.attention.context_size}
    return Feeding(sizes[config.input_feeding], is_attentional=config.input_feeding == "attentional")


DECODERS: Registry[Callable[[ModelConfig, int], Decoder]] = registries.DECODERS
