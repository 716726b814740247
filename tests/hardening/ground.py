"""The ground of bad inputs: a folder with good runs, texts and links, and with files that are bad in many ways."""

import bz2
import gzip
import json
import lzma
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.train import train
from nmt_attn.options.training import TrainOptions

TINY = """\
run: {name: trained, dir: runs, device: cpu, precision: fp32}
data:
  train: {builtin: demo, split: train, limit: 12}
  valid: {builtin: demo, split: valid, limit: 3}
model:
  encoder: {hidden: 5, embedding: 7}
  decoder: {hidden: 11, embedding: 3}
training: {updates: 3, checkpoint_updates: 1, keep_best: 2, validate_updates: 1, batch_tokens: 100}
"""
_BLOCK = 1 << 24  # of a compressed file that becomes far larger when it is read


def make_ground(folder: Path) -> None:
    """Fills a new folder."""
    folder.mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        (folder / "tiny.yaml").write_text(TINY)
        train(TrainOptions(config=Path("tiny.yaml")))
        make_run(folder, name="mine")
        make_run(folder / "other", name="turned", is_turned=True)
        (folder / "gold.pharaoh").write_text("0-0 1-1\n\n0-0 1p1\n0-0\n0-0\n")
        (folder / "gold.naacl").write_text("1 1 1\n3 1 1 S\n5 2 2 P\n")
        (folder / "pairs.tsv").write_text("".join(f"gato {n}\tcat {n}\n" for n in range(40)))
        (folder / "sweep.yaml").write_text("config: tiny.yaml\ngrid: {search.beam: [1, 2]}\nseeds: 2\n")
        (folder / "dictionary.tsv").write_text("gato\tcat\nperro\tdog\n")
        (folder / "constraints.txt").write_text("cat\n\n\tdog\n\n\n")
        bad = folder / "bad"
        bad.mkdir()
        for name, content in bad_contents().items():
            (bad / name).write_bytes(content)
        _make_odd_places(bad)
        for name, damage in MODEL_DAMAGE.items():
            shutil.copytree(folder / "runs" / "mine", folder / "damaged" / name)
            damage(folder / "damaged" / name)
            if name.startswith(("config", "vocabulary")):  # and without the digests that would tell at once
                shutil.copytree(folder / "damaged" / name, folder / "damaged" / f"older-{name}", symlinks=True)
                forget = _metadata(vocabulary=None, config=None)
                _change("model.safetensors", forget)(folder / "damaged" / f"older-{name}")
    finally:
        os.chdir(before)


