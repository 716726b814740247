"""Given word alignments of the training corpus: links of words, and of the pieces that words are cut into.

A file has one line for each line of data.train, in Pharaoh's format: `i-j` for source word i and target word j, from
0. Possible links, `ipj` or `i?j`, count as sure ones do. A line without links is a pair of which nothing is known.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from nmt_attn.alignment.links import PHARAOH_LINK
from nmt_attn.config.schema import Config
from nmt_attn.data.corpus import located
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.readers import NumberedPair
from nmt_attn.errors import DataError
from nmt_attn.text_io import byte_lines

Links = list[tuple[int, int]]
"""Sorted (source position, target position), from 0."""

BUILTIN = "builtin"
"""The value of `data.alignments` that names the true links of the built-in corpus."""


def with_links(
    config: Config, pairs: Iterable[NumberedPair], report: CorpusReport
) -> Iterator[tuple[NumberedPair, Links]]:
    """The training pairs, in order, each with the links of its line of `data.alignments`.

    Raises DataError if the file has not as many lines as the corpus, or a line that cannot be read.
    """
    name, lines = _link_lines(config)
    taken = 0
    for pair in pairs:
        line = next(islice(lines, pair.number - 1 - taken, None), None)
        if line is None:
            raise DataError(f"{name}: expected a line for each of data.train, got none for line {pair.number}")
        taken = pair.number
        links = _parse(line, f"{name}:{pair.number}")
        _check_inside(links, pair, f"{name}:{pair.number}")
        if not links:
            report.note("no links in data.alignments", pair.number)
        yield pair, links
    _check_end(name, lines, taken, config, report)


def link_pieces(links: Links, source_words: list[int], target_words: list[int]) -> Links:
    """Links of words as links of their pieces, every piece of one with every piece of the other.

    `source_words[i]` is the word that source piece i belongs to; the same for the target.
    """
    pieces = (_pieces_by_word(source_words), _pieces_by_word(target_words))
    return sorted({(i, j) for s, t in links for i in pieces[0].get(s, ()) for j in pieces[1].get(t, ())})


def _pieces_by_word(words: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for piece, word in enumerate(words):
        found.setdefault(word, []).append(piece)
    return found


def _link_lines(config: Config) -> tuple[str, Iterator[str]]:
    """The name of what has the links, and its lines."""
    if config.data.alignments == BUILTIN:
        from nmt_attn.demo.corpus import demo_corpus, pharaoh

        train = config.data.train
        pairs = demo_corpus(train.split or "train", train.limit)
        return "the alignments of the built-in corpus", (pharaoh(pair.links) for pair in pairs)
    path = located(str(config.data.alignments), config.data.root)
    return str(path), (line.decode("utf-8", "replace") for line in byte_lines(path))


def _parse(line: str, place: str) -> Links:
    links = set()
    for text in line.split():
        match = PHARAOH_LINK.fullmatch(text)
        if match is None:
            raise DataError(f"{place}: expected links such as 0-1, 0p1 or 0?1, got {text!r}")
        links.add((int(match[1]), int(match[3])))
    return sorted(links)


def _check_inside(links: Links, pair: NumberedPair, place: str) -> None:
    words = len(pair.source.split()), len(pair.target.split())  # as every tokenizer counts them
    for source, target in links:
        if source >= words[0] or target >= words[1]:
            inside = f"{words[0]} source and {words[1]} target words, counted from 0"
            raise DataError(f"{place}: expected links inside {inside}, got {source}-{target}")


def _check_end(name: str, lines: Iterator[str], taken: int, config: Config, report: CorpusReport) -> None:
    """A corpus that is read to its end has as many lines as the file."""
    if config.data.train.limit is not None:
        return
    count = taken + sum(1 for _ in lines)
    if count != report.lines:
        raise DataError(f"{name}: expected {report.lines} lines, as in data.train, got {count}")
