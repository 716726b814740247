"""Tiny models in float64 and a batch with unequal lengths, for the tests of the model floor."""

from typing import Any

import torch
from torch import nn

from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import Config
from nmt_attn.model.build import build_model
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.types import BOS, EOS, PAD, Batch

SOURCE_WORDS, TARGET_WORDS, POSITIONS = 10, 11, 8
SIZES = {
    "encoder": {"embedding": 4, "hidden": 3, "dropout": 0.0},
    "attention": {"half_width": 1},
    "decoder": {"embedding": 7, "hidden": 5, "dropout": 0.0},
}

Overrides = dict[str, Any]
"""Keys below `model`, such as `decoder.style`."""


def overridden(overrides: Overrides) -> Config:
    """The configuration of tiny sizes with these keys of `model` set."""
    model: dict[str, Any] = {name: dict(section) for name, section in SIZES.items()}
    local = overrides.get("attention.window", "global") != "global"
    if not local:
        del model["attention"]["half_width"]
    for key, value in overrides.items():
        section, _, name = key.rpartition(".")
        (model[section] if section else model)[name] = value
    if model["encoder"].get("layers") == 0:
        model["encoder"] = {"layers": 0}
    shared = {"kind": "word", "shared": model.get("tie") in ("source-target", "all")}
    training = {"validate_translation": model["encoder"].get("layers") != 0}
    return Config.model_validate({"model": model, "tokenizer": shared, "training": training})


def accepted(overrides: Overrides) -> Config:
    """The same, which the rules of the configuration must let through."""
    config = overridden(overrides)
    assert contradictions(config) == []
    return config


def tiny_model(config: Config, *, seed: int = 1) -> Seq2Seq:
    """A model in float64 whose every number is random, biases and gains included."""
    source_words = TARGET_WORDS if config.tokenizer.shared else SOURCE_WORDS
    model = build_model(config.model, source_words, TARGET_WORDS, POSITIONS).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.6, generator=generator)
    return model


def tiny_batch(source: list[int], target: list[int]) -> Batch:
    """Random words in sentences of these lengths, `</s>` counted, padded on the right."""
    generator = torch.Generator().manual_seed(sum(source))
    src_ids = torch.full((len(source), max(source)), PAD)
    tgt_in, tgt_out = (torch.full((len(target), max(target)), PAD) for _ in range(2))
    for row, (s, t) in enumerate(zip(source, target, strict=True)):
        src_ids[row, : s - 1] = torch.randint(4, SOURCE_WORDS, (s - 1,), generator=generator)
        src_ids[row, s - 1] = EOS
        words = torch.randint(4, TARGET_WORDS, (t - 1,), generator=generator)
        tgt_in[row, 0], tgt_in[row, 1:t] = BOS, words
        tgt_out[row, : t - 1], tgt_out[row, t - 1] = words, EOS
    return Batch(src_ids, torch.tensor(source), tgt_in, tgt_out, torch.tensor(target))