@cache
def bad_contents() -> dict[str, bytes]:
    """By the name of the file: what no command expects."""
    text = "".join(f"{line}\n" for line in SOURCES).encode()
    links = b"0-0\n" * 5
    return {
        "empty": b"",
        "newlines": b"\n" * 5,
        "spaces": b"   \n" * 5,
        "nul": bytes(3000),
        "nul-lines": b"a\0b\n" * 5,
        "not-utf8": b"gato \xff\xfe\n" * 5,
        "surrogates": b"\xed\xa0\x80\n" * 5,
        "bytes": bytes(range(256)) * 20,
        "escapes": b"\x1b[31m\x1b]0;title\x07 \x9b31m\r\x08\n" * 5,
        "c1-controls": "\u009b31m \u202egato\n".encode() * 5,
        "escape-links": b"0-\x1b[31m0\n" * 5,
        "one-line": text.replace(b"\n", b" "),
        "too-few": text.splitlines(keepends=True)[0],
        "too-many": text * 3,
        "long-line": b"gato " * 400_000 + b"\n",
        "long-word": b"g" * 3_000_000 + b"\n",
        "many-lines": b"0-0\n" * 200_000,
        "long-number": b"0-" + b"9" * 5000 + b"\n" + links,
        "large-number": b"0-99999999999999999999\n" + links,
        "large-link": b"0-999999999\n" + links,
        "negative-link": b"-1-2\n" + links,
        "arabic-digits": "٠-٠\n".encode() * 5,
        "naacl-large": b"999999999 1 1\n",
        "naacl-long": b"9" * 5000 + b" 1 1\n",
        "naacl-zero": b"0 0 0\n",
        "tabs": b"\t\t\t\n" * 5,
        "tabs-dictionary": b"a\tb\tc\n",
        "mark": b"\xef\xbb\xbf" * 3 + text,
        "utf16": text.decode().encode("utf-16"),
        "utf16-half": text.decode().encode("utf-16")[:-1],
        "utf32": text.decode().encode("utf-32"),
        "cut.gz": gzip.compress(text * 50)[:60],
        "flipped.gz": gzip.compress(text)[:-6] + b"xxxxxx",
        "twice.gz": gzip.compress(gzip.compress(text)),
        "cut.bz2": bz2.compress(text)[:20],
        "cut.xz": lzma.compress(text)[:40],
        "bomb-line.gz": gzip.compress(b"a" * _BLOCK) * 200,
        "bomb-lines.gz": gzip.compress(b"0-0\n" * (_BLOCK // 4)) * 200,
        "bomb.xz": lzma.compress(b"a " * (_BLOCK // 2)) * 200,
        "bomb.bz2": bz2.compress(b"a\n" * (1 << 20)) * 1200,
        "deep.json": b"[" * 100_000,
        "deep-object.json": b'{"a":' * 100_000,
        "number.json": b"9" * 5000 + b"\n",
        "types.jsonl": b'{"source": 1, "target": null}\n[]\nnull\n"a"\n{}\n',
        "log.jsonl": b'{"update": "x", "loss": [], "bleu": {}}\n' * 3,
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "weights.safetensors": (1 << 62).to_bytes(8, "little") + b"{}",
        "pickle.pkl": b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
        "config-empty.yaml": b"",
        "config-list.yaml": b"- a\n- b\n",
        "config-text.yaml": b"text\n",
        "config-aliases.yaml": _aliases(20),
        "config-deep.yaml": b"a: " + b"[" * 5000 + b"]" * 5000 + b"\n",
        "config-deep-blocks.yaml": b"".join(b" " * i + b"a:\n" for i in range(2000)),
        "config-self.yaml": b"a: &a [*a]\n",
        "config-extends-self.yaml": b"extends: config-extends-self.yaml\n",
        "config-extends-odd.yaml": b"extends: " + b"x" * 5000 + b"\n",
        "config-extends-user.yaml": b"extends: ~nosuchuser/a.yaml\n",
        "config-extends-nul.yaml": b'extends: "a\\0b.yaml"\n',
        "config-extends-device.yaml": b"extends: /dev/zero\n",
        "config-keys.yaml": b"".join(b"key%d: 1\n" % i for i in range(20_000)),
        "config-model-keys.yaml": b"model:\n" + b"".join(b"  layer%d: 1\n" % i for i in range(20_000)),
        "config-escape-keys.yaml": b'"\\e[31mred": 1\nmodel: {"\\e]0;t\\a": 2}\n',
        "config-escape-values.yaml": b'run: {device: "\\e[31mred", name: "\\e[2J"}\n',
        "config-tag.yaml": b"run: !!python/object/apply:os.system ['touch pwned']\n",
        "config-long-number.yaml": b"run: {seed: " + b"9" * 5000 + b"}\n",
        "config-float.yaml": b"model: {encoder: {hidden: 1e400}}\n",
        "config-merge.yaml": b"a: &a {b: 1}\nrun: {<<: *a}\n",
        "config-documents.yaml": b"run: {seed: 1}\n---\nrun: {seed: 2}\n",
        "config-long-name.yaml": b"run: {name: " + b"x" * 300 + b"}\ndata: {train: {limit: 5}}\n",
        "config-long-text.yaml": b"run: {device: " + b"x" * 1_000_000 + b"}\n",
        "config-nul-dir.yaml": b'run: {dir: "a\\0b"}\n',
        "config-tabs.yaml": b"run:\n\tseed: 1\n",
        "sweep-seeds.yaml": b"config: demo\nseeds: 1000000000000\n",
        "sweep-grid.yaml": b"config: demo\ngrid:\n" + b"".join(b"  a%d: [1, 2, 3]\n" % i for i in range(400)),
        "sweep-random.yaml": b"config: demo\nrandom: {samples: 99, keys: {search.beam: {from: -1e12, to: 1e12}}}\n",
        "sweep-step.yaml": b"config: a\nrandom: {samples: 2, keys: {search.alpha: {from: 0, to: 1, step: 1e-320}}}\n",
        "sweep-nan.yaml": b"config: demo\nrandom: {samples: 9, keys: {search.alpha: {from: .nan, to: .inf}}}\n",
        "sweep-odd.yaml": b'config: "a\\0b"\nname: "\\e[31m"\ngrid: {"": []}\n',
        "sweep-config.yaml": b"config: ~nosuchuser/a.yaml\nset: {run.dir: 3, a: {b: {c: 1}}}\n",
    }


def _aliases(depth: int) -> bytes:
    """Nine of the line before, on each line: 9^depth values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return ("\n".join(lines) + "\n").encode()


def _make_odd_places(folder: Path) -> None:
    (folder / "folder").mkdir()
    (folder / "locked").mkdir()
    (folder / "locked" / "a").write_text("a\n")
    (folder / "locked").chmod(0)
    (folder / "dangling").symlink_to("nothing/there")
    (folder / "loop").symlink_to("loop")
    (folder / "link-to-passwd").symlink_to("/etc/passwd")


def _put(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        for place in (run, run / "best"):
            if (place / name).exists():
                (place / name).write_bytes(content)

    return damage


def _change(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        path = run / "best" / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def _link(name: str, target: str) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        (run / "best" / name).unlink()
        (run / "best" / name).symlink_to(target)

    return damage


def _metadata(**values: object) -> Callable[[bytes], bytes]:
    """Other values in a file of weights; None: without the key."""

    def change(content: bytes) -> bytes:
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        metadata = {**header["__metadata__"], **values}
        header["__metadata__"] = {key: value for key, value in metadata.items() if value is not None}
        encoded = json.dumps(header).encode()
        return len(encoded).to_bytes(8, "little") + encoded + content[8 + size :]

    return change


MODEL_DAMAGE: dict[str, Callable[[Path], None]] = {
    "weights-empty": _put("model.safetensors", b""),
    "weights-text": _put("model.safetensors", b"gato\n" * 1000),
    "weights-huge-header": _put("model.safetensors", (1 << 62).to_bytes(8, "little")),
    "weights-cut": _change("model.safetensors", lambda content: content[:-9]),
    "weights-size-word": _change("model.safetensors", _metadata(source_size="many")),
    "weights-size-negative": _change("model.safetensors", _metadata(source_size="-3")),
    "weights-size-huge": _change("model.safetensors", _metadata(source_size=str(10**15))),
    "weights-size-long": _change("model.safetensors", _metadata(source_size="9" * 5000)),
    "weights-size-other": _change("model.safetensors", _metadata(source_size="7")),
    "config-empty": _put("config.yaml", b""),
    "config-aliases": _put("config.yaml", _aliases(20)),
    "config-huge": _put("config.yaml", b"model: {encoder: {hidden: 1000000000000000}}\n"),
    "config-layers": _put("config.yaml", b"model: {encoder: {layers: 100000000}}\n"),
    "config-other-sizes": _put("config.yaml", b"model: {encoder: {hidden: 13}}\n"),
    "config-self": _put("config.yaml", b"a: &a [*a]\n"),
    "config-deep": _put("config.yaml", b"a: " + b"[" * 50_000 + b"\n"),
    "config-extends": _put("config.yaml", b"extends: /etc/passwd\n"),
    "config-zero-device": _link("config.yaml", "/dev/zero"),
    "vocabulary-passwd": _link("vocab/source.txt", "/etc/passwd"),
    "vocabulary-json-passwd": _link("vocab/source.json", "/etc/passwd"),
    "vocabulary-zero-device": _link("vocab/source.txt", "/dev/zero"),
    "vocabulary-deep": _put("vocab/source.json", b"[" * 100_000),
    "vocabulary-number": _put("vocab/source.json", b"9" * 5000),
    "vocabulary-kind": _put("vocab/source.json", b'{"tokenizer": "\\u001b[31m", "lowercase": 0}'),
    "vocabulary-empty": _put("vocab/source.txt", b""),
    "vocabulary-first": _put("vocab/source.txt", b"\x1b[31m" + b"x" * 5000 + b"\n"),
    "vocabulary-twice": _put("vocab/source.txt", b"<pad>\n<unk>\n<s>\n</s>\n" + b"\x1b[31m\n" * 9),
    "vocabulary-folder": lambda run: _replace_by_folder(run / "best" / "vocab" / "source.txt"),
    "vocabulary-missing": lambda run: shutil.rmtree(run / "best" / "vocab"),
    "shortlist-huge": lambda run: _shortlist(run, b"1000000000000000 1000000000000000\n"),
    "shortlist-long": lambda run: _shortlist(run, b"9" * 5000 + b" " + b"9" * 5000 + b"\n"),
    "shortlist-head": lambda run: _shortlist(run, "²  ²\n".encode()),
    "log": lambda run: _put_new(run / "log.jsonl", b'{"update": "x", "loss": []}\n[1]\nnull\n' + b"[" * 100_000),
    "log-escapes": lambda run: _put_new(run / "log.jsonl", b'{"\\u001b[31m": "\\u001b[31m"}\n\x1b[31m\n'),
}
"""By name: what makes a bad run of a good one."""


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _shortlist(run: Path, sizes: bytes) -> None:
    from nmt_attn.model.store import SHORTLIST
    from nmt_attn.search.shortlist import HEADER

    (run / "best" / SHORTLIST).write_bytes(HEADER.encode() + b" " + sizes + b"\n" * 3)


def _put_new(path: Path, content: bytes) -> None:
    path.write_bytes(content)


DAMAGED = [*MODEL_DAMAGE, *(f"older-{name}" for name in MODEL_DAMAGE if name.startswith(("config", "vocabulary")))]
"""The bad runs that there are."""
assert len(SOURCES) == len(REFERENCES) == 5, "the links above are of five sentences"
