"""Warnings about text: what is likely a mistake though every line of it can be read.

Each function gives sentences without an end mark; whoever calls it prints them. All look at a sample.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, TextCodec
from nmt_attn.data.columns import TAG
from nmt_attn.data.corpus import has_test, read_part, read_test
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.prepare import PreparedData
from nmt_attn.data.tags import Tagged
from nmt_attn.errors import UserError
from nmt_attn.files import shown
from nmt_attn.types import UNK, SentencePair

SAMPLE_LINES = 1000
TRAINING_PAIRS = 200_000
"""Training pairs, at most, that are compared with those of the other corpora."""
SAMPLE_PIECES = 100
"""Search at most this many unknown tokens for known words inside them."""
MUCH_UNKNOWN = 0.3
"""The share of unknown tokens from which the source is worth a warning."""
MOST_JOINED = 400
"""Letters of words that stand together and are told apart: the time grows with their square."""
MUCH_LONGER = 2.0
"""Times as many tokens in a validation sentence as in a training sentence."""


def unknown_source(codecs: Codecs, lines: Sequence[str]) -> str | None:
    """How many tokens of the source the model does not know, an example, and the likely cause; None if few."""
    sample = [line for line in lines[:SAMPLE_LINES] if line.strip()]
    tokens, unknown = _count(codecs.source, sample)
    if unknown <= MUCH_UNKNOWN * tokens or not tokens:
        return None
    example = next(piece for line in sample for piece in _unknown_pieces(codecs.source, line))
    return (
        f"{unknown:,} of {tokens:,} source tokens ({unknown / tokens:.0%}) are not in the model's vocabulary, such as "
        f"{shown(example)}: {_cause(codecs, sample, unknown / tokens)}"
    )


def unknown_tags(codecs: Codecs, lines: Sequence[str]) -> Counter[str]:
    """How often each tag occurs that the model does not know."""
    if not isinstance(codecs.source.tokenizer, Tagged):
        return Counter()
    return Counter(piece for line in lines for piece in _unknown_pieces(codecs.source, line) if TAG.fullmatch(piece))


def unknown_factors(codecs: Codecs, lines: Iterable[str]) -> Counter[str]:
    """How often each value of a factor occurs that the model does not know, such as `pos VERB`."""
    vocabulary = codecs.source.vocabulary
    if not vocabulary.factors:
        return Counter()
    words = (word for line in lines for word in codecs.source.tokenizer.words(line))
    return Counter(value for word in words for value in vocabulary.unknown_values(word))


def corpus_warnings(config: Config, data: PreparedData) -> Iterator[str]:
    """What is odd about the corpora of a training that begins."""
    yield from _longer_validation(data)
    texts = {"data.valid": data.valid.texts()}
    if has_test(config):
        try:
            texts["data.test"] = read_test(config).pairs
        except UserError as error:
            yield f"data.test cannot be read, which eval will need: {error}"
    for name, pairs in texts.items():
        if is_swapped(data.codecs, pairs[:SAMPLE_LINES]):
            yield f"{name}: source and target seem to be swapped, as each fits the vocabulary of the other side better"
        elif unknown := unknown_source(data.codecs, [pair.source for pair in pairs]):
            yield f"{name}: {unknown}{_letters_hint(config, pairs)}"
        if values := unknown_factors(data.codecs, (pair.source for pair in pairs)):
            names, count = ", ".join(sorted(values)), values.total()
            yield f"{name}: factors that training has not seen, read as <unk>: {shown(names)} ({count} in all)"
    yield from _repeated(config, texts)


def is_swapped(codecs: Codecs, pairs: Sequence[SentencePair]) -> bool:
    """Whether both sides fit the other side's vocabulary much better. A shared vocabulary tells nothing."""
    if codecs.source is codecs.target or codecs.source.vocabulary.factors or not pairs:
        return False  # targets without the factors of the source would not have been read
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    as_given = _misfit(codecs.source, sources), _misfit(codecs.target, targets)
    turned = _misfit(codecs.target, sources), _misfit(codecs.source, targets)
    return all(other < 0.8 * own for own, other in zip(as_given, turned, strict=True))


