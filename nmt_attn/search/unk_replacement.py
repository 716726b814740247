"""Unknown word replacement: each target word that contains `<unk>` becomes the source word of the greatest weight.

The source word is copied as written in the line, or translated by a dictionary. Luong et al. 2015 (Addressing the Rare
Word Problem, arXiv 1410.8206), with attention in place of their pointers as in Jean et al. 2015 (arXiv 1412.2007),
section 3.3.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.errors import DataError
from nmt_attn.files import shown
from nmt_attn.text_io import read_lines


@dataclass(frozen=True)
class UnkReplacement:
    """Replaces a word by the `dictionary` entry of its source word, or by the source word if there is none."""

    dictionary: Mapping[str, str] = field(default_factory=dict)

    def replace(self, line: str, alignment: WordAlignment, places: Collection[int]) -> WordAlignment:
        """The alignment of source `line` with the target words at `places` replaced.

        If the replacement has several words, each gets the same row of weights. A target word without weight on any
        source word is left as it is.
        """
        source_words = line.split()  # as written; the words of the alignment may be lowercased
        target: list[str] = []
        rows: list[int] = []
        for place, word in enumerate(alignment.target):
            weights = alignment.weights[place, :-1]  # without `</s>`
            is_replaced = place in places and bool(weights.max() > 0)
            best = int(weights.argmax())
            words = self._text(source_words[best], alignment.source[best]).split() if is_replaced else [word]
            target += words
            rows += [place] * len(words)
        kept = [*rows, len(alignment.target)]
        copied = None if alignment.copied is None else alignment.copied[kept]
        return WordAlignment(alignment.source, tuple(target), alignment.weights[kept], copied)

    def _text(self, written: str, tokenized: str) -> str:
        """The replacement of a source word, as `written` in the line and as `tokenized`, perhaps lowercased."""
        return self.dictionary.get(written) or self.dictionary.get(tokenized) or written


def read_dictionary(path: Path) -> dict[str, str]:
    """The entry of each source word, from lines `word TAB text`. If a word occurs twice, the first line counts.

    Blank lines at the end are ignored. Raises DataError if the file cannot be read or a line has another form.
    """
    dictionary: dict[str, str] = {}
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, 1):
        columns = [" ".join(column.split()) for column in line.split("\t")]
        if len(columns) != 2 or not all(columns) or " " in columns[0]:
            raise DataError(f"{path}:{number}: expected a source word, a tab and its translation, got {shown(line)}")
        dictionary.setdefault(*columns)
    return dictionary
