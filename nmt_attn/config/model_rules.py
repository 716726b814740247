"""Which keys of `model` contradict each other: sizes that cannot meet, and options that would change nothing.

What the names can do is said by the parts that bear them (nmt_attn/registries.py); options that no chosen part reads
are refused by nmt_attn/config/options.py.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from nmt_attn.config.alignment_rules import hard_attention
from nmt_attn.config.copying_rules import copying
from nmt_attn.config.derived import (
    context_size,
    decoder_rates,
    encoder_directions,
    encoder_rates,
    encoder_sizes,
    readout_size,
    source_vector_size,
    start_layer,
    start_size,
)
from nmt_attn.config.key_paths import defaults, is_default, value_at
from nmt_attn.config.messages import complain, complain_idle, join_words, show, with_value
from nmt_attn.config.options import describe_readers, readers_of
from nmt_attn.config.schema import Config
from nmt_attn.config.source_rules import without_source
from nmt_attn.registries import CELLS, INITIAL_CELL_STATES, INITIAL_STATES, READOUTS, REGISTRIES, SCORES, WINDOWS
from nmt_attn.registry import exclusions_of, options_of


def model_contradictions(config: Config) -> Iterator[str]:
    """One message for each contradiction. The default model has none, and needs no part to be imported."""
    if config.model != defaults().model:
        for rule in (_OF_SOURCE if config.model.has_source else (without_source,)) + _OF_DECODER:
            yield from rule(config)


def _encoder_layers(config: Config) -> Iterator[str]:
    encoder = config.model.encoder
    if isinstance(encoder.bidirectional, str) and encoder.layers == 1:
        expected = f"true or false with {with_value(config, 'model.encoder.layers')}"
        yield complain(config, "model.encoder.bidirectional", expected, "true is the same here")
    sizes = [source_vector_size(encoder), *encoder_sizes(encoder)]
    if encoder.residual and not any(above == below for below, above in pairwise(sizes)):
        reason = f"{with_value(config, 'model.encoder.layers')} and {with_value(config, 'model.encoder.embedding')}"
        hint = f"no layer's input is as large as its output: {', '.join(map(str, sizes))}"
        yield complain_idle(config, "model.encoder.residual", reason, hint)


def _decoder_layers(config: Config) -> Iterator[str]:
    """What several layers alone can have."""
    decoder, where = config.model.decoder, "model.decoder"
    for key, is_asked in ((f"{where}.residual", decoder.residual), (f"{where}.init_shared", decoder.init_shared)):
        if is_asked and decoder.layers == 1:
            yield complain_idle(config, key, with_value(config, f"{where}.layers"))


def _cell_state(config: Config) -> Iterator[str]:
    """A first cell state is of cells that have one, and another than the first state."""
    decoder, where = config.model.decoder, "model.decoder"
    key = f"{where}.init_cell"
    if not CELLS[decoder.cell].has_cell and not is_default(config, key):
        with_cell = join_words(show(name) for name in CELLS if CELLS[name].has_cell)
        yield complain_idle(config, key, with_value(config, f"{where}.cell"), f"it is for {with_cell}")
    if CELLS[decoder.cell].has_cell and decoder.init_cell == "copy" and decoder.init == "zero":
        yield complain_idle(config, key, with_value(config, f"{where}.init"))


def _transition_depths(config: Config) -> Iterator[str]:
    for side, section in (("encoder", config.model.encoder), ("decoder", config.model.decoder)):
        depths, where = section.transition_depth, f"model.{side}.transition_depth"
        if isinstance(depths, tuple) and len(depths) != section.layers:
            yield complain(config, where, f"as many numbers as {with_value(config, f'model.{side}.layers')}, or one")


def _deep_context(config: Config) -> Iterator[str]:
    key, attention = "model.decoder.deep_context", "model.attention"
    if not config.model.decoder.deep_context:
        return
    if config.model.decoder.layers == 1:
        yield complain_idle(config, key, with_value(config, "model.decoder.layers"))
    if context_size(config.model) == 0:
        reason = f"{with_value(config, f'{attention}.score')} and {with_value(config, f'{attention}.fixed_context')}"
        yield complain_idle(config, key, reason, "there is no context")


def _attention(config: Config) -> Iterator[str]:
    attention, where = config.model.attention, "model.attention"
    if attention.score == "none":
        return
    if attention.attend_eos and not config.model.encoder.reads_eos:
        expected = f"false with {with_value(config, 'model.encoder.reads_eos')}, as </s> has no state"
        yield complain(config, f"{where}.attend_eos", expected)
    is_identity = attention.score == "concat" and attention.concat_keys == "identity"
    if is_identity and attention.hidden is not None and "hidden" not in options_of(WINDOWS[attention.window]):
        hint = describe_readers(readers_of(where, "hidden"))
        yield complain_idle(config, f"{where}.hidden", with_value(config, f"{where}.concat_keys"), hint)
    if attention.coverage != "none" and not SCORES[attention.score].has_tanh:
        covered = join_words(show(name) for name in SCORES if SCORES[name].has_tanh)
        expected = f"none with {with_value(config, f'{where}.score')}, which has no tanh that it could enter"
        yield complain(config, f"{where}.coverage", expected, f"or take {where}.score: {covered}")
    if not SCORES[attention.score].needs_equal_sizes:
        return
    is_equal = encoder_sizes(config.model.encoder)[-1] == config.model.decoder.hidden
    if not attention.project and not is_equal:
        reason = f"{with_value(config, f'{where}.score')} and {_encoder_words(config, -1)}"
        can_project = "project" in options_of(SCORES[attention.score])
        hint = f"or take {where}.score: general" + (f", or {where}.project: true" if can_project else "")
        expected = f"{encoder_sizes(config.model.encoder)[-1]} with {reason}"
        yield complain(config, "model.decoder.hidden", expected, hint)


def _encoder_words(config: Config, layer: int) -> str:
    """`model.encoder.hidden 256 x 2 directions`."""
    directions = encoder_directions(config.model.encoder)[layer]
    return with_value(config, "model.encoder.hidden") + (" x 2 directions" if directions == 2 else "")


def _first_state(config: Config) -> Iterator[str]:
    encoder, decoder = config.model.encoder, config.model.decoder
    first = INITIAL_STATES[decoder.init]
    if first.needs_equal_sizes:
        yield from _same_size(config, "model.decoder.init", first)
    if first.reads_backward and encoder_directions(encoder)[-1] == 1:
        expected = (
            f"true with {with_value(config, 'model.decoder.init')}, which reads the backward direction of the top layer"
        )
        yield complain(config, "model.encoder.bidirectional", expected)
    yield from _first_cell_state(config)
    yield from _start_layers(config)


def _first_cell_state(config: Config) -> Iterator[str]:
    encoder, decoder, key = config.model.encoder, config.model.decoder, "model.decoder.init_cell"
    if not CELLS[decoder.cell].has_cell or decoder.init_cell == "copy":
        return
    first = INITIAL_CELL_STATES[decoder.init_cell]
    if first.sees_source and not first.reads_states and not CELLS[encoder.cell].has_cell:
        with_cell = join_words(show(name) for name in CELLS if CELLS[name].has_cell)
        hint = f"or take {key}: zero or copy"
        yield complain(config, "model.encoder.cell", f"{with_cell} with {with_value(config, key)}", hint)
    elif first.needs_equal_sizes:
        yield from _same_size(config, key, first)


def _same_size(config: Config, key: str, first: Any) -> Iterator[str]:
    """The first layer of the decoder that cannot take over the encoder's final state as it is."""
    model = config.model
    for layer in range(model.decoder.layers):
        below = start_layer(layer, model)
        if below is None:
            expected = f"another than 'all' with {with_value(config, key)}, which takes one state as it is"
            yield complain(config, "model.decoder.init_reads", expected, f"or take {key}: bridge")
            return
        found = start_size(layer, model)
        size = first.input_size(found, encoder_sizes(model.encoder)[-1], model.encoder.hidden)
        if size != model.decoder.hidden:
            words = with_value(config, "model.encoder.hidden")
            words = _encoder_words(config, below) if size == found else f"{words}, of one direction"
            expected = f"{size} with {with_value(config, key)}, the size of layer {below + 1} of the encoder ({words})"
            yield complain(config, "model.decoder.hidden", expected, f"or take {key}: bridge")
            return


