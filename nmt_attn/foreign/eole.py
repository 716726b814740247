"""Models of eole: a folder with config.json, vocab.json and model.*.safetensors, encoder `rnn` or `brnn`.

OpenNMT-py's model under other names (nmt_attn/foreign/opennmt.py). Its encoder reads padding as if it were words, so
that a sentence's numbers there depend on those beside it in a batch; here they are those of the sentence alone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nmt_attn.errors import DataError
from nmt_attn.files import reason
from nmt_attn.foreign.foreign_model import ForeignModel, Reasons, Side, Taken
from nmt_attn.foreign.opennmt import EMBEDDINGS, read_rnn
from nmt_attn.text_io import read_text

CONFIG, VOCAB, WEIGHTS = "config.json", "vocab.json", "model.*.safetensors"


def is_eole(path: Path) -> bool:
    """Whether it is a folder of eole's, or a file in one."""
    folder = folder_of(path)
    return (folder / CONFIG).is_file() and (folder / VOCAB).is_file() and any(folder.glob(WEIGHTS))


def folder_of(path: Path) -> Path:
    """The folder of a model that is named by it or by one of its files."""
    return path if path.is_dir() else path.parent


def read_eole(path: Path) -> ForeignModel:
    """The model of a folder. Raises DataError with every reason why it cannot be expressed."""
    folder, reasons = folder_of(path), Reasons()
    model, vocabulary = _json(folder / CONFIG).get("model"), _json(folder / VOCAB)
    if not isinstance(model, dict) or not all(isinstance(vocabulary.get(side), list) for side in ("src", "tgt")):
        raise DataError(f"{folder}: expected a model of eole, got one without settings or vocabularies")
    encoder, decoder = (dict(model.get(side) or {}) for side in ("encoder", "decoder"))
    embeddings = model.get("embeddings") or {}
    for name, plain in (("position_encoding_type", None), ("normalize", False), ("n_positions", None)):
        value = embeddings.get(name, plain)
        reasons.unless(value in (plain, 0), f"embeddings {name} {value}")
    options = {
        **{name: encoder.get(name) for name in ("encoder_type", "rnn_type")},
        **{name: decoder.get(name) for name in _OF_DECODER if name in decoder},
        "rnn_type": encoder.get("rnn_type", "LSTM"),
        "global_attention": decoder.get("global_attention", "general"),
        "input_feed": model.get("input_feed", decoder.get("input_feed", 1)),
        "enc_layers": encoder.get("layers"),
        "dec_layers": decoder.get("layers"),
        "enc_hid_size": encoder.get("hidden_size"),
        "dec_hid_size": decoder.get("hidden_size"),
        "bridge": encoder.get("bridge", False),
        "coverage_attn": decoder.get("coverage_attn", False),
    }
    weights = _weights(folder)
    taken = Taken({_RENAMED.get(name, name): weight for name, weight in weights.items()}, path)
    found = read_rnn(path, options, taken, _sides(vocabulary), reasons)
    found.toolkit = "eole"
    found.notes.append("eole reads padding as words: only a sentence translated alone has the same numbers there")
    return found


_OF_DECODER = ("decoder_type", "context_gate", "global_attention_function", "copy_attn")
_RENAMED = {f"{short}_emb.embeddings.weight": name for short, name in zip(("src", "tgt"), EMBEDDINGS, strict=True)}


def _sides(vocabulary: Mapping[str, Any]) -> tuple[Side, Side]:
    special = vocabulary.get("specials") or {}
    pad, unk, bos, eos = (
        special.get(f"{name}_token", plain)
        for name, plain in (("pad", "<blank>"), ("unk", "<unk>"), ("bos", "<s>"), ("eos", "</s>"))
    )
    start = vocabulary.get("decoder_start_token", bos)
    source, target = (
        Side(vocabulary[side], pad=pad, unk=unk, bos=bos, eos=eos, start=start) for side in ("src", "tgt")
    )
    return source, target


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, got {reason(error)[:200]}") from error
    return found if isinstance(found, dict) else {}


def _weights(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob(WEIGHTS)):
        try:
            found |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise DataError(f"{file}: expected weights as safetensors, got {reason(error)[:200]}") from error
    if "generator.weight" not in found and (tied := found.get("tgt_emb.embeddings.weight")) is not None:
        found["generator.weight"] = tied
    if "generator.weight" in found:
        found.setdefault("generator.bias", torch.zeros(len(found["generator.weight"])))
    return found
