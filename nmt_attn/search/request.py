"""Requests: the options of a search, checked against a model's configuration, and what they mean for the beam."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import Parameter, signature
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nmt_attn.config.schema import EvaluateConfig, SearchConfig
from nmt_attn.errors import CheckpointError, ConfigError, DataError, UserError
from nmt_attn.files import is_unicode, shown
from nmt_attn.options.shared import check_whole
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.alignment_units import Units
from nmt_attn.search.beam_state import BeamOptions, Limits
from nmt_attn.search.language_model import Fusion
from nmt_attn.search.lexical_constraints import Phrase, Phrases, phrases_of
from nmt_attn.search.ranking import RANKINGS
from nmt_attn.search.sampling import Sampling, draws_of
from nmt_attn.search.shortlist import OutputWords, Shortlist
from nmt_attn.search.token_rules import TokenRules
from nmt_attn.search.unk_replacement import UnkReplacement
from nmt_attn.types import PAD

LOOKAHEAD: dict[str, int | None] = {"exact": None, "near": 2, "early": 0}
"""By `search.stop`: tokens that an open hypothesis may still add at no cost before it is given up."""
WINDOW_LINES = 4096
"""Lines that are sorted by length together."""
MOST_TOKENS = 5000
"""Of a sentence: a longer one would take hours, and a matrix of its attention gigabytes."""
SPARE_TOKENS = 10
"""What `search.max_length_factor` allows a translation beyond its multiple of the source."""


class Demand(NamedTuple):
    """What the translations of one line must have."""

    line: int  # its number, from 1
    prefix_ids: Sequence[int]
    phrases: Sequence[Phrase] = ()  # that must appear

    @property
    def ids(self) -> list[int]:
        """All target ids in it."""
        return [*self.prefix_ids, *(token for phrase in self.phrases for token in phrase.ids)]

    def renumbered(self, words: OutputWords) -> "Demand":
        """The same with ids in the shortlist's numbering."""
        phrases = [phrase._replace(ids=words.numbers(phrase.ids)) for phrase in self.phrases]
        return Demand(self.line, words.numbers(self.prefix_ids), phrases)


