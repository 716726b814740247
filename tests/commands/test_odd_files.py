"""Text files as they come from other systems: with marks, line ends, encodings and compression of many kinds.

Each gives what the plain file gives, with a note, or is refused with its cause.
"""

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.translate import translate
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import DataError, UserError
from nmt_attn.model.store import load_model, save_model
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.text_io import read_lines, read_text

TEXT = "Zwölf Hunde\nलाइट ऊन बंद करो\n\nthe end\n"
LINES = TEXT.split("\n")[:-1]


ENCODINGS: dict[str, tuple[bytes, str]] = {
    "plain": (TEXT.encode(), ""),
    "mark": (b"\xef\xbb\xbf" + TEXT.encode(), "byte-order mark at the start of a.txt, left out"),
    "returns": (TEXT.replace("\n", "\r\n").encode(), "\\r\\n line ends in a.txt, read as \\n"),
    "utf16": (TEXT.encode("utf-16"), "a.txt is UTF-16, read as such"),
    "utf16 big": ("\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), "a.txt is UTF-16, read as such"),
    "utf16 little, no mark": (TEXT.encode("utf-16-le"), "a.txt is UTF-16, read as such"),
    "utf16 big, no mark": (TEXT.encode("utf-16-be"), "a.txt is UTF-16, read as such"),
}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "gzip in two parts": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_is_known_by_its_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str, compression: str
) -> None:
    data, note = ENCODINGS[encoding]
    path = tmp_path / "a.txt"
    path.write_bytes(COMPRESSIONS[compression](data))
    assert read_lines(path) == LINES
    assert capsys.readouterr().err == (f"note: {note}\n" if note else "")
    assert read_text(path) == TEXT


def test_files_joined_by_cat_have_no_marks_left(tmp_path: Path) -> None:
    path = tmp_path / "both.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\xef\xbb\xbftwo\n")
    assert read_lines(path) == ["one", "two"]


def array() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.arange(5))
    return stream.getvalue()


BINARY = {
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary content, a PNG picture"),
    "npz": (array(), r"binary content, a zip archive \(as \.xlsx and \.npz are"),
    "png in gzip": (gzip.compress(b"\x89PNG\r\n\x1a\n"), "binary content, a PNG picture"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"text")), "content that is compressed twice, by gzip inside"),
    "weights": ((40).to_bytes(8, "little") + b'{"a": ' + bytes(99), "binary content"),
    "noise": (np.random.default_rng(1).bytes(5000), "binary content"),
    "utf-32": ("text".encode("utf-32"), "UTF-32"),
}


@pytest.mark.parametrize("name", BINARY)
def test_what_is_no_text_is_refused_with_what_it_is(tmp_path: Path, name: str) -> None:
    data, message = BINARY[name]
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    for read in (read_lines, lambda path: list(translated(path))):
        with pytest.raises(DataError, match=rf"a\.txt: expected UTF-8 text, got {message}"):
            read(path)


def translated(path: Path) -> object:
    """The windows that `translate --input` reads."""
    from nmt_attn.text_io import read_windows

    return read_windows(path, 9)


def test_zstd_is_read_or_its_module_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    # a frame with one raw block, as RFC 8878 lays it out: magic, descriptor, content size, header of 3 bytes
    path.write_bytes(b"\x28\xb5\x2f\xfd\x20\x05" + (1 | 5 << 3).to_bytes(3, "little") + b"text\n")
    try:
        import zstandard  # type: ignore[import-not-found]  # noqa: F401
    except ModuleNotFoundError:
        if sys.version_info < (3, 14):
            with pytest.raises(DataError, match=r"a\.txt: expected text, got zstd, for which .* zstandard is needed"):
                read_lines(path)
            return
    assert read_lines(path) == ["text"]


# ---- every option of translate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model writes `<unk>` gladly."""
    run = make_run(tmp_path_factory.mktemp("odd"))
    model = load_model(run / "best")
    model.output.bias.data[3] = 1.0
    from nmt_attn.config.file import load_config

    config = load_config(run / "config.yaml", [])
    save_model(model, config, run / "best", vocabulary=load_codecs(run / "best" / "vocab").digest())
    return run


FILES = {
    "input": "".join(f"{line}\n" for line in SOURCES),
    "prefix": "the\n\na\ntwo\n\n",
    "constraints": "cat\n\nthe dog\tblack\n\ncat\n",
    "dictionary": "gato\tcat\nperro\tdog hound\n",
    "reference": "".join(f"{line}\n" for line in REFERENCES),
}


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "plain"])
@pytest.mark.parametrize("option", FILES)
def test_translate_reads_every_file_so(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, encoding: str
) -> None:
    found = []
    for kind in ("plain", encoding):
        given = {"input": tmp_path / "input.txt", option: as_given(option, tmp_path / "a.txt")}
        (tmp_path / "input.txt").write_text(FILES["input"], encoding="utf-8", newline="\n")
        data = ENCODINGS[kind][0]
        text = FILES[option]
        coded = text.replace("\n", "\r\n").encode() if kind == "returns" else recoded(text, data)
        (tmp_path / "a.txt").write_bytes(coded)
        translate(TranslateOptions(model=(run,), **given))  # type: ignore[arg-type]
        found.append(capsys.readouterr())
    plain, odd = found
    assert odd.out == plain.out
    assert odd.err.count("note: ") == plain.err.count("note: ") + 1
    assert f"note: {ENCODINGS[encoding][1]}" in odd.err


def as_given(option: str, path: Path) -> Path | tuple[Path, ...]:
    """What the record holds: several references, one file of each other kind."""
    return (path,) if option == "reference" else path


def recoded(text: str, like: bytes) -> bytes:
    """The text in the encoding, and with the mark, of these bytes."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if like.startswith(mark):
            return mark + text.encode(encoding)
    return text.encode("utf-16-le" if like[1] == 0 else "utf-16-be" if like[0] == 0 else "utf-8")


@pytest.mark.parametrize("option", FILES)
def test_translate_refuses_a_picture_in_every_file(run: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "input.txt").write_text(FILES["input"], encoding="utf-8")
    (tmp_path / "a.txt").write_bytes(BINARY["png"][0])
    given = {"input": tmp_path / "input.txt", option: as_given(option, tmp_path / "a.txt")}
    with pytest.raises(UserError, match=r"a\.txt: expected UTF-8 text, got binary content, a PNG picture"):
        translate(TranslateOptions(model=(run,), output=tmp_path / "out.txt", **given))  # type: ignore[arg-type]
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_standard_input_may_be_compressed(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], compress: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.txt").write_text(FILES["input"], encoding="utf-8", newline="\n")
    translate(TranslateOptions(model=(run,), input=tmp_path / "a.txt"))
    expected = capfd.readouterr().out
    (tmp_path / "b").write_bytes(compress((tmp_path / "a.txt").read_bytes()))
    with (tmp_path / "b").open() as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stream)
        translate(TranslateOptions(model=(run,)))
    assert capfd.readouterr().out == expected
