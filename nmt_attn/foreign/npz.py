"""Files of Marian and nematus (`.npz`): options, vocabularies, and nematus's names as Marian's.

Marian keeps its options in the file, and the paths of its vocabularies in FILE.decoder.yml or FILE.yml; nematus keeps
both in FILE.json, beside it. What is in none of them is seen from the weights.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import DataError, UserError
from nmt_attn.files import reason
from nmt_attn.foreign.foreign_model import ForeignModel, Reasons, Side, Taken
from nmt_attn.foreign.marian import DEEP_CONTEXT, FORWARD_FIRST, NEMATUS_FIXED, Reader, check_options
from nmt_attn.text_io import read_lines, read_text

_OPTIONS = "special:model.yml"
_NO_WEIGHTS = (_OPTIONS, "history_errs", "uidx", "zipped_params", "decoder_c_tt")
"""The last is added to all scores of a step alike, which changes no weight."""
_CELL = re.compile(r"(encoder|encoder_r|decoder)(?:_(\d+))?_([WUb]x?)(_nl)?(?:_drt_(\d+))?")
"""nematus's name of a part of a cell: side and way, layer from 2, part, whether it is of the decoder's second cell, and
which of those that follow in a row."""
_NEMATUS = {
    "decoder_Wc": "decoder_cell2_W",
    "decoder_Wcx": "decoder_cell2_Wx",
    **{f"ff_state_{part}": f"decoder_ff_state_{part}" for part in "Wb"},
    **{
        f"ff_logit_{name}_{part}": f"decoder_ff_logit_l1_{part}{number}"
        for number, name in enumerate(("prev", "lstm", "ctx"))
        for part in "Wb"
    },
    **{f"ff_logit_{part}": f"decoder_ff_logit_l2_{part}" for part in "Wb"},
    "Wemb": "encoder_Wemb",
    "Wemb_dec": "decoder_Wemb",
}
_NEMATUS_OPTIONS = {
    "use_layernorm": "layer-normalization",
    "layer_normalisation": "layer-normalization",
    "tie_decoder_embeddings": "tied-embeddings",
    "tie_encoder_decoder_embeddings": "tied-embeddings-src",
    "enc_recurrence_transition_depth": "enc-cell-depth",
    "dec_base_recurrence_transition_depth": "dec-cell-base-depth",
    "enc_depth": "enc-depth",
    "dec_depth": "dec-depth",
    "dec_high_recurrence_transition_depth": "dec-cell-high-depth",
    DEEP_CONTEXT: DEEP_CONTEXT,
}
"""Those of nematus that Marian has under another name."""


def read_npz(path: Path, vocabularies: tuple[Path, ...]) -> ForeignModel:
    """The model of a file. Raises DataError with every reason why it cannot be expressed."""
    arrays = _arrays(path)
    options, files, toolkit = _marian(path, arrays) if _OPTIONS in arrays else _nematus(path)
    weights = {name: torch.from_numpy(np.array(each)) for name, each in arrays.items() if name not in _NO_WEIGHTS}
    if "ff_state_W" in weights:
        weights = {_marians_name(name): weight for name, weight in weights.items()}
    options = _seen(path, weights) | options
    reasons = Reasons()
    reasons.unless(options.get("type", "s2s") in ("s2s", "nematus", "amun"), f"type {options.get('type')}")
    check_options(options, reasons)
    reasons.check(path)
    taken = Taken(weights, path)
    reader = Reader(taken, options)
    ours, keys = reader.weights(), reader.keys()
    source, target = _sides(path, vocabularies or files, [len(ours[f"{side}_embedding.weight"]) for side in _SIDES])
    taken.check(reasons)
    reasons.check(path)
    return ForeignModel(toolkit, source, target, keys=keys | _tied(options, source, target), weights=ours)


_SIDES = ("source", "target")


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as found:
            names = set(found.files) - set(_NO_WEIGHTS) | ({_OPTIONS} & set(found.files))
            return {name: found[name] for name in sorted(names)}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected arrays of NumPy, got {reason(error)[:200]}") from error


def _marian(path: Path, arrays: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Path, ...], str]:
    text = arrays[_OPTIONS].tobytes().decode("utf-8", "replace").rstrip("\0")
    options, _ = parse_yaml(text, f"{path}: {_OPTIONS}")
    beside: dict[str, Any] = {}
    for file in (Path(f"{path}.decoder.yml"), Path(f"{path}.yml")):
        if not beside.get("vocabs") and file.exists():
            beside = parse_yaml(read_text(file), str(file))[0] or {}
    return dict(options or {}), _found(path, beside.get("vocabs") or ()), "Marian"


def _nematus(path: Path) -> tuple[dict[str, Any], tuple[Path, ...], str]:
    file = Path(f"{path}.json")
    try:
        found = json.loads(read_text(file)) if file.exists() else {}
    except ValueError as error:
        raise DataError(f"{file}: expected the options of nematus as JSON, got {error}") from error
    options = {name: found[name] for name in NEMATUS_FIXED if name in found}
    options |= {ours: found[theirs] for theirs, ours in _NEMATUS_OPTIONS.items() if theirs in found}
    if found.get("enc_depth_bidirectional", None) == found.get("enc_depth", 1):
        options["enc_depth_bidirectional"] = None
    options["old_dropout"] = bool(found.get("use_dropout", False)) and found.get("model_version", 0) < 0.1
    stacks = {"enc-type": "alternating", "skip": True, FORWARD_FIRST: True}
    return {**stacks, **options}, _found(path, found.get("dictionaries", ())), "nematus"


def _marians_name(name: str) -> str:
    """nematus's name of a weight -> Marian's. There a stack has the name of its bottom layer's way, here each layer."""
    match = _CELL.fullmatch(name)
    if match is None:
        return _NEMATUS.get(name, name)
    side, layer, part, number = match[1], int(match[2] or 1), match[3], 1 + int(match[5] or 0)
    number += match[4] is not None
    root = side
    if side != "decoder":
        begins_forward = (side == "encoder") == (layer % 2 == 1)
        root = "encoder_bi" if begins_forward else "encoder_bi_r"
        if layer == number == 1:
            return f"{root}_{part}"
    return f"{root}_cell{number}_{part}" if layer == 1 else f"{root}_l{layer}_cell{number}_{part}"


