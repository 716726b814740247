"""What kernels and their definitions share: operands, what a kernel can hold, and how it cuts what it reads."""

from torch import Tensor

Part = Tensor | None
"""An operand that may be left out."""
FEW_WORDS, PART, WIDE_PART = 1 << 14, 1 << 11, 1 << 13
"""A vocabulary is read in parts of `PART` words, one of more than `FEW_WORDS` in parts of `WIDE_PART`."""


class DoesNotFit(Exception):  # noqa: N818, no error: the definition does it
    """A kernel cannot take operands of this size; raised before it is launched."""


def parts_of(words: int) -> tuple[int, int]:
    """Into how many parts a vocabulary is cut, and how many words are in one."""
    size = PART if words <= FEW_WORDS else WIDE_PART
    return -(-words // size), size
