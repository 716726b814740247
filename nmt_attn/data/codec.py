"""Codec: converts text of one language to ids and back; saved as plain files beside a model.

NAME.json   which tokenizer          NAME.txt   one token a line          NAME.model   SentencePiece only
                                     NAME.FACTOR.txt   the values of a factor, one a line
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.columns import LABEL, TAG, label_of
from nmt_attn.data.copying import spelled
from nmt_attn.data.factors import FactoredTokenizer, FactoredVocabulary, FactorFormat, factor_path
from nmt_attn.data.tags import DefaultTags, Tagged, untagged
from nmt_attn.data.tokenizer import TOKENIZERS, TextOptions, Tokenizer, Word
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.errors import CheckpointError, DataError
from nmt_attn.files import check_inside, replacing, shown, usable_path, write_text
from nmt_attn.text_io import open_binary, read_text
from nmt_attn.types import BOS, EOS, PAD

SHARED, SOURCE, TARGET = "shared", "source", "target"
"""Names of saved codecs: `shared` alone, or `source` and `target`."""


class TextCodec:
    """The tokenizer and vocabulary of one side, or of both if shared."""

    def __init__(self, kind: str, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.kind = kind
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary

    @property
    def size(self) -> int:
        """Size of the vocabulary, special tokens included; factors are not counted."""
        return len(self.vocabulary)

    def pieces(self, text: str) -> list[str]:
        """The pieces of the text as spelled there, in the vocabulary or not."""
        return self.tokenizer.encode(text)

    def encode(self, text: str) -> list[int]:
        """The ids of the text's pieces, without `<s>` and `</s>`."""
        return self.vocabulary.ids_of(self.tokenizer.encode(text))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What stands in the labels that each text must have one of; empty if texts have none."""
        found = sorted(filter(LABEL.fullmatch, self.vocabulary.tokens)) if isinstance(self.tokenizer, Tagged) else []
        return tuple(label[2:-1] for label in found)

    def encode_checked(self, text: str, where: str) -> list[int]:
        """`encode` of a text to translate.

        Raises DataError, that begins with `where`, unless its label is known and its words have all their factors.
        """
        if fault := self.tokenizer.fault(text):
            raise DataError(f"{where}: {fault}")
        pieces = self.tokenizer.encode(text)
        if self.labels and pieces:
            found = [piece[2:-1] for piece in pieces if LABEL.fullmatch(piece)]
            if len(found) != 1 or found[0] not in self.labels:
                known = ", ".join(map(label_of, self.labels))
                got = " ".join(map(label_of, found)) or "none (--tag gives one)"
                raise DataError(f"{where}: expected one of the tags {known}, got {got}")
        return self.vocabulary.ids_of(pieces)

    def output_pieces(self, ids: Iterable[int], own_words: Sequence[str] = ()) -> list[str]:
        """The pieces of ids produced by a model, without `<pad>`, `<s>` and `</s>`; `<unk>` is kept.

        Ids above the vocabulary are places in `own_words`, those of the source (nmt_attn/data/copying.py).
        """
        return spelled((i for i in ids if i not in (PAD, BOS, EOS)), own_words, self.vocabulary)

    def decode(self, ids: Iterable[int], own_words: Sequence[str] = ()) -> str:
        """The detokenised text of `output_pieces`."""
        return self.tokenizer.decode(self.output_pieces(ids, own_words))

    def save(self, folder: Path, name: str) -> None:
        """Writes NAME.json, NAME.txt and, where the tokenizer has one, NAME.model. Raises DataError."""
        self.vocabulary.save(folder / f"{name}.txt")
        if self.tokenizer.has_model:
            with replacing(folder / f"{name}.model") as temporary:
                temporary.write_bytes(self.tokenizer.model)
        write_text(folder / f"{name}.json", json.dumps(self.record(), indent=2, ensure_ascii=False) + "\n")

    def record(self) -> dict[str, Any]:
        """Which tokenizer it is, but for what it has learned, as plain values."""
        return {"tokenizer": self.kind, "lowercase": self.tokenizer.text.lowercase, **self._others()}

    def digest(self) -> bytes:
        """Stands for all that turns text into ids and back."""
        found = hashlib.blake2b(self.tokenizer.model, digest_size=8)
        others: list[Any] = [self._others()] if self._others() else []
        others += [factor.tokens for factor in self.vocabulary.factors]
        found.update(json.dumps([self.kind, self.tokenizer.text.lowercase, self.vocabulary.tokens, *others]).encode())
        return found.digest()

    def _others(self) -> dict[str, Any]:
        """The further options of the text that are not at their defaults, its factors, and the tags if it has none."""
        options = self.tokenizer.text._asdict()
        defaults = TextOptions(lowercase=options["lowercase"])._asdict()
        found = {key: value for key, value in options.items() if value != defaults[key]}
        if isinstance(self.vocabulary, FactoredVocabulary):
            form = self.vocabulary.form
            found["factors"] = {"names": list(form.names), "separator": form.separator}
        return found | ({"tags": self.tokenizer.default._asdict()} if isinstance(self.tokenizer, Tagged) else {})

    @classmethod
    def load(cls, folder: Path, name: str) -> "TextCodec":
        """Loads what `save` wrote. Raises CheckpointError if a file is missing or damaged."""
        try:
            config, tags = _read_record(folder / f"{name}.json")
            kind, form = TOKENIZERS[config.known_kind], FactorFormat.of(config)
            tokenizer = _load_tokenizer(kind, folder / f"{name}.model", TextOptions.of(config))
            words = folder / f"{name}.txt"
            vocabulary = Vocabulary.load(words)
            if form is not None:
                factors = [Vocabulary.load(factor_path(words, factor)) for factor in form.names]
                vocabulary = FactoredVocabulary(vocabulary.tokens, form, factors)
        except DataError as error:
            raise CheckpointError(str(error)) from error
        learned = len(tokenizer.tokens)
        others = [token for token in vocabulary.tokens[learned:] if tags is None or not TAG.fullmatch(token)]
        if learned and (tokenizer.tokens != vocabulary.tokens[:learned] or others):
            raise CheckpointError(f"{words}: expected the pieces of {name}.model, got others")
        return cls(config.known_kind, _wrapped(tokenizer, form, tags), vocabulary)


class Codecs(NamedTuple):
    """The codecs of both sides; the same object twice if they share a vocabulary."""

    source: TextCodec
    target: TextCodec

    def digest(self) -> str:
        """32 hexadecimal digits that stand for both sides."""
        return (self.source.digest() + self.target.digest()).hex()

    def save(self, folder: Path) -> None:
        """Saves one codec if shared, else two. Raises DataError."""
        if self.source is self.target:
            self.source.save(folder, SHARED)
        else:
            self.source.save(folder, SOURCE)
            self.target.save(folder, TARGET)


def load_codecs(folder: Path) -> Codecs:
    """Loads what `Codecs.save` wrote. Raises CheckpointError."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: expected a folder of vocabulary files, got none")
    for path in sorted(folder.iterdir()):
        check_inside(path, folder.parent)
    if (folder / f"{SHARED}.json").is_file():
        shared = TextCodec.load(folder, SHARED)
        return Codecs(shared, shared)
    return Codecs(TextCodec.load(folder, SOURCE), TextCodec.load(folder, TARGET))


