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
    if not _TRAIN.search(path.name):
        return None
    plain = path.name.removesuffix(path.suffix) if path.suffix in _ENDINGS else path.name
    for name in _NAMES[part]:
        stem = _TRAIN.sub(name, plain, count=1)
        for ending in _ENDINGS:
            if (found := path.with_name(stem + ending)).is_file():
                return found
    before, _, after = _TRAIN.sub("\0", plain, count=1).partition("\0")
    pattern = re.compile(rf"{re.escape(before)}(?:{'|'.join(_NAMES[part])})[\w-]*{re.escape(after)}")
    matches = (file for file in sorted(path.parent.iterdir()) if pattern.fullmatch(_without_ending(file)))
    return next(matches, None)


def _without_ending(path: Path) -> str:
    return path.name.removesuffix(path.suffix) if path.suffix in _ENDINGS else path.name