@dataclass(frozen=True, kw_only=True)
class PythonOptions(SearchOptions):
    """The keywords of `Translator.translate`: the options of the command line, with texts in the place of files."""

    with_alignments: bool | None = None  # None: if the model has attention
    prefixes: Iterable[str] | None = None  # how each translation begins, one for each line
    constraints: Iterable[Sequence[str]] | None = None  # the phrases of each
    dictionary: Mapping[str, str] | None = None  # as `replace_unknown`, with these words for those of the source
    shortlist: Shortlist | None = None  # None: all words are scored
    window_lines: int = WINDOW_LINES
    tag: str | None = None  # of texts that have none of a column `as: tag`, such as a language

    def __post_init__(self) -> None:
        """Raises ConfigError, also for one string in place of several, and for values of another type."""
        super().__post_init__()
        check_whole("window_lines", self.window_lines, 1)
        for name in ("prefixes", "constraints"):
            if getattr(self, name) is not None:
                check_several(name, getattr(self, name))
        if self.with_alignments not in (None, True, False):
            raise ConfigError(f"with_alignments: expected a truth value, got {self.with_alignments!r}")
        if self.tag is not None and not isinstance(self.tag, str):
            raise ConfigError(f"tag: expected text, got {kind_of(self.tag)}")
        if self.dictionary is not None and not isinstance(self.dictionary, Mapping):
            raise ConfigError(f"dictionary: expected a mapping of words, got {kind_of(self.dictionary)}")
        if self.shortlist is not None and not isinstance(self.shortlist, Shortlist):
            raise ConfigError(f"shortlist: expected a Shortlist, got {kind_of(self.shortlist)}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A search that can be done. Raises ConfigError when made with numbers that contradict each other."""

    search: SearchConfig
    nbest: int = 1
    with_alignments: bool = False
    units: Units | None = None  # what alignments are between; None: each line decides for itself
    unknown: UnkReplacement | None = None  # None: `<unk>` stays
    sampling: Sampling | None = None  # None: the best are searched for
    shortlist: Shortlist | None = None  # None: all words are scored
    fusion: Fusion | None = None  # None: no language model
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)  # how metrics count, for search.mbr

    def __post_init__(self) -> None:
        search, is_sampled = self.search, self.sampling is not None
        if is_sampled and search.groups > 1:
            raise ConfigError(
                f"search.groups: expected 1 with sampling, which draws and does not search, got {search.groups}"
            )
        if not is_sampled and search.beam % search.groups != 0:
            raise ConfigError(
                f"search.groups: expected a divisor of the beam's width, {search.beam}, got {search.groups}"
            )
        if self.fusion is not None and self.shortlist is not None:
            raise ConfigError("shortlist: expected none with search.language_model, which scores all words, got one")
        if search.mbr != "none" and not is_sampled and search.beam == 1:
            raise ConfigError(
                f"search.mbr: expected 'none' with search.beam 1, which leaves no choice, got {search.mbr!r}"
            )
        if self.nbest < 1 or (self.nbest > search.beam and not is_sampled):
            expected = "at least 1" if is_sampled else f"1 to the beam's width, {search.beam}"
            raise ConfigError(f"nbest: expected {expected}, got {self.nbest}")
        if self.unknown is not None and search.forbid_unknown:
            raise ConfigError("search.forbid_unknown: expected false where unknown words are replaced, got true")

    @property
    def candidates(self) -> int:
        """Translations of a line that search must find: the n best, or those that minimum Bayes risk chooses among."""
        if self.search.mbr == "none":
            return self.nbest
        return self.search.beam if self.sampling is None else max(self.nbest, self.search.mbr_samples)

    def limits(self, source_tokens: Tensor, demands: Sequence[Demand], begins_word: Tensor | None = None) -> Limits:
        """Limits for sentences with these numbers of source tokens [B] int64; phrases need begins_word [V].

        Raises DataError for phrases that do not fit into the greatest length.
        """
        prefixes = _padded([demand.prefix_ids for demand in demands]).to(source_tokens.device)
        longest = torch.maximum(greatest_lengths(source_tokens, self.search), (prefixes != PAD).sum(1))
        shortest = torch.minimum(least_lengths(source_tokens, self.search), longest)
        limits = Limits(shortest, longest, source_tokens, prefixes if prefixes.size(1) > 0 else None)
        if any(demand.phrases for demand in demands):
            assert begins_word is not None, "there are phrases"
            phrases = phrases_of([demand.phrases for demand in demands], begins_word).to(longest.device)
            _check_room(phrases, prefixes, longest, demands)
            limits = limits._replace(phrases=phrases)
        if self.sampling is None:
            return limits
        lines = [demand.line for demand in demands]
        draws = draws_of(self.sampling, lines, self.candidates, int(longest.max()) + 1)
        return limits._replace(draws=draws.to(longest.device))

    def options(self) -> BeamOptions:
        """The same for the beam search."""
        search = self.search
        groups = search.groups if self.sampling is None else self.candidates
        beam = search.beam // groups if self.sampling is None else 1
        return BeamOptions(
            beam=beam,
            wanted=1
            if self.candidates == groups == 1
            else beam,  # some may have the same text; groups wait for each other
            ranking=RANKINGS[search.length_penalty](search.alpha),
            with_weights=self.with_alignments or self.unknown is not None,
            token_rules=TokenRules(search.forbid_unknown, search.no_repeat_ngram, search.repetition_penalty),
            lookahead=LOOKAHEAD[search.stop],
            coverage_penalty=search.coverage_penalty,
            groups=groups,
            group_penalty=search.group_penalty if groups > 1 and self.sampling is None else 0.0,
            sampling=self.sampling,
        )

    def nothing_found(self, name: str, line: str) -> UserError:
        """The error to raise when the search with the model `name` returns no translation of `line`."""
        size = self.search.no_repeat_ngram
        if size is None:
            return CheckpointError(f"{name}: expected probabilities, got none for {shown(line)}")
        return ConfigError(
            f"search.no_repeat_ngram: expected a translation of {shown(line)} as long as search.min_length and "
            f"search.min_length_factor ask for, got too few words for one that repeats no {size} tokens in a row, or a "
            f"model without probabilities ({name})"
        )

    def too_large(self, line: int, tokens: int, device: torch.device) -> str:
        """What to say where the memory is too small for the search of one line of this length."""
        return (
            f"search.beam: expected a search that fits into the memory of {device}, got beam {self.search.beam} for "
            f"line {line} of {tokens} tokens (a smaller --beam needs less, and a shorter line)"
        )


