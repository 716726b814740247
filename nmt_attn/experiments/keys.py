"""Keys: what a run's result follows from. Runs with one key are one run, which a sweep trains once."""

import functools
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nmt_attn.config.schema import Config
from nmt_attn.data.codec import like_codecs
from nmt_attn.data.fingerprints import corpus_files, digest, fingerprints
from nmt_attn.files import usable_path
from nmt_attn.model.store import VOCAB, WEIGHTS, model_folder
from nmt_attn.version import __version__

WITHOUT_EFFECT = {
    "run": ("name", "dir"),
    "data": ("test", "cache"),
    "training": ("alignment_picture", "checkpoint_updates", "keep_last", "keep_best"),
}
"""Keys that the weights and their validation do not follow from; nor do they from `search` and `evaluate`."""

_PACKAGE = Path(__file__).parents[1]


def training_key(config: Config) -> str:
    """16 hexadecimal digits: of the resolved configuration, the content of the data and the code. Raises DataError."""
    tree = config.model_dump(mode="json", exclude={"search", "evaluate"})
    for section, names in WITHOUT_EFFECT.items():
        for name in names:
            del tree[section][name]
    return _hash(
        {
            "config": tree,
            "data": _data(config),
            "start": _start(config),
            "words": _words(config),
            "code": code_version(),
        }
    )


def measure_key(config: Config, part: str) -> str:
    """Likewise of the translations of a part of the data by the best model."""
    test = {} if part == "valid" else _digests(corpus_files(config.data.test, config.data.root))
    search = config.search.model_dump(mode="json")
    return _hash(
        {"run": training_key(config), "part": part, "test": [config.data.test.model_dump(), test], "s": search}
    )


@functools.cache
def code_version() -> str:
    """The version of this package with a digest of its source, and that of PyTorch."""
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(_PACKAGE.rglob("*.py")):
        found.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes())
    return f"{__version__} {found.hexdigest()}, torch {version('torch')}"


def _data(config: Config) -> dict[str, dict[str, str]]:
    return _known_data(config.data.model_dump_json(exclude={"test", "cache"}), config)


_DATA: dict[str, dict[str, dict[str, str]]] = {}


def _known_data(text: str, config: Config) -> dict[str, dict[str, str]]:
    """The digests by key and name; files of equal sections are read once a process."""
    if text not in _DATA:
        states = fingerprints(config, {})
        _DATA[text] = {key: {name: state[2] for name, state in files.items()} for key, files in states.items()}
    return _DATA[text]


def _start(config: Config) -> dict[str, str] | None:
    """The weights and words that a warm start reads."""
    if config.training.init_from is None:
        return None
    folder = model_folder(usable_path(config.training.init_from, "training.init_from"))
    paths = [folder / WEIGHTS, *sorted((folder / VOCAB).iterdir())]
    return _digests({path.name: path for path in paths})


def _words(config: Config) -> str | None:
    """The vocabulary that is another model's."""
    return None if config.tokenizer.like is None else like_codecs(config.tokenizer).digest()


def _digests(files: dict[str, Path]) -> dict[str, str]:
    return {name: digest(path) for name, path in files.items() if path.is_file()}


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()
