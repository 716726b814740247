"""Sibling files: the validation and test files that stand beside a training file under a name like its own."""

import re
from pathlib import Path

_TRAIN = re.compile(r"(?<![A-Za-z])(training|train|trn)(?![A-Za-z])")
_NAMES = {
    "valid": ("valid", "validation", "val", "dev", "tune"),
    "test": ("test", "tst", "eval"),
}
_ENDINGS = ("", ".gz", ".bz2", ".xz", ".zst")


def find_sibling(path: Path, part: str) -> Path | None:
    """The file of `part` (valid or test) beside a training file: `train.de.gz` has `dev.de`, or `test_2016.de.gz`."""
    return next(iter(_siblings(path, part).values()), None)


def find_siblings(source: Path, target: Path, part: str) -> tuple[Path, Path] | None:
    """The files of `part` beside both sides, whose names have the same word in place of `train`."""
    sources, targets = _siblings(source, part), _siblings(target, part)
    pairs = ((found, targets[name]) for name, found in sources.items() if name in targets)
    return next((pair for pair in pairs if pair[0] != pair[1]), None)


def _siblings(path: Path, part: str) -> dict[str, Path]:
    """What stands in place of `train`, such as `dev` or `test_2016`, and the file; the plain words first."""
    if not _TRAIN.search(path.name):
        return {}
    before, _, after = _TRAIN.sub("\0", _without_ending(path), count=1).partition("\0")
    pattern = re.compile(rf"{re.escape(before)}((?:{'|'.join(_NAMES[part])})[\w-]*){re.escape(after)}")
    files = sorted(path.parent.iterdir(), key=lambda file: (file.name != _without_ending(file), file.name))
    found = [(match[1], file) for file in reversed(files) if (match := pattern.fullmatch(_without_ending(file)))]
    plain = {name: rank for rank, name in enumerate(_NAMES[part])}
    return dict(sorted(dict(found).items(), key=lambda item: (plain.get(item[0], len(plain)), item[0])))


def _without_ending(path: Path) -> str:
    return path.name.removesuffix(path.suffix) if path.suffix in _ENDINGS else path.name
