"""Held-out pairs: which pairs of data.train are validation or test pairs, where data.valid or data.test name no text.

A pair is chosen by a number that its source and `data.held_out.seed` alone determine. Pairs with equal sources
therefore stay together, the choice does not change when pairs are added or put in another order, and no file is
written: what is compressed, UTF-16 or a dataset stays as it is.
"""

from hashlib import blake2b
from typing import Literal

from nmt_attn.config.schema import DataConfig

CorpusPart = Literal["train", "valid", "test"]

_NUMBERS = 2**64


def part_of(source: str, data: DataConfig) -> CorpusPart:
    """The corpus that a pair of data.train belongs to, by its source text; white space does not count."""
    held_out = data.held_out
    if held_out.valid == held_out.test == 0:
        return "train"
    text = f"{held_out.seed}\n{' '.join(source.split())}"
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / _NUMBERS  # uniform in [0, 1)
    if number < held_out.valid:
        return "valid"
    return "test" if number < held_out.valid + held_out.test else "train"


def is_held_out(data: DataConfig, part: CorpusPart) -> bool:
    """Whether the corpus has no text of its own and is a share of data.train."""
    return part != "train" and getattr(data.held_out, part) > 0
