"""`extends: NAME` at the top of a configuration file: the file says only what differs from another one.

NAME is a path, relative to the file that names it, or the bare name of a configuration that the package ships
(`extends: eutrans-luong`). Sections are merged key by key; numbers, texts and lists replace what stood there. A corpus
that names another form (two files, tsv, jsonl, dataset, builtin) takes over nothing from the corpus it replaces.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nmt_attn.config.key_paths import Keys, locate
from nmt_attn.config.messages import did_you_mean, show
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.config.yaml_io import parse_yaml
from nmt_attn.errors import ConfigError, DataError, UserError
from nmt_attn.files import usable_path
from nmt_attn.registries import CORPUS_FORMS
from nmt_attn.text_io import read_text

EXTENDS = "extends"
_YAML = (".yaml", ".yml", ".json")
_LONGEST_NAME = 80
MOST_FILES = 20
"""Files that extend each other."""
_PACKAGE = Path(__file__).parents[1]
_SHIPPED = (_PACKAGE / "configs", _PACKAGE.parent / "configs")
"""Where shipped files are: in an installed package, and in a clone."""


class Layers(NamedTuple):
    """What a file and those that it extends hold together."""

    tree: dict[str, Any]
    messages: list[str]  # keys that a file gives twice
    files: dict[Keys, str]  # the file that a key comes from, where there are several or a run wrote it
    is_resolved: bool = False  # written by a run, with every section, and not by hand


def shipped_names() -> list[str]:
    """The bare names of all shipped configurations."""
    return sorted({file.stem for folder in _SHIPPED for file in folder.glob("*.yaml")})


def own_names(folder: Path) -> list[str]:
    """The names of the files in `folder` that look like configurations: nothing but sections of one."""
    return sorted(path.name for path in folder.glob("*.y*ml") if _is_config(path))


def _is_config(path: Path) -> bool:
    try:
        value, _ = parse_yaml(read_text(path), str(path))
    except UserError:
        return False
    return isinstance(value, dict) and bool(value) and value.keys() <= {EXTENDS, *Config.model_fields}


def find_config(path: Path) -> Path:
    """The file that a user means: `path`, or the shipped one if it is a bare name and no file. Raises ConfigError."""
    return path if path.is_file() or not _is_bare(str(path)) else _find_shipped(str(path))


def read_config(path: Path) -> str:
    """The text of a configuration file. Raises ConfigError, with the file in the same folder that was meant."""
    try:
        return read_text(path)
    except DataError as error:
        meant = did_you_mean(path.name, [file.name for file in path.absolute().parent.glob("*.y*ml")])
        hint = f" (did you mean {path.with_name(meant)}?)" if meant and not path.exists() else ""
        raise ConfigError(f"{error}{hint}") from error


def read_layers(text: str, path: Path) -> Layers:
    """The text of the file at `path`, on top of those that it extends.

    Raises ConfigError for malformed YAML, and with the whole chain for a file that is missing or extends itself.
    """
    return _read_layers(text, path, ())


def _read_layers(text: str, path: Path, above: tuple[Path, ...]) -> Layers:
    try:
        tree, messages = parse_yaml(text, str(path))
        if not isinstance(tree, dict | None):
            raise ConfigError(f"{path}: expected sections of keys and values, got {show(tree)}")
    except ConfigError as error:
        hint = (
            "" if path.suffix in _YAML else " (nmt-attn init makes a configuration of a corpus: nmt-attn init --help)"
        )
        raise ConfigError(f"{error}{hint}") from error
    tree = tree or {}
    if EXTENDS not in tree:
        is_resolved = Config.model_fields.keys() <= tree.keys()
        files = dict.fromkeys(_all_paths(tree, ()), str(path)) if is_resolved or above else {}
        return Layers(tree, messages, files, is_resolved)
    name = tree.pop(EXTENDS)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{path}: {EXTENDS}: expected a file or the name of a shipped one, got {show(name)}")
    chain = (*above, path)
    if len(chain) > MOST_FILES:
        raise ConfigError(f"{path}: {EXTENDS}: expected at most {MOST_FILES} files that extend each other, got more")
    base = _base(name, chain)
    _leave_out_builtin(base.tree, tree)
    files = base.files | dict.fromkeys(_all_paths(tree, ()), str(path))
    return Layers(_merge(base.tree, tree, ()), base.messages + messages, files)


def _base(name: str, chain: tuple[Path, ...]) -> Layers:
    """What the last file of the chain extends."""
    try:
        path = _locate_base(name, chain[-1])
        if path.resolve() in {file.resolve() for file in chain}:
            raise ConfigError(
                f"{chain[-1]}: {EXTENDS}: expected a file that does not extend this one, got {show(name)}"
            )
        text = read_config(path)
    except (ConfigError, DataError) as error:
        words = " -> ".join([*map(str, chain), name[:_LONGEST_NAME]])
        raise ConfigError(f"{error} ({EXTENDS}: {words})") from error
    return _read_layers(text, path, chain)


def _locate_base(name: str, path: Path) -> Path:
    where = f"{path}: {EXTENDS}"
    return _find_shipped(name) if _is_bare(name) else usable_path(path.parent / usable_path(name, where), where)


def _find_shipped(name: str) -> Path:
    for folder in _SHIPPED:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    meant = did_you_mean(name, shipped_names())
    hint = f"did you mean {meant}?" if meant else f"shipped: {', '.join(shipped_names())}"
    raise ConfigError(f"{name}: expected a configuration file or the name of a shipped one, got neither ({hint})")


def _is_bare(name: str) -> bool:
    """Whether it is a name without folder and ending."""
    return Path(name).name == name and not name.endswith((".yaml", ".yml"))


def _all_paths(tree: dict[str, Any], above: Keys) -> Iterator[Keys]:
    for key, value in tree.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _all_paths(value, (*above, key))


def _merge(base: dict[str, Any], own: dict[str, Any], above: Keys) -> dict[str, Any]:
    """`own` on top of `base`, the values of the section `above`."""
    merged = dict(base)
    for key, value in own.items():
        keys, old = (*above, key), base.get(key)
        if not isinstance(old, dict) or not isinstance(value, dict | None) or _is_other_form(keys, old, value or {}):
            merged[key] = value
        else:
            merged[key] = _merge(old, value or {}, keys)
    return merged


def names_own_text(corpus: Any) -> bool:
    """Whether a corpus says where its text is, and that is not the built-in one."""
    if not isinstance(corpus, dict) or corpus.get("builtin") is not None:
        return False
    return any(corpus.get(place) is not None for place in ("source", "target", *CORPUS_FORMS))


def _leave_out_builtin(base: dict[str, Any], own: dict[str, Any]) -> None:
    """Where a file brings training text of its own, no corpus beside it stays the built-in one of its base."""
    data, corpora = own.get("data"), base.get("data")
    if not isinstance(data, dict) or not isinstance(corpora, dict) or not names_own_text(data.get("train")):
        return
    for name in ("valid", "test"):
        if isinstance(corpora.get(name), dict) and _form(corpora[name]) == "builtin":
            del corpora[name]


def _is_other_form(keys: Keys, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether both are corpora, and the new one says in another way where its text is."""
    place = locate(keys)
    is_corpus = place.section is CorpusConfig and not place.rest
    return is_corpus and _form(new) is not None and _form(new) != _form(old)


def _form(corpus: dict[str, Any]) -> str | None:
    """The key that says where the text is, `files` for two files, or None if nothing does."""
    named = [form for form in CORPUS_FORMS if corpus.get(form) is not None]
    if named:
        return named[0]
    return "files" if corpus.get("source") is not None and corpus.get("target") is not None else None