def _letters_hint(config: Config, pairs: Sequence[SentencePair]) -> str:
    """What reads single words, where they are taken for sentences of one token."""
    is_single = all(len(pair.source.split()) <= 1 for pair in pairs[:SAMPLE_LINES])
    is_whole = config.tokenizer.kinds[0] == "word"
    return " (`tokenizer.source.kind: char` reads single words letter by letter)" if is_single and is_whole else ""


def _longer_validation(data: PreparedData) -> Iterator[str]:
    train, valid = (
        report.source_tokens.count / max(report.kept, 1) for report in (data.train_report, data.valid_report)
    )
    if valid > MUCH_LONGER * train:
        yield (
            f"data.valid has {valid:.0f} source tokens in a sentence, data.train {train:.0f}: what is learned from "
            "short sentences is judged by long ones"
        )


def _repeated(config: Config, texts: dict[str, list[SentencePair]]) -> Iterator[str]:
    pairs = islice(read_part(config, "train", CorpusReport("data.train")), TRAINING_PAIRS)
    known = {(pair.source, pair.target) for pair in pairs}
    for name, others in texts.items():
        repeated = sum((pair.source, pair.target) in known for pair in others)
        if repeated > 0.1 * len(others):
            share = f"{repeated:,} of {len(others):,} pairs of {name}"
            yield f"{share} are training pairs too: its figures will be too good"


def _count(codec: TextCodec, lines: Sequence[str]) -> tuple[int, int]:
    """Tokens, and those of them that are unknown."""
    ids = [number for line in lines for number in codec.encode(line)]
    return len(ids), codec.vocabulary.count_unknown(ids)


def _share(codec: TextCodec, lines: Sequence[str]) -> float:
    tokens, unknown = _count(codec, lines)
    return unknown / max(tokens, 1)


def _misfit(codec: TextCodec, lines: Sequence[str]) -> float:
    """How badly a text fits a vocabulary: unknown tokens, or for subwords tokens, to a letter."""
    tokens, unknown = _count(codec, lines)
    letters = max(sum(map(len, lines)), 1)
    return (unknown + (tokens if codec.tokenizer.has_model else 0)) / letters


def _unknown_pieces(codec: TextCodec, line: str) -> Iterator[str]:
    for piece, number in zip(codec.pieces(line), codec.encode(line), strict=True):
        if codec.vocabulary.word_id(number) == UNK:
            yield piece


def _cause(codecs: Codecs, lines: Sequence[str], share: float) -> str:
    """The first change of the text after which less than half as much is unknown."""
    if codecs.source is not codecs.target and _share(codecs.target, lines) < 0.5 * share:
        return "it looks like text of the target language"
    for change, cause in _CHANGES:
        if _share(codecs.source, [change(line) for line in lines]) < 0.5 * share:
            return cause
    unknown = [piece for line in lines for piece in _unknown_pieces(codecs.source, line)][:SAMPLE_PIECES]
    if sum(_is_joined(codecs.source, piece) for piece in unknown) > 0.5 * len(unknown):
        return "missing spaces, as known words stand in it one after the other"
    return "is it text like that of the training corpus?"


def _is_joined(codec: TextCodec, text: str) -> bool:
    """Whether the text, unless it is very long, is known pieces of two letters or more without a blank between them."""
    if len(text) > MOST_JOINED:
        return False
    ends = [0]  # where a row of known pieces from the start of the text can end
    for end in range(2, len(text) + 1):
        pieces = [text[start:end] for start in ends if end - start > 1]
        if codec.vocabulary.count_unknown(codec.vocabulary.ids_of(pieces)) < len(pieces):
            ends.append(end)
    return ends[-1] == len(text)


_CHANGES: tuple[tuple[Callable[[str], str], str], ...] = (
    (str.lower, "casing, as the lowercase words are known"),
    (lambda line: re.sub(r"([^\w\s])", r" \1 ", line), "missing spaces, as punctuation stands alone in training text"),
    (" ".join, "missing spaces, as training text has blanks between letters"),
    (lambda line: line.replace(" ", ""), "too many spaces, as words are known where their letters stand together"),
)