def _start_layers(config: Config) -> Iterator[str]:
    """Which layers first states read, and what they share, where that changes nothing or cannot be."""
    encoder, decoder, where = config.model.encoder, config.model.decoder, "model.decoder"
    layers = {side: with_value(config, f"model.{side}.layers") for side in ("encoder", "decoder")}
    if decoder.init_reads != "layers" and encoder.layers == 1:
        yield complain_idle(config, f"{where}.init_reads", layers["encoder"])
    elif decoder.init_reads == "top" and decoder.layers == 1:
        yield complain_idle(config, f"{where}.init_reads", layers["decoder"], "one layer starts from the top one")
    if not decoder.init_shared:
        return
    for key, registry in ((f"{where}.init", INITIAL_STATES), (f"{where}.init_cell", INITIAL_CELL_STATES)):
        part = registry.get(value_at(config, key))
        sizes = [start_size(layer, config.model) for layer in range(decoder.layers)]
        if "init_reads" in options_of(part) and "init_shared" in options_of(part) and len(set(sizes)) > 1:
            expected = f"false with {with_value(config, key)}, which reads states of {', '.join(map(str, sizes))} units"
            yield complain(config, f"{where}.init_shared", expected, f"or take {where}.init_reads: top")
            return


def _without_attention(config: Config) -> Iterator[str]:
    """What the decoder knows of the source is its first state or the fixed context: final states, mostly."""
    attention, encoder, decoder = config.model.attention, config.model.encoder, config.model.decoder
    if attention.score != "none":
        return
    reason = with_value(config, "model.attention.score")
    sizes = [source_vector_size(encoder), *encoder_sizes(encoder)]
    first = INITIAL_STATES[decoder.init]
    is_sum_read = first.reads_states or any(above == below for below, above in pairwise(sizes[:-1]))
    if encoder.residual and sizes[-1] == sizes[-2] and not is_sum_read:
        hint = "final states are read before the top layer's input is added"
        yield complain_idle(
            config, "model.encoder.residual", f"{reason} and {with_value(config, 'model.decoder.init')}", hint
        )
    if attention.fixed_context == "projected" and first.reads_one_direction:
        reason = f"{with_value(config, 'model.decoder.init')}, which reads the state of one direction"
        key, hint = "model.attention.fixed_context", "or take model.decoder.init: bridge"
        yield complain(config, key, f"false or true with {reason}", hint)
    if attention.fixed_context:
        return
    cell = INITIAL_CELL_STATES.get(decoder.init_cell)  # None: a copy of the first state
    from_cell = CELLS[decoder.cell].has_cell and cell is not None and cell.sees_source
    if not first.sees_source and not from_cell:
        hint = "or take model.attention.fixed_context: true"
        expected = f"another than {show(decoder.init)} with {reason}, as nothing of the source is seen"
        yield complain(config, "model.decoder.init", expected, hint)


