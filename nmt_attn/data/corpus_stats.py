"""Statistics of a corpus: how many lines were read, kept and dropped, for which reasons, and their numbers."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FIRST_LINES = 20
"""Line numbers recorded for each reason."""

SHOWN_LINES = 5
"""Line numbers that `text` shows for each reason."""

DropReason = Literal[
    "undecodable", "malformed", "blank", "over-long", "held out for data.valid", "held out for data.test"
]


@dataclass
class Tally:
    """A number of lines, and the line numbers (from 1) of the first of them."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        """Counts line `number`."""
        self.count += 1
        if len(self.lines) < FIRST_LINES:
            self.lines.append(number)

    def text(self) -> str:
        """For example `22 (lines 1039, 1451, 2301, 2302, 2400, ...)`."""
        numbers = [str(number) for number in self.lines[:SHOWN_LINES]]
        if self.count > len(numbers):
            numbers.append("...")
        return f"{self.count:,} (line{'s' if self.count > 1 else ''} {', '.join(numbers)})"


@dataclass
class TokenCount:
    """Tokens on one side of the kept pairs, and how many of them are outside the vocabulary."""

    count: int = 0
    unknown: int = 0

    def add(self, count: int, unknown: int) -> None:
        """Counts the tokens of one sentence."""
        self.count += count
        self.unknown += unknown

    def text(self) -> str:
        """For example `377,534 tokens (1.2 % unknown)`."""
        return f"{self.count:,} tokens ({100 * self.unknown / max(self.count, 1):.1f} % unknown)"


@dataclass
class CorpusReport:
    """What was found while reading one corpus. `source` and `target` name its sides, for example by their files."""

    corpus: str
    source: str = ""
    target: str = ""
    lines: int = 0
    dropped: dict[str, Tally] = field(default_factory=dict)
    notes: dict[str, Tally] = field(default_factory=dict)
    source_tokens: TokenCount = field(default_factory=TokenCount)
    target_tokens: TokenCount = field(default_factory=TokenCount)

    @property
    def kept(self) -> int:
        """Pairs that were not dropped."""
        return self.lines - sum(tally.count for tally in self.dropped.values())

    def drop(self, reason: DropReason, number: int) -> None:
        """Counts a dropped pair."""
        self.dropped.setdefault(reason, Tally()).add(number)

    def note(self, what: str, number: int) -> None:
        """Counts a line that is kept but worth a note."""
        self.notes.setdefault(what, Tally()).add(number)

    def text(self) -> str:
        """A summary for people: totals, tokens if known, and one line for each reason and note."""
        names = self.source if self.source == self.target else f"{self.source} and {self.target}"
        rows = [f"{self.corpus}: {self.kept:,} of {self.lines:,} pairs kept, from {names}"]
        if self.source_tokens.count:
            rows.append(f"  source: {self.source_tokens.text()}, target: {self.target_tokens.text()}")
        rows += [f"  dropped, {reason}: {tally.text()}" for reason, tally in self.dropped.items()]
        rows += [f"  note, {what}: {tally.text()}" for what, tally in self.notes.items()]
        return "\n".join(rows)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON; `from_json` is the inverse."""
        return {**asdict(self), "kept": self.kept}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "CorpusReport":
        """The inverse of `to_json`. Raises KeyError or TypeError for other records."""
        dropped, notes = ({key: Tally(**tally) for key, tally in record[name].items()} for name in ("dropped", "notes"))
        return cls(
            corpus=record["corpus"],
            source=record["source"],
            target=record["target"],
            lines=record["lines"],
            dropped=dropped,
            notes=notes,
            source_tokens=TokenCount(**record["source_tokens"]),
            target_tokens=TokenCount(**record["target_tokens"]),
        )
