"""Warm start (training.init_from): a new model begins with the weights of another run's best model.

Parameters are matched by their names; of embeddings and the output layer, which have a row for each word, each row by
its word. Optimizer, learning rate and schedule begin anew. A run that goes on from a checkpoint reads nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nmt_attn.config.file import load_resolved
from nmt_attn.config.messages import show
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, TextCodec, load_codecs
from nmt_attn.data.tokenizer import TextOptions
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.files import usable_path
from nmt_attn.model.factors import factor_module
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import CONFIG, VOCAB, load_model, model_folder
from nmt_attn.training.run_folder import learned_differences
from nmt_attn.types import SPECIAL_TOKENS

KEY = "training.init_from"

SIDES = {"source_embedding": "source", "target_embedding": "target", "output": "target"}
"""The modules whose parameters have a row for each token, with the side whose vocabulary that is."""

SAME_KEYS = ("model.encoder.cell", "model.decoder.cell", "model.decoder.style")
"""With another value, weights of the same names and shapes would stand in other equations."""

PARTS = {
    "model.attention.score": "decoder.attention.score.",
    "model.attention.window": "decoder.attention.window.",
    "model.attention.alignment": "decoder.attention.transition.",
    "model.decoder.init": "decoder.start_state.",
    "model.decoder.init_cell": "decoder.start_state.",
    "model.decoder.input_feeding": "decoder.feed_to_gates.",
    "model.decoder.readout": "decoder.readout.",
    "model.decoder.context_gate": "decoder.attentional_state.gate.",
    "model.decoder.deep_context": "decoder.upper.",
}
"""With another value of the key, these parameters are those of another equation, whatever their names: all are new."""


class SharedRows(NamedTuple):
    """Where the tokens that two vocabularies share stand in each."""

    here: Tensor  # ids [n] in the new one
    there: Tensor  # ids [n] in the other one
    new: int  # tokens of the new one alone
    dropped: int  # tokens of the other one alone

    def describe(self, name: str) -> str:
        """`source words: 812 kept, 188 new, 45 dropped`."""
        kept = len(self.here) - len(SPECIAL_TOKENS)
        return f"{name}: {kept:,} kept, {self.new:,} new, {self.dropped:,} dropped"


def warm_start(config: Config, codecs: Codecs, model: Seq2Seq, note: Callable[[str], None]) -> None:
    """Gives a new model what it shares with the one that `training.init_from` names; without that key, nothing.

    What the other model lacks keeps its first weights. `note` is told what was kept, what is new and what was dropped.
    Raises CheckpointError if the model cannot be read, ConfigError if names or words do not mean the same there.
    """
    if config.training.init_from is None:
        return
    folder = _folder(config)
    there = load_codecs(folder / VOCAB)
    other = load_model(folder, there.digest())
    changes = learned_differences(load_resolved(folder / CONFIG), config)
    _check_keys(folder, changes)
    rows = {
        side: _shared_rows(folder, side, own, others)
        for side, own, others in (
            ("source", codecs.source, there.source),
            ("target", codecs.target, there.target),
        )
    }
    keys = [change.partition(" ")[0] for change in changes]
    others = tuple(part for key, part in PARTS.items() if key in keys)
    weights = {
        name: value for name, value in other.named_parameters(remove_duplicate=False) if not name.startswith(others)
    }
    factors = _shared_factors(codecs.source.vocabulary, there.source.vocabulary)
    of_factors = {factor_module(name): shared for name, shared in factors.items()}
    new = _copy(folder, weights, model, {module: rows[side] for module, side in SIDES.items()} | of_factors)
    kept = sum(1 for _ in model.parameters()) - len(new)
    own_names = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    dropped = [name for name, _ in other.named_parameters() if name not in own_names & weights.keys()]
    note(f"warm start from {folder}: {kept} parameters kept, {len(new)} new, {len(dropped)} dropped")
    described = [(f"{side} words", shared) for side, shared in rows.items()] + [*factors.items()]
    note("; ".join(shared.describe(name) for name, shared in described))
    for what, names in (("new", new), ("dropped", dropped)):
        if names:
            note(f"{what}: {', '.join(names)}")
    if of_model := [change for change in changes if change.startswith("model.")]:
        note(f"other keys of the model: {'; '.join(of_model)}")


def _folder(config: Config) -> Path:
    """The model folder that the key names. Raises ConfigError for the run's own, CheckpointError if there is none."""
    path = usable_path(str(config.training.init_from), KEY)
    try:
        folder = model_folder(path)
    except CheckpointError as error:
        raise CheckpointError(f"{KEY}: {error}") from error
    run = Path(config.run.dir) / config.run.name
    if folder.resolve().is_relative_to(run.resolve()):
        raise ConfigError(f"{KEY}: expected another run than this one, got {show(str(path))} (another run.name)")
    return folder