def _fed_context(config: Config) -> Iterator[str]:
    attention, decoder = config.model.attention, config.model.decoder
    has_context = attention.score != "none" or attention.fixed_context
    if not has_context and decoder.style == "luong" and decoder.input_feeding == "context":
        reason = " and ".join(with_value(config, f"model.attention.{name}") for name in ("score", "fixed_context"))
        yield complain_idle(config, "model.decoder.input_feeding", reason)


def _readout(config: Config) -> Iterator[str]:
    decoder, where = config.model.decoder, "model.decoder"
    readout, style = with_value(config, f"{where}.readout"), with_value(config, f"{where}.style")
    if decoder.readout_hidden is not None and decoder.style == "luong" and decoder.readout == "linear":
        hint = f"the attentional state is read as it is; or take {where}.readout: state-linear"
        yield complain_idle(config, f"{where}.readout_hidden", f"{style} and {readout}", hint)
    if decoder.readout == "state" and decoder.style == "luong":
        yield complain(config, f"{where}.readout", f"another than 'state' with {style}", "linear is h~ as it is")
    if decoder.readout_state == "previous" and not READOUTS[decoder.readout].sees_word:
        expected = f"current with {readout}, as a word would not depend on the one before"
        yield complain(config, f"{where}.readout_state", expected)


