"""Text formats: what the first bytes of a file say about it, whatever its name ends in.

Compressed (gzip, bzip2, xz, zstd), UTF-8 or UTF-16, with or without a byte-order mark, or no text at all.
"""

import bz2
import gzip
import io
import lzma
import unicodedata
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple, cast

HEAD_BYTES = 4096
"""Bytes of a file that are inspected."""
FEWEST_BYTES = 256
"""Shorter content is judged by its signature alone: there is too little to count."""
MOST_CONTROLS = 0.3
"""The greatest share of control characters that text has."""

MOST_TIMES, TRUSTED_BYTES = 200, 1 << 26
"""What is compressed may grow by the first, which text never does, once it has the second."""

SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a zip archive (as .xlsx and .npz are; a spreadsheet can be saved as CSV)",
    b"PK\x05\x06": "an empty zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x1f\x9d": "a file compressed by compress",
    b"\x93NUMPY": "an array of NumPy",
    b"\x7fELF": "a program",
    b"PAR1": "a Parquet table",
    b"ARROW1": "an Arrow table",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}
"""How files begin that are no text, and what they are."""
UTF16_MARKS = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
_LAYOUTS = (("utf-16-le", 1), ("utf-16-be", 0))
"""Each with where the high byte of a pair is: it is zero in a space and in a line end."""
_WHITE = b"\t\n\r\f\v\x1b"
_CONTROLS = bytes(code for code in range(32) if code not in _WHITE)


class Compression(NamedTuple):
    """How a compressed file begins, and what opens a stream of it."""

    name: str
    signature: bytes
    open: Callable[[BinaryIO], Any]


def find_compression(head: bytes) -> Compression | None:
    """What a file that begins so is compressed with; None if it is not."""
    return next((each for each in _COMPRESSIONS if head.startswith(each.signature)), None)


def contents(stream: "io.BufferedReader[Any]", chunk_bytes: int) -> Iterator[bytes]:
    """What the stream holds, decompressed, a piece at a time. Raises ValueError if it grows without measure.

    The first piece has HEAD_BYTES if there are as many. What is damaged raises one of `damage()`.
    """
    compression = find_compression(stream.peek(HEAD_BYTES))
    if compression is None:
        yield from _pieces(stream, chunk_bytes)
        return
    counted, grown = _Counted(stream), 0
    for piece in _pieces(compression.open(cast(BinaryIO, counted)), chunk_bytes):
        grown += len(piece)
        if grown > max(TRUSTED_BYTES, MOST_TIMES * counted.bytes):
            raise ValueError(f"{compression.name} content that grows by more than {MOST_TIMES} times")
        yield piece


class _Counted(io.RawIOBase):
    """A stream that knows how many bytes have been read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.read(len(buffer))
        self.bytes += len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _pieces(content: Any, chunk_bytes: int) -> Iterator[bytes]:
    if head := content.read(HEAD_BYTES):
        yield head
    while chunk := content.read1(chunk_bytes):
        yield chunk


def damage() -> tuple[type[Exception], ...]:
    """What reading a damaged compressed file raises."""
    zstd = _find_zstd()
    known = (OSError, EOFError, zlib.error, lzma.LZMAError)
    return known if zstd is None else (*known, zstd.ZstdError)


def find_encoding(head: bytes) -> str:
    """`utf-8`, `utf-16-le` or `utf-16-be`. Raises ValueError, with what was found, if it is no text to be read.

    Bytes that are not UTF-8 may be in what is called `utf-8`: whoever reads the lines says so.
    """
    found = next((name for signature, name in SIGNATURES.items() if head.startswith(signature)), None)
    if found is not None:
        raise ValueError(f"binary content, {found}")
    if (twice := find_compression(head)) is not None:
        raise ValueError(f"content that is compressed twice, by {twice.name} inside")
    if head.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        raise ValueError("UTF-32 (convert it: iconv -f UTF-32 -t UTF-8)")
    marked = next((name for mark, name in UTF16_MARKS.items() if head.startswith(mark)), None)
    sample = head[:HEAD_BYTES]
    if marked is not None and (0 in sample or not any(byte in sample for byte in b" \n")):
        return marked
    unmarked = next((name for name, high in _LAYOUTS if _is_utf16(sample, name, high)), None)
    if unmarked is None and _is_binary(sample):
        raise ValueError("binary content")
    return unmarked or "utf-8"


def without_mark(head: bytes) -> bytes:
    """`head`, which is UTF-16, without its mark."""
    return head[2:] if head.startswith(tuple(UTF16_MARKS)) else head


def _is_utf16(sample: bytes, encoding: str, high: int) -> bool:
    """Whether all zero bytes are high ones, and the pairs are characters of text."""
    zeros = sample[high::2].count(0)
    if zeros < 2 or 0 in sample[1 - high :: 2] or (len(sample) < HEAD_BYTES and len(sample) % 2):
        return False
    text = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
    is_text = all(char in "\t\n\r" or unicodedata.category(char) not in {"Cc", "Cn", "Co"} for char in text)
    return is_text and (zeros == len(text) or "\n" in text or " " in text)


def _is_binary(sample: bytes) -> bool:
    if len(sample) >= 9 and sample[8:9] == b"{" and sample[:8].endswith(b"\0\0\0"):
        return True  # safetensors: the length of its header in 8 bytes, and the header
    if len(sample) < FEWEST_BYTES:
        return False
    if len(sample.translate(None, _CONTROLS)) < (1 - MOST_CONTROLS) * len(sample):
        return True
    return 0 in sample and not _is_utf8(sample)


def _is_utf8(sample: bytes) -> bool:
    """Whether it is, but for a character that the end may have cut."""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4
    return True


@cache
def _find_zstd() -> ModuleType | None:
    """Python's own module (from 3.14 on), or the package `zstandard`; None if neither is there."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return None


def _open_zstd(stream: BinaryIO) -> Any:
    zstd = _find_zstd()
    if zstd is None:
        raise ValueError("zstd, for which Python 3.14 or the package zstandard is needed (or: zstd -d FILE)")
    return zstd.open(stream, "rb")


_COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b\x08", gzip.open),
    *(
        Compression("bzip2", b"BZh%d" % level + end, bz2.open)
        for level in range(1, 10)
        for end in (b"1AY&SY", b"\x17rE8P\x90")
    ),
    Compression("xz", b"\xfd7zXZ\x00", lzma.open),
    Compression("zstd", b"\x28\xb5\x2f\xfd", _open_zstd),
)
MARK = BOM_UTF8
"""The byte-order mark in UTF-8, as it stands at the start of each file that `cat` has joined."""
