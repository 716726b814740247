"""Given word alignments of the training corpus: `data.alignments`, or the links that the built-in corpus has."""

from collections.abc import Iterable, Iterator

from nmt_attn.alignment.formats import pharaoh_line
from nmt_attn.alignment.link_files import TrainingLinks
from nmt_attn.alignment.links import Link
from nmt_attn.config.schema import Config
from nmt_attn.data.corpus import located
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.readers import NumberedPair
from nmt_attn.text_io import byte_lines

BUILTIN = "builtin"
"""The value of `data.alignments` that names the true links of the built-in corpus."""


def with_links(
    config: Config, pairs: Iterable[NumberedPair], report: CorpusReport
) -> Iterator[tuple[NumberedPair, list[Link]]]:
    """The training pairs, in order, each with the sorted links of its line of `data.alignments`.

    Raises DataError if the file has not as many lines as the corpus, or a line that cannot be read.
    """
    links = TrainingLinks(*_link_lines(config))
    for pair in pairs:
        found = links.of_pair(pair.number, pair.source, pair.target)
        if not found:
            report.note("no links in data.alignments", pair.number)
        yield pair, found
    if config.data.train.limit is None:  # the corpus has been read to its end
        links.check_end(report.lines)


def _link_lines(config: Config) -> tuple[str, Iterator[str]]:
    """The name of the source of links, and its lines."""
    if config.data.alignments == BUILTIN:
        from nmt_attn.demo.corpus import demo_corpus

        train = config.data.train
        pairs = demo_corpus(train.split or "train", train.limit)
        return "the alignments of the built-in corpus", (pharaoh_line(pair.links) for pair in pairs)
    path = located(str(config.data.alignments), config.data.root)
    return str(path), (line.decode("utf-8", "replace") for line in byte_lines(path))
