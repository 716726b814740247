"""How a YAML file and `--set section.key=value` become a `Config`, and a `Config` becomes a file.

All mistakes are found before any is reported: one ConfigError, one line for each.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from nmt_attn.config.base import Section
from nmt_attn.config.data_paths import find_beside
from nmt_attn.config.extends import EXTENDS, Layers, find_config, names_own_text, read_config, read_layers
from nmt_attn.config.key_paths import Keys, all_keys, locate, section_of
from nmt_attn.config.messages import Idle, as_options, did_you_mean, join_words, show
from nmt_attn.config.reference import choices_of, describe, kinds_of
from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import Config, DataConfig
from nmt_attn.config.yaml_io import format_yaml, parse_yaml
from nmt_attn.errors import ConfigError
from nmt_attn.files import write_text
from nmt_attn.registries import CORPUS_FORMS

HELD_OUT = 0.05
"""data.held_out.valid where the user names training text and no validation corpus."""

_LONGEST_LIST = 100
"""Letters of the list of a section's keys, where nothing is like the misspelt one."""
MOST_MISTAKES = 50
"""Mistakes that one message lists."""
_LONGEST_NAME = 80
"""Letters of a misspelt key that are shown and compared with others."""
_MOST_MEANT, _FEWEST_LETTERS = 2, 3

_CORPORA = ("train", "valid", "test")
_PLACES = {"source", "target", *CORPUS_FORMS}
_TRUTH_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class _Mistake(NamedTuple):
    """A message about the value at `keys`, and the keys that the user may have meant instead."""

    keys: Keys
    message: str
    meant: tuple[Keys, ...] = ()


def load_config(path: Path, overrides: Sequence[str], options: Mapping[str, str] | None = None) -> Config:
    """The configuration in the file at `path`, with `overrides` (`section.key=value`) on top.

    Messages name `options` in place of the keys that these stand for.

    A bare name that is no file, such as `demo`, stands for the shipped configuration of that name. What the file
    extends: nmt_attn/config/extends.py. Where its data is: nmt_attn/config/data_paths.py. Raises ConfigError with every
    mistake of all files and overrides, one a line.
    """
    path = find_config(path)
    try:
        config = parse_config(read_config(path), overrides, str(path))
    except ConfigError as error:
        raise as_options(error, options or {}) from error
    return find_beside(config, path.parent)


