"""Messages about the configuration: `key: expected what, got what (hint)`."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping

from nmt_attn.config.base import Section
from nmt_attn.config.key_paths import defaults, value_at
from nmt_attn.config.schema import Config
from nmt_attn.errors import ConfigError

_LONGEST_VALUE = 60
_ALSO_CALLED = {
    "bahdanau": "additive",
    "mlp": "additive",
    "tanh": "additive",
    "luong": "general",
    "bilinear": "general",
    "multiplicative": "general",
    "bpe": "sentencepiece",
    "spm": "sentencepiece",
    "unigram": "sentencepiece",
    "subword": "sentencepiece",
    "letters": "char",
    "local": "local-p",
}
"""Names that papers and other toolkits have for what is called otherwise here."""


def complain(config: Config, key: str, expected: str, hint: str = "") -> str:
    """`key: expected ..., got ... (hint)`."""
    return f"{key}: expected {expected}, got {show(value_at(config, key))}" + (f" ({hint})" if hint else "")


def as_options(error: ConfigError, options: Mapping[str, str]) -> ConfigError:
    """The mistakes with options in place of the keys that they stand for: `--name: ...` for `run.name: ...`."""
    text = str(error)
    for key, option in options.items():
        text = re.sub(rf"^(?:[^\n:]+: )?{re.escape(key)}:", f"{option}:", text, flags=re.MULTILINE)
    return ConfigError(text)


def with_value(config: Config, key: str) -> str:
    """`key value`, as a reason."""
    return f"{key} {show(value_at(config, key))}"


class Idle(str):
    """A message about a key that stops nothing in what a run or model keeps, as nothing reads it or not until asked."""

    @property
    def key(self) -> str:
        """The key."""
        return self.partition(":")[0]


def complain_idle(config: Config, key: str, reason: str, hint: str = "") -> Idle:
    """The message for a key that must be at its default because of `reason`."""
    default = show(value_at(defaults(), key))
    return Idle(complain(config, key, f"{default}, as any other value has no effect with {reason}", hint))


def did_you_mean(word: str, choices: Iterable[str], likeness: float = 0.7) -> str | None:
    """The one of `choices` that is most like `word`, or None if none is like it (1: equal, 0: no letter shared)."""
    folded = {choice.lower(): choice for choice in choices}
    if (known := _ALSO_CALLED.get(word.lower())) in folded:
        return folded[known]
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def show(value: object) -> str:
    """A value as a message shows it: text in single quotes, the rest as YAML on one line, cut to 60 characters."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=Section.model_dump)
    text = text.replace("Infinity", ".inf").replace("NaN", ".nan") if isinstance(value, float) else text
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def join_words(words: Iterable[str], link: str = "or") -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} {link} {last}" if first else last