def like_codecs(config: TokenizerConfig) -> Codecs:
    """The target's codec of the run or model that `tokenizer.like` names, for both sides. Raises CheckpointError."""
    folder = usable_path(str(config.like), "tokenizer.like") / "vocab"
    if not folder.is_dir():
        raise CheckpointError(f"tokenizer.like: expected a run or a model folder, got {config.like}, without {folder}")
    target = load_codecs(folder).target
    return Codecs(target, target)


def learn_codec(
    lines: Iterable[str], config: TokenizerConfig, text_name: str, tags: DefaultTags | None = None
) -> TextCodec:
    """Learns one side's codec in one pass over `lines`, which errors call `text_name`; `tags` if some lines have any.

    Raises ConfigError if `vocab_size` does not fit the text.
    """
    kind, form = TOKENIZERS[config.known_kind], FactorFormat.of(config)
    seen: set[str] = set()
    values: list[Counter[str]] = [Counter() for _ in form.names] if form is not None else []
    plain = lines if form is None else form.counted(lines, values)
    texts = plain if tags is None or not kind.has_model else untagged(plain, seen)
    tokenizer = kind(TextOptions.of(config), kind.learn_model(texts, config, text_name))
    if tokenizer.tokens:
        vocabulary = Vocabulary((*tokenizer.tokens, *sorted(seen)))
    else:
        pieces = map(_wrapped(tokenizer, None, tags).encode, plain)
        vocabulary = Vocabulary.learn(pieces, size=config.vocab_size, min_frequency=config.min_frequency)
    if form is not None:
        factors = [
            Vocabulary.learn([each.elements()], size=config.vocab_size, min_frequency=config.min_frequency)
            for each in values
        ]
        vocabulary = FactoredVocabulary.of(vocabulary, form, factors)
    return TextCodec(config.known_kind, _wrapped(tokenizer, form, tags), vocabulary)


def side_tokenizer(config: TokenizerConfig, tags: DefaultTags | None) -> Tokenizer:
    """That of one side before anything is learned; words in place of pieces that are still to be learned."""
    kind = TOKENIZERS[config.known_kind]
    plain = (Word if kind.has_model else kind)(TextOptions.of(config))
    return _wrapped(plain, FactorFormat.of(config), tags)


def _wrapped(tokenizer: Tokenizer, form: FactorFormat | None, tags: DefaultTags | None) -> Tokenizer:
    """The tokenizer with what stands beside the words: their factors, and tags."""
    tokenizer = tokenizer if form is None else FactoredTokenizer(tokenizer, form)
    return tokenizer if tags is None else Tagged(tokenizer, tags)


def _read_record(path: Path) -> tuple[TokenizerConfig, DefaultTags | None]:
    text = read_text(path)
    try:
        record = json.loads(text)
        kind, lowercase, tags = record.pop("tokenizer"), record.pop("lowercase"), record.pop("tags", None)
        default = None if tags is None else DefaultTags(str(tags["before"]), str(tags["after"]))
        return TokenizerConfig(kind=kind, lowercase=lowercase, **record), default
    except ValidationError as error:
        raise CheckpointError(f"{path}: {_complaint(error)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: expected the keys tokenizer and lowercase, got {shown(text)}") from error


def _complaint(error: ValidationError) -> str:
    """What is wrong with the first key of a record."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"])) or "record"
    names = {"kind": f"a tokenizer of {', '.join(TOKENIZERS)}", "lowercase": "true or false for lowercase"}
    return f"expected {names.get(key, f'a value of tokenizer.{key}')}, got {shown(str(first['input']))}"


def _load_tokenizer(kind: type[Tokenizer], path: Path, options: TextOptions) -> Tokenizer:
    if not kind.has_model:
        return kind(options)
    with open_binary(path) as stream:
        model = stream.read()
    try:
        return kind(options, model)
    except ValueError as error:
        raise CheckpointError(f"{path}: expected a model of SentencePiece, got {error}") from error
