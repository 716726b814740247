"""Unknown words: each target word with `<unk>` in it gives way to the source word that was looked at most.

It is the word as it stands in the source line, whatever the vocabulary knows of it, or what a dictionary has for it.
Luong et al. 2015 (Addressing the Rare Word Problem, arXiv 1410.8206), with attention in the place of their pointers,
as Jean et al. 2015 (arXiv 1412.2007), section 3.3.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.errors import DataError
from nmt_attn.files import read_lines


@dataclass(frozen=True)
class UnknownWords:
    """How they are replaced: by the `dictionary`'s text for a source word if it has one, else by the source word."""

    dictionary: Mapping[str, str] = field(default_factory=dict)

    def replace(self, line: str, alignment: WordAlignment, places: Collection[int]) -> WordAlignment:
        """The alignment of source `line` with the target words at `places` replaced.

        A text of several words has the same row of weights for each. A word that looked at no source word stays.
        """
        source_words = line.split()  # as written; those of the alignment may be in small letters
        target: list[str] = []
        rows: list[int] = []
        for place, word in enumerate(alignment.target):
            weights = alignment.weights[place, :-1]  # without `</s>`
            is_replaced = place in places and bool(weights.max() > 0)
            best = int(weights.argmax())
            words = self._text(source_words[best], alignment.source[best]).split() if is_replaced else [word]
            target += words
            rows += [place] * len(words)
        return WordAlignment(alignment.source, tuple(target), alignment.weights[[*rows, len(alignment.target)]])

    def _text(self, written: str, read: str) -> str:
        """`written` as in the line, `read` as the model's tokenizer has it."""
        return self.dictionary.get(written) or self.dictionary.get(read) or written


def read_dictionary(path: Path) -> dict[str, str]:
    """The text for each source word, from lines `word TAB text`; of several lines for a word the first counts.

    Raises DataError if the file cannot be read or a line has another form.
    """
    dictionary: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        columns = [" ".join(column.split()) for column in line.split("\t")]
        if len(columns) != 2 or not all(columns) or " " in columns[0]:
            raise DataError(f"{path}:{number}: expected a source word, a tab and its translation, got {line[:80]!r}")
        dictionary.setdefault(*columns)
    return dictionary
