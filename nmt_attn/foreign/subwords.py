"""SentencePiece models of other toolkits with the special tokens of this package.

A model file is a protocol buffer: field 1 is a piece (1 its text, 2 its score, 3 its type), the others say how text is
normalised and cut. Here the pieces alone are put in another order; nothing else changes, nor how text is cut.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nmt_attn.errors import DataError
from nmt_attn.types import SPECIAL_TOKENS, UNK

_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
_TRAINER, _IDS = 2, {40: UNK, 41: 2, 42: 3, 43: 0}
"""Field of the trainer's record, and in it those of the ids of <unk>, <s>, </s>, <pad>."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message."""

    number: int
    kind: int  # of the wire
    value: int | bytes


def joined_pieces(model: bytes, tokens: Sequence[str]) -> bytes:
    """The model with our special tokens first, then its own pieces, then those of `tokens` that it lacks.

    The last are never cut from text, but are written. Raises DataError for what is no model of SentencePiece.
    """
    try:
        fields = list(_fields(model))
        pieces = [list(_fields(each.value)) for each in fields if each.number == 1 and isinstance(each.value, bytes)]
        texts = [next(part.value for part in piece if part.number == 1) for piece in pieces]
        kinds = [next((part.value for part in piece if part.number == 3), _NORMAL) for piece in pieces]
    except (IndexError, StopIteration, struct.error, ValueError) as error:
        raise DataError(f"expected a model of SentencePiece, got a damaged file or another one ({error!r})") from error
    own = [each for each in fields if each.number == 1]
    kept = [
        each
        for each, text, kind in zip(own, texts, kinds, strict=True)
        if kind not in (_UNKNOWN, _CONTROL) and isinstance(text, bytes) and text.decode() not in SPECIAL_TOKENS
    ]
    known = {text.decode() for text in texts if isinstance(text, bytes)} | set(SPECIAL_TOKENS)
    special = [_piece(token, _UNKNOWN if i == UNK else _CONTROL) for i, token in enumerate(SPECIAL_TOKENS)]
    written = [_piece(token, _UNUSED) for token in tokens if token not in known]
    rest = [_with_ids(each) if each.number == _TRAINER else each for each in fields if each.number != 1]
    return b"".join(map(_encoded, [*special, *kept, *written, *rest]))


def _piece(text: str, kind: int) -> Field:
    parts = [Field(1, _BYTES, text.encode()), Field(2, _FIXED32, struct.pack("<f", 0.0)), Field(3, _VARINT, kind)]
    return Field(1, _BYTES, b"".join(map(_encoded, parts)))


def _with_ids(trainer: Field) -> Field:
    assert isinstance(trainer.value, bytes)
    kept = [part for part in _fields(trainer.value) if part.number not in (*_IDS, 45, 46, 47, 48)]
    ids = [Field(number, _VARINT, place) for number, place in _IDS.items()]
    names = [Field(number, _BYTES, SPECIAL_TOKENS[_IDS[number - 5]].encode()) for number in (45, 46, 47, 48)]
    return Field(trainer.number, _BYTES, b"".join(map(_encoded, [*kept, *ids, *names])))


def _fields(message: bytes) -> Iterator[Field]:
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield Field(number, kind, value)
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if place + size > len(message):
            raise ValueError("a field beyond the end")
        yield Field(number, kind, message[place : place + size])
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _encoded(each: Field) -> bytes:
    key = _encoded_number(each.number << 3 | each.kind)
    if isinstance(each.value, int):
        return key + _encoded_number(each.value)
    return key + (_encoded_number(len(each.value)) if each.kind == _BYTES else b"") + each.value


def _encoded_number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