def _found(path: Path, names: Any) -> tuple[Path, ...]:
    """Files as they are named, or of that name beside the model."""
    return tuple(Path(name) if Path(name).exists() else path.parent / Path(name).name for name in names)


def _seen(path: Path, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The sizes of a model without options."""
    for name in ("decoder_cell1_U", "decoder_ff_logit_l1_W0"):
        if name not in weights or weights[name].dim() != 2:
            raise DataError(f"{path}: expected a recurrent model of Marian or nematus, got one without {name}")
    return {
        "dim-rnn": len(weights["decoder_cell1_U"]),
        "dim-emb": weights["decoder_ff_logit_l1_W0"].shape[1],
        "enc-depth": 1,
        "dec-depth": 1,
        "tied-embeddings-src": "Wemb" in weights,
    }


def _sides(path: Path, files: tuple[Path, ...], rows: list[int]) -> list[Side]:
    """The vocabularies, as far as the matrices have rows. The first two tokens are </s> and <unk>, however spelled."""
    if not files:
        raise DataError(f"{path}: expected its vocabularies as --vocab, got none, and no file beside it names them")
    both = files * 2 if len(files) == 1 else files
    tokens = [_tokens(file)[:size] for file, size in zip(both, rows, strict=False)]
    for file, each in zip(both, tokens, strict=False):
        if len(each) < 2:
            raise DataError(f"{file}: expected a vocabulary that begins with </s> and <unk>, got {len(each)} tokens")
    return [Side(each, pad=None, bos=None, eos=each[0], unk=each[1]) for each in tokens]


def _tokens(file: Path) -> list[str]:
    """By number: a mapping of tokens to numbers (YAML, JSON), or one token a line."""
    if file.suffix not in (".yml", ".yaml", ".json"):
        return read_lines(file)
    try:
        found = yaml.load(read_text(file), yaml.BaseLoader)  # every token is text, `no` and `12` too; nothing runs
        numbers = {token: int(number) for token, number in found.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError, UserError) as error:
        raise DataError(f"{file}: expected a vocabulary, a number for each token, got {reason(error)[:200]}") from error
    return sorted(numbers, key=lambda token: numbers[token])


def _tied(options: Mapping[str, Any], source: Side, target: Side) -> dict[str, str]:
    """Which word vectors are one: those of both sides where they have one vocabulary."""
    shares_words = list(source.tokens) == list(target.tokens)
    is_one = any(options.get(f"tied-embeddings-{which}", False) for which in ("src", "all")) and shares_words
    is_output = options.get("tied-embeddings", False) or options.get("tied-embeddings-all", False)
    if not is_one and not is_output:
        return {}
    return {"tie": ("all" if is_output else "source-target") if is_one else "target-output"}