def load_resolved(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Like `load_config`, of the file that a run or a model keeps, which has every key.

    What nothing reads there may have any value, as it was the default of an earlier version; not so an override.
    """
    given = {override.partition("=")[0].strip() for override in overrides}

    def is_accepted(message: str) -> bool:
        return isinstance(message, Idle) and message.key not in given

    path = find_config(path)
    return find_beside(_validate(_layers(read_config(path), overrides, str(path)), is_accepted), path.parent)


def parse_config(text: str, overrides: Sequence[str], where: str) -> Config:
    """Like `load_config`, from the text of a file called `where`."""
    return _validate(_layers(text, overrides, where))


def dump_config(config: Config) -> str:
    """Every key with its value as YAML; `parse_config` reads it back equal."""
    return format_yaml(config.model_dump(mode="json"))


def save_config(config: Config, path: Path) -> None:
    """Writes `dump_config` to `path`. Raises DataError."""
    write_text(path, dump_config(config))


def json_schema() -> str:
    """The JSON schema of a configuration file, for editors that check while one types."""
    schema = Config.model_json_schema()
    about = "file, or name of a shipped one, whose values hold where this file names none"
    schema["properties"] = {EXTENDS: {"type": "string", "description": about}} | schema["properties"]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _layers(text: str, overrides: Sequence[str], where: str) -> Layers:
    layers = read_layers(text, Path(where))
    for override in overrides:
        layers.messages.extend(_override(layers, override))
    return layers


def _override(layers: Layers, override: str) -> list[str]:
    """Sets one key in the tree; gives back what is wrong with the form of the override."""
    path, equals, text = (part.strip() for part in override.partition("="))
    keys = tuple(path.split("."))
    if not equals or not all(keys):
        return [f"--set {override[:_LONGEST_NAME]}: expected section.key=value, got {show(override)}"]
    try:
        value, messages = parse_yaml(text, f"--set {path}")
    except ConfigError as error:
        return [str(error)]
    place = locate(keys)
    if place.rest and place.section is None:
        return [f"--set {path}: expected the path of a key, got more after {'.'.join(place.known)}"]
    for known in [known for known in layers.files if known[: len(keys)] == keys]:
        del layers.files[known]  # which comes from no file any more
    node: Any = layers.tree
    for key in keys[:-1]:
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            return messages  # the mistake is in the file, and is found there
    node[keys[-1]] = value
    return messages


def _validate(layers: Layers, is_accepted: Callable[[str], bool] = lambda message: False) -> Config:
    """The configuration that the layers hold. Raises ConfigError with everything that is wrong in them.

    `is_accepted`: of a message about keys that cannot stand together, whether they may.
    """
    tree = layers.tree
    _fill_in(tree, ())
    _fill_in_corpora(tree)
    mistakes: list[_Mistake] = []
    try:
        config = _read(tree)
    except ValidationError as error:
        mistakes = _explain(error, layers)
        for mistake in mistakes:
            _remove(tree, mistake.keys)
        config = _read(tree)  # the rest, to find what contradicts in it
    messages = [*layers.messages, *(_with_file(mistake, layers) for mistake in mistakes)]
    contradicting = (message for message in contradictions(config) if not is_accepted(message))
    messages += [message for message in contradicting if not _is_doubtful(message, mistakes)]
    if messages:
        more = [f"and {len(messages) - MOST_MISTAKES:,} mistakes more"] if len(messages) > MOST_MISTAKES else []
        raise ConfigError("\n".join([*messages[:MOST_MISTAKES], *more]))
    return config


def _with_file(mistake: _Mistake, layers: Layers) -> str:
    """The message, after the file that the key comes from if there are several."""
    file = layers.files.get(mistake.keys)
    return mistake.message if file is None else f"{file}: {mistake.message}"


def _read(tree: dict[str, Any]) -> Config:
    """Through JSON, where lists stand for tuples and yet no text passes for a number."""
    return Config.model_validate_json(json.dumps(tree), strict=True)


def _fill_in(node: dict[str, Any], above: Keys) -> None:
    """Makes an empty section of null."""
    for key, value in node.items():
        keys = (*above, key)
        section = locate(keys).section
        if section is not None and not locate(keys).rest and isinstance(value, dict | None):
            node[key] = value = value or {}
            _fill_in(value, keys)


def _fill_in_corpora(tree: dict[str, Any]) -> None:
    """Lets a corpus that names no place keep the default's; beside training text of the user's own, holds out pairs."""
    data = tree.get("data")
    if not isinstance(data, dict):
        return
    is_own = names_own_text(data.get("train"))
    for name in _CORPORA:
        corpus = data.get(name, {} if is_own else None)
        if not isinstance(corpus, dict) or corpus.keys() & _PLACES:
            continue
        default = {} if is_own else getattr(DataConfig(), name).model_dump(exclude_defaults=True)
        data[name] = default | corpus
        if is_own and name == "valid" and isinstance(held_out := data.setdefault("held_out", {}), dict):
            held_out.setdefault("valid", HELD_OUT)


def _explain(error: ValidationError, layers: Layers) -> list[_Mistake]:
    """One mistake for each wrong key, however many ways pydantic has tried to read it."""
    mistakes: dict[Keys, _Mistake] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        place = locate(tuple(str(part) for part in detail["loc"]))
        unknown = place.rest[:1] if place.section is not None else ()
        keys = place.known + unknown
        if len(mistakes) > MOST_MISTAKES:  # will not be told: what may have been meant takes long to find
            mistakes[keys] = _Mistake(keys, f"{'.'.join(keys)}: expected something else")
        else:
            mistakes[keys] = _unknown_key(keys) if unknown else _wrong_value(keys, layers)
    return list(mistakes.values())


def _unknown_key(keys: Keys) -> _Mistake:
    """A mistake with the key that was meant: of the same name elsewhere, like it here, like it elsewhere."""
    *above, name = keys
    name = name[:_LONGEST_NAME]
    here = [known for known in all_keys() if known[:-1] == tuple(above)]
    meant = _meant_keys(name, here)
    section = ".".join(above)
    if not meant:
        names = _names(here)
        hint = f"known: {names}" if len(names) <= _LONGEST_LIST else "`nmt-attn config` shows every key"
    elif all(known in here for known in meant):
        hint = f"did you mean {join_words(show(known[-1]) for known in meant)}?"
    else:
        hint = f"did you mean {join_words(map('.'.join, meant))}?"
    expected = f"a key of {section}" if section else "a section"
    path = ".".join([*above, name])
    return _Mistake(keys, f"{path}: expected {expected}, got {show(name)} ({hint})", tuple(meant))


def _meant_keys(name: str, here: list[Keys]) -> list[Keys]:
    """The keys that a misspelt one may stand for, best first; `here` are those of its section."""
    known = list(all_keys())
    if same := [keys for keys in known if keys[-1] == name]:
        return same
    if like_here := did_you_mean(name, [keys[-1] for keys in here], likeness=0.85):
        return [keys for keys in here if keys[-1] == like_here]
    if akin := [keys for keys in here if _begin_alike(keys[-1], name)]:
        return akin[:_MOST_MEANT]
    for keys in (here, known):
        if like := did_you_mean(name, [each[-1] for each in keys], likeness=0.7 if keys is here else 0.8):
            return [each for each in keys if each[-1] == like]
    return [keys for keys in known if _begin_alike(keys[-1], name)][:_MOST_MEANT]


def _begin_alike(known: str, name: str) -> bool:
    """Whether a key's first word is that of `name`, and it has more: validate_every, validate_updates."""
    word, _, rest = name.lower().partition("_")
    return len(word) >= _FEWEST_LETTERS and bool(rest) and known.startswith(f"{word}_")


def _names(keys: list[Keys]) -> str:
    return ", ".join(known[-1] for known in keys)


def _wrong_value(keys: Keys, layers: Layers) -> _Mistake:
    value: Any = layers.tree
    for key in keys:
        value = value[key]
    field = locate(keys).field
    assert field is not None, "the root is a mapping"
    section = section_of(field)
    expected = "a section of keys and values" if section else describe(field, value)
    hint = _name_inside(section, keys, value) if section else _hint(field, value, is_resolved=layers.is_resolved)
    message = f"{'.'.join(keys)}: expected {expected}, got {show(value)}"
    return _Mistake(keys, message + (f" ({hint})" if hint else ""))


def _name_inside(section: type[Section], above: Keys, value: object) -> str | None:
    """The key of a section that a name is a value of, as for `attention: general`."""
    for keys in all_keys(section, above):
        if (field := locate(keys).field) and isinstance(value, str) and value in choices_of(field):
            return f"did you mean {'.'.join(keys)}: {value}?"
    return None


def _hint(field: FieldInfo, value: object, *, is_resolved: bool) -> str | None:
    """What the user may have meant by a value of the wrong kind. A run wrote a resolved file: no name is misspelt."""
    choices, kinds = choices_of(field), {kind.type for kind in kinds_of(field)}
    if tuple in kinds:
        return None if isinstance(value, list | dict | None) else f"did you mean [{value}]?"
    if not isinstance(value, str):
        if isinstance(value, list | dict):
            return None
        if "none" in choices and not value:
            return "did you mean 'none'?"
        return "did you mean it in quotes?" if str in kinds and value is not None else None
    if type(None) in kinds and value.lower() in ("none", "null"):
        return "did you mean null?"
    if bool in kinds and value.lower() in (*_TRUTH_WORDS, "true", "false"):
        return f"did you mean {_TRUTH_WORDS.get(value.lower(), value.lower())}?"
    if kinds & {int, float} and re.fullmatch(r"[-+.\deE]*\d", value):
        return f"did you mean {value} without quotes?"
    close = did_you_mean(value, [choice for choice in choices if isinstance(choice, str)])
    if any(kind.is_registered for kind in kinds_of(field)) and (is_resolved or not close):
        return f"is the extension that registers {show(value)} missing?"
    return f"did you mean {show(close)}?" if close else None


def _remove(tree: dict[str, Any], keys: Keys) -> None:
    node: Any = tree
    for key in keys[:-1]:
        node = node[key]
    node.pop(keys[-1])


def _is_doubtful(message: str, mistakes: list[_Mistake]) -> bool:
    """Whether the message names a key whose value is not known because of a mistake."""
    unknown = [keys for mistake in mistakes for keys in (mistake.keys, *mistake.meant)]
    corpora = [keys[:2] for keys in unknown if keys[0] == "data" and len(keys) == 3]
    return any(re.search(rf"\b{re.escape('.'.join(keys))}\b", message) for keys in unknown + corpora)