def check_tokens(tokens: int, where: str) -> None:
    """Raises DataError for more than a sentence can have."""
    if tokens > MOST_TOKENS:
        raise DataError(f"{where}: expected a sentence of at most {MOST_TOKENS:,} tokens, got {tokens:,}")


def sampling_of(options: SearchOptions) -> Sampling | None:
    """How translations are drawn; None if they are searched for. Raises ConfigError."""
    given = {name: getattr(options, name) for name in ("temperature", "top_k", "top_p", "seed")}
    given = {name: value for name, value in given.items() if value is not None}
    return replace(Sampling(), **given) if options.sample else None


def check_several(name: str, given: object) -> None:
    """Raises ConfigError for one string, whose letters would be taken for several, and for what holds no texts."""
    if isinstance(given, str):
        raise ConfigError(f"{name}: expected several, as in [{given[:40]!r}], got one string")
    if isinstance(given, bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{name}: expected several texts, got {kind_of(given)}")


def checked_texts(name: str, given: Iterable[str]) -> Iterator[str]:
    """The texts, each checked when it is read. Raises ConfigError with the index of what is no text."""
    for index, text in enumerate(given):
        if not isinstance(text, str):
            raise ConfigError(f"{name}[{index}]: expected text, got {kind_of(text)}")
        if not is_unicode(text):
            raise ConfigError(f"{name}[{index}]: expected Unicode text, got half a surrogate pair")
        yield text


def checked_phrases(given: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Likewise the phrases of each line."""
    for index, phrases in enumerate(given):
        check_several(f"constraints[{index}]", phrases)
        yield list(checked_texts(f"constraints[{index}]", phrases))


def kind_of(value: object) -> str:
    """A value of the wrong type, in a message: its type, and what it is where that is short."""
    return repr(value) if value is None or isinstance(value, bool | int | float) else type(value).__name__


P = ParamSpec("P")
Owner = TypeVar("Owner")
Lines = TypeVar("Lines")
Options = TypeVar("Options")
Result = TypeVar("Result")


def with_keywords(
    record: Callable[P, Options],
) -> Callable[[Callable[[Owner, Lines, Options], Result]], Callable[Concatenate[Owner, Lines, P], Result]]:
    """Gives a method of (self, lines, options) the fields of the record as keywords, in the place of `options`."""

    def decorate(method: Callable[[Owner, Lines, Options], Result]) -> Callable[Concatenate[Owner, Lines, P], Result]:
        @wraps(method)
        def call(self: Owner, lines: Lines, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            return method(self, lines, record(*args, **kwargs))

        own, keywords = signature(method), signature(record).parameters.values()
        first = list(own.parameters.values())[:2]
        named = [keyword for keyword in keywords if keyword.kind is Parameter.KEYWORD_ONLY]
        call.__signature__ = own.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
        return call

    return decorate


def greatest_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """The most target tokens, `</s>` not counted, for sources of this many tokens; both [B] int64."""
    lengths = (source_tokens * config.max_length_factor).long() + SPARE_TOKENS  # at most MOST_TOKENS times 100
    return lengths if config.max_length is None else lengths.clamp(max=config.max_length)


def least_lengths(source_tokens: Tensor, config: SearchConfig) -> Tensor:
    """The fewest target tokens, likewise."""
    return (source_tokens * config.min_length_factor).long().clamp(min=config.min_length)


def _padded(prefixes: Sequence[Sequence[int]]) -> Tensor:
    return pad_sequence(
        [torch.tensor(prefix, dtype=torch.int64) for prefix in prefixes], batch_first=True, padding_value=PAD
    )


def _check_room(phrases: Phrases, prefixes: Tensor, longest: Tensor, demands: Sequence[Demand]) -> None:
    states = phrases.start().states  # [B, 1, P]
    for ids in prefixes.unsqueeze(2).unbind(1):  # [B, 1]
        states = torch.where((ids == PAD).unsqueeze(2), states, phrases.advance(states, ids))
    tokens = phrases.missing(states)[:, 0] + (prefixes != PAD).sum(1)
    for demand, needed, most in zip(demands, tokens.tolist(), longest.tolist(), strict=True):
        if needed > most:
            raise DataError(
                f"constraints of line {demand.line}: expected at most {most} tokens with the prefix, as long as this "
                f"translation may become (search.max_length, search.max_length_factor), got {needed}"
            )