def _attentional_state(config: Config) -> Iterator[str]:
    """What needs h~, in Luong's order without it, and a context."""
    decoder, key, gate = config.model.decoder, "model.decoder.attentional_state", "model.decoder.context_gate"
    if decoder.context_gate != "none" and context_size(config.model) == 0:
        expected = f"none with {with_value(config, 'model.attention.score')}, as there is no context"
        yield complain(config, gate, expected)
    if decoder.attentional_state or decoder.style != "luong":
        return
    reason = with_value(config, key)
    if decoder.input_feeding == "attentional":
        yield complain(config, "model.decoder.input_feeding", f"none or context with {reason}")
    if decoder.context_gate != "none":
        yield complain(config, gate, f"none with {reason}, as it is over h~")
    for name in ("activation", "bias"):
        if not is_default(config, f"model.decoder.attentional_{name}"):
            yield complain_idle(config, f"model.decoder.attentional_{name}", reason)
    is_read = READOUTS[decoder.readout].sees_word and decoder.readout != "linear"  # which is h~ as it is
    reaches_words = is_read or decoder.deep_context or decoder.copying != "none" or decoder.input_feeding != "none"
    if context_size(config.model) > 0 and not reaches_words:
        hint = "or take model.decoder.input_feeding: context, or a readout of context and state"
        yield complain(config, key, "true, as the words would not depend on the context", hint)


def _dropout(config: Config) -> Iterator[str]:
    """Rates that reach no place."""
    model = config.model
    for side, places in (("encoder", ["embedding", "layer"]), ("decoder", ["embedding", "layer", "output"])):
        where = f"model.{side}"
        own = {place: f"{where}.{place}_dropout" for place in places}
        if value_at(config, f"{where}.layers") == 1:
            if value_at(config, own["layer"]) is not None:
                yield complain_idle(config, own["layer"], with_value(config, f"{where}.layers"))
            del own["layer"]
        is_named = value_at(config, f"{where}.dropout") and not is_default(config, f"{where}.dropout")
        if is_named and all(value_at(config, key) is not None for key in own.values()):
            reason = " and ".join(with_value(config, key) for key in own.values())
            yield complain_idle(config, f"{where}.dropout", reason)
    rates = [*decoder_rates(model.decoder), model.decoder.attentional_dropout]
    rates += encoder_rates(model.encoder) if model.has_source else []
    if model.dropout_mask == "sentence" and not any(rates):
        reason = f"{with_value(config, 'model.encoder.dropout')} and {with_value(config, 'model.decoder.dropout')}"
        yield complain_idle(config, "model.dropout_mask", reason)


def _exclusions(config: Config) -> Iterator[str]:
    """Values that a chosen part says it does not go with."""
    for registry in (registry for registry in REGISTRIES if registry.config_keys[0].startswith("model.")):
        for key in registry.config_keys:
            for other, value, reason in exclusions_of(registry.get(value_at(config, key))):
                if value_at(config, other) == value:
                    expected = f"another than {show(value)} with {with_value(config, key)}, {reason}"
                    yield complain(config, other, expected)


def _tied_output(config: Config) -> Iterator[str]:
    model, reason = config.model, with_value(config, "model.tie")
    if model.tie in ("target-output", "all") and readout_size(model.decoder) != model.decoder.embedding:
        key = "readout_hidden" if model.decoder.readout_hidden is not None else "hidden"
        expected = f"{readout_size(model.decoder)} with {reason}, as {with_value(config, f'model.decoder.{key}')}"
        yield complain(config, "model.decoder.embedding", expected)


def _tied_sides(config: Config) -> Iterator[str]:
    model, reason = config.model, with_value(config, "model.tie")
    if model.tie in ("source-target", "all"):
        if not config.tokenizer.shared:
            yield complain(config, "tokenizer.shared", f"true with {reason}")
        if model.encoder.embedding != model.decoder.embedding:
            expected = f"{model.decoder.embedding} with {reason}, as {with_value(config, 'model.decoder.embedding')}"
            yield complain(config, "model.encoder.embedding", expected)


Rules = tuple[Callable[[Config], Iterator[str]], ...]
_OF_SOURCE: Rules = (
    _encoder_layers,
    _attention,
    _first_state,
    _without_attention,
    hard_attention,
    copying,
    _tied_sides,
)
_OF_DECODER: Rules = (
    _transition_depths,
    _decoder_layers,
    _cell_state,
    _fed_context,
    _deep_context,
    _readout,
    _attentional_state,
    _dropout,
    _exclusions,
    _tied_output,
)