def _check_keys(folder: Path, changes: Iterable[str]) -> None:
    wrong = [change for change in changes if change.partition(" ")[0] in SAME_KEYS]
    if wrong:
        raise ConfigError(
            f"{KEY}: expected a model of the same equations, got {folder} with others: {'; '.join(wrong)}"
        )


def _shared_rows(folder: Path, side: str, own: TextCodec, other: TextCodec) -> SharedRows:
    """Raises ConfigError if the texts are not cut alike, or no word is known to both."""
    here, there = _way(own), _way(other)
    if here != there:
        raise ConfigError(f"{KEY}: expected a {side} tokenizer {here}, as here, got {there} in {folder}")
    rows = shared_rows(own.vocabulary.tokens, other.vocabulary.tokens)
    if len(rows.here) == len(SPECIAL_TOKENS):
        raise ConfigError(
            f"{KEY}: expected {side} words of this vocabulary in {folder}, got none of {own.size:,} "
            "(are the languages swapped?)"
        )
    return rows


def _shared_factors(own: Vocabulary, other: Vocabulary) -> dict[str, SharedRows]:
    """The values of each factor that both have, by its name."""
    there = dict(zip(other.factor_sizes, other.factors, strict=True))
    pairs = zip(own.factor_sizes, own.factors, strict=True)
    return {name: shared_rows(factor.tokens, there[name].tokens) for name, factor in pairs if name in there}


def _way(codec: TextCodec) -> str:
    """How text is cut, in words: `word, lowercase, normalise 'NFC'`; what is as by default is left out."""
    options = zip(TextOptions._fields, codec.tokenizer.text, TextOptions(), strict=True)
    others = [key if value is True else f"{key} {value!r}" for key, value, default in options if value != default]
    return ", ".join([codec.kind, *others])


def shared_rows(own: Iterable[str], other: Iterable[str]) -> SharedRows:
    """The tokens of both vocabularies, whose places are their ids."""
    own, places = list(own), {token: place for place, token in enumerate(other)}
    here = [place for place, token in enumerate(own) if token in places]
    there = [places[own[place]] for place in here]
    return SharedRows(
        torch.tensor(here), torch.tensor(there), new=len(own) - len(here), dropped=len(places) - len(here)
    )


@torch.no_grad()
def _copy(folder: Path, weights: Mapping[str, Tensor], model: Seq2Seq, rows: Mapping[str, SharedRows]) -> list[str]:
    """Copies every parameter that `weights` has a name of; gives back the names of the others.

    `rows` are those of modules that have a row for each token.
    """
    new, wrong = [], []
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for name, parameter in model.named_parameters():
        sources = [alias for alias in names[id(parameter)] if alias in weights]
        if not sources:
            new.append(name)
            continue
        value = weights[sources[0]]
        if any(weights[other] is not value for other in sources):
            raise ConfigError(
                f"{KEY}: expected {' and '.join(sources)} to share their weights, as here, got different ones in "
                f"{folder} (model.tie)"
            )
        shared = rows.get(name.rpartition(".")[0])
        shape = value.shape if shared is None else (len(parameter), *value.shape[1:])
        if parameter.shape != shape:
            wrong.append(f"{name} {list(parameter.shape)}, got {list(value.shape)}")
        elif shared is None:
            parameter.copy_(value)
        else:
            parameter[shared.here] = value[shared.there].to(parameter.device)
    if wrong:
        raise ConfigError(f"{KEY}: expected in {folder} the shapes of this model: {'; '.join(wrong)}")
    if len(new) == len(list(model.parameters())):
        raise ConfigError(f"{KEY}: expected parameters of this model's names in {folder}, got none")
    return new
