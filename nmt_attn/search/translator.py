"""Translator: lines of text in, their translations out, in the same order.

Lines are gathered in a window, sorted by length there, translated in batches and put back in order. What a line becomes
does not depend on the lines around it. A blank line becomes an empty translation and is not shown to the model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from nmt_attn.alignment.pieces import EMPTY
from nmt_attn.config.columns_section import ColumnName
from nmt_attn.config.file import load_resolved
from nmt_attn.config.schema import Config, EvaluateConfig, SearchConfig
from nmt_attn.data.codec import Codecs, TextCodec, load_codecs
from nmt_attn.data.columns import SideColumns, source_columns
from nmt_attn.data.copying import source_rows, target_rows
from nmt_attn.data.subwords import BLANK
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.files import check_count, shown
from nmt_attn.memory_lack import Halving
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import CONFIG, VOCAB, WEIGHTS, load_model, model_folder
from nmt_attn.options.translation import SearchOptions
from nmt_attn.runtime import choose_decoding_precision, choose_device
from nmt_attn.search.language_model import fusion_of
from nmt_attn.search.lexical_constraints import encode_phrases
from nmt_attn.search.request import (
    Demand,
    PythonOptions,
    Request,
    check_several,
    check_tokens,
    checked_phrases,
    checked_texts,
    sampling_of,
    with_keywords,
)
from nmt_attn.search.searcher import Searcher
from nmt_attn.search.shortlist import Shortlist
from nmt_attn.search.translation import EMPTY_HYPOTHESIS, Sentence, Translation, batches_by_length, to_text
from nmt_attn.search.unk_replacement import UnkReplacement

Record = Mapping[ColumnName, str]
"""The columns of a source, by the numbers or names that `data.columns` has."""


class Translator:
    """A model, in evaluation mode and on its device, with the codecs of its languages. `name` is for errors."""

    def __init__(
        self,
        model: Seq2Seq,
        codecs: Codecs,
        search: SearchConfig,
        name: str = "the model",
        columns: SideColumns | None = None,
        evaluate: EvaluateConfig | None = None,
    ) -> None:
        self.model = model
        self.columns = columns  # of its source, if it has been trained with several
        self.codecs = codecs
        self.search = search
        self.evaluate = evaluate or EvaluateConfig()  # how metrics count, for search.mbr
        self.name = name
        self.searcher = Searcher(model, codecs.target, search.precision)
        self.forcing = Halving("pairs", "fewer tokens a line, or a smaller model, need less")

    @classmethod
    def load(
        cls, folder: Path | str, device: torch.device | None = None, overrides: Sequence[str] = ()
    ) -> "Translator":
        """The best model of a run's folder, or the one of a model folder; by default on a GPU if there is one.

        `overrides` (`search.key=value`) change how it searches. Raises CheckpointError, and ConfigError for these.
        """
        folder = model_folder(Path(folder))
        config = _config(folder, overrides)
        codecs = load_codecs(folder / VOCAB)
        model = load_model(folder, codecs.digest())
        _check_sizes(folder, codecs.source, model.source_embedding.num_embeddings)
        _check_sizes(folder, codecs.target, model.target_embedding.num_embeddings)
        if not model.reads_source:
            raise CheckpointError(
                f"{folder}: expected a model that translates, got a language model (model.encoder.layers: 0), which "
                "search.language_model takes"
            )
        columns = source_columns(config.data.columns)
        model = model.to(device or choose_device("auto"))
        return cls(model, codecs, config.search, str(folder), columns, config.evaluate)

    @property
    def has_attention(self) -> bool:
        """Whether there are alignments."""
        return self.model.has_attention

    @property
    def copies(self) -> bool:
        """Whether translations may have words of the source that the vocabulary lacks."""
        return self.searcher.copies

    @with_keywords(PythonOptions)
    def translate(self, lines: Iterable[str | Record], options: PythonOptions) -> list[Translation]:
        """One translation for each line (without its `\n`), in order.

        A model of several columns takes records too, such as `{1: "hablar", 2: "V;PST"}`. The keywords are those of
        the command line, and `prefixes` and `constraints` for each line, a `dictionary` and a `shortlist`. By default
        with alignments if the model has attention. Raises ConfigError, before anything is translated, if this model or
        this search cannot give it, for one string in place of several lines, and for what is no text, with its index;
        DataError for a record that is not one of these columns.
        """
        check_several("lines", lines)
        texts = list(checked_texts("lines", self._texts(lines, options.tag)))
        prefixes = None if options.prefixes is None else list(checked_texts("prefixes", options.prefixes))
        constraints = None if options.constraints is None else list(checked_phrases(options.constraints))
        for name, given in (("prefixes", prefixes), ("constraints", constraints)):
            if given is not None:
                check_count(name, len(given), len(texts), "one for each line", unit="of them")
        return list(self._windows(texts, replace(options, prefixes=prefixes, constraints=constraints)))

    @with_keywords(PythonOptions)
    def stream(self, lines: Iterable[str | Record], options: PythonOptions) -> Iterator[Translation]:
        """The same for lines without an end: `window_lines` are read and translated at a time.

        Raises ConfigError at the call, but for a line that is no text, which is found when it is read.
        """
        check_several("lines", lines)
        return self._windows(checked_texts("lines", self._texts(lines, options.tag)), options)

    def _texts(self, lines: Iterable[str | Record], tag: str | None) -> Iterator[str]:
        columns = self.columns_for(tag)
        return (self._text(line, index, columns) for index, line in enumerate(lines))

    @staticmethod
    def _text(line: str | Record, index: int, columns: SideColumns | None) -> str:
        if columns is not None and isinstance(line, Mapping):
            return columns.of_record(line, f"lines[{index}]")
        if columns is not None and isinstance(line, str):
            return columns.labelled(line)
        return line  # type: ignore[return-value]  # whatever it is, it is checked

    def columns_for(self, tag: str | None) -> SideColumns | None:
        """The columns of the source, with this tag for texts that have none of such a column (`as: tag`).

        Raises ConfigError if it is none that the model knows.
        """
        labels = self.codecs.source.labels
        if tag is None:
            return self.columns
        if self.columns is None or BLANK.join(tag.split()) not in labels:
            known = (
                f"one of {', '.join(labels)}" if labels else f"a model with a column `as: tag`, as {self.name} has none"
            )
            raise ConfigError(f"tag: expected {known}, got {tag!r}")
        return self.columns.with_label(tag)

    def _windows(self, lines: Iterable[str], options: PythonOptions) -> Iterator[Translation]:
        with_alignments = self.has_attention if options.with_alignments is None else options.with_alignments
        request = self.request(
            options,
            with_alignments=with_alignments,
            with_constraints=options.constraints is not None,
            dictionary=options.dictionary,
            shortlist=options.shortlist,
        )
        starts = None if options.prefixes is None else checked_texts("prefixes", options.prefixes)
        phrases = None if options.constraints is None else checked_phrases(options.constraints)
        return self._by_window(iter(lines), request, starts, phrases, options.window_lines)

    def _by_window(
        self,
        lines: Iterator[str],
        request: Request,
        starts: Iterator[str] | None,
        phrases: Iterator[Sequence[str]] | None,
        window_lines: int,
    ) -> Iterator[Translation]:
        first_line = 1
        while window := list(islice(lines, window_lines)):
            yield from self.translate_window(
                window,
                request,
                prefixes=None if starts is None else list(islice(starts, len(window))),
                constraints=None if phrases is None else list(islice(phrases, len(window))),
                first_line=first_line,
            )
            first_line += len(window)
        for name, rest in (("prefixes", starts), ("constraints", phrases)):
            if rest is not None and next(rest, None) is not None:
                raise DataError(f"{name}: expected one for each line, got more than {first_line - 1}")

    def request(
        self,
        options: SearchOptions,
        *,
        with_alignments: bool,
        with_constraints: bool = False,
        dictionary: Mapping[str, str] | None = None,
        shortlist: Shortlist | None = None,
    ) -> Request:
        """The search that `options` ask for; what they leave open is as configured.

        With a `dictionary`, as with `replace_unknown`, no `<unk>` is left in the text. With `shortlist` only its
        words are scored: log p is then over the words that a line may have. Raises ConfigError if this model or this
        search cannot give it.
        """
        given = {"beam": options.beam, "batch_sentences": options.batch_size}
        search = self.search.model_copy(update={key: value for key, value in given.items() if value is not None})
        choose_decoding_precision(search.precision, self.model.output.weight.device)  # or refuses
        if with_constraints and options.sample:
            raise ConfigError("constraints: expected none with sampling, as what is forced is no sample, got some")
        is_replaced = options.replace_unknown or dictionary is not None
        for key, is_asked in {"alignments": with_alignments, "unknown words": is_replaced}.items():
            if is_asked and not self.has_attention:
                raise ConfigError(f"{key}: expected a model with attention, got {self.name} (attention.score: none)")
        if shortlist is not None:
            self._require_soft("shortlist", "which normalises over all words at each source position")
            if self.copies:
                raise ConfigError(
                    f"shortlist: expected none with copying, which needs all words, got one ({self.name})"
                )
            shortlist.check(self.codecs.source.size, self.codecs.target.size)
        return Request(
            search=search,
            nbest=1 if options.nbest is None else options.nbest,
            with_alignments=with_alignments,
            unknown=UnkReplacement(dictionary or {}) if is_replaced else None,
            sampling=sampling_of(options),
            shortlist=shortlist,
            fusion=fusion_of(search, self.codecs.target, self.model.output.weight.device),
            evaluate=self.evaluate,
        )

    def _require_soft(self, key: str, reason: str) -> None:
        """Raises ConfigError for hard attention."""
        if isinstance(self.model, HardSeq2Seq):
            raise ConfigError(f"{key}: expected none with hard attention, {reason}, got one ({self.name})")

    def translate_window(
        self,
        lines: Sequence[str],
        request: Request,
        progress: Callable[[int], object] = lambda lines: None,
        prefixes: Sequence[str] | None = None,
        constraints: Sequence[Sequence[str]] | None = None,
        first_line: int = 1,
    ) -> list[Translation]:
        """One translation for each line; `progress` is called with the number of lines of every batch that is done.

        Each begins with the pieces of its prefix and contains the phrases of its constraints; that of a blank line
        is empty all the same. `first_line` is the number of the first line: samples depend on it.
        Raises DataError for missing companions or unwritable phrases, and what `Request.nothing_found` returns.
        """
        assert not self.model.training, "dropout would take part in search"
        starts = [""] * len(lines) if prefixes is None else prefixes
        phrases = [()] * len(lines) if constraints is None else constraints
        for name, given in (("prefixes", starts), ("constraints", phrases)):
            if len(given) < len(lines):
                raise DataError(f"{name}: expected one for each line, got none for line {first_line + len(given)}")
        companions = enumerate(zip(lines, starts, phrases, strict=True), first_line)
        sentences = [self._encode(number, *each) for number, each in companions]
        empty = EMPTY_HYPOTHESIS._replace(alignment=EMPTY) if request.with_alignments else EMPTY_HYPOTHESIS
        translations = [Translation(line, (empty,)) for line in lines]
        progress(sum(not sentence.ids for sentence in sentences))
        for rows in batches_by_length([len(sentence.ids) for sentence in sentences], request.search.batch_sentences):
            for done, found in self.searcher.search_in_parts(rows, sentences, request):
                for row, hypotheses in zip(done, found, strict=True):
                    if not hypotheses:
                        raise request.nothing_found(self.name, lines[row])
                    texts = to_text(sentences[row], hypotheses, self.codecs, request)
                    translations[row] = Translation(lines[row], texts)
                progress(len(done))
        return translations

    def _encode(self, number: int, line: str, prefix: str, constraints: Sequence[str]) -> Sentence:
        target = self.codecs.target
        ids = self.codecs.source.encode_checked(line, f"line {number}")
        words = target.vocabulary
        own = tuple(self.codecs.source.pieces(line)) if self.copies else ()
        phrases = encode_phrases(constraints, target, f"constraints of line {number}", own)
        demand = Demand(number, target_rows(target.pieces(prefix), own, words), phrases)
        check_tokens(len(ids), f"line {number}")
        check_tokens(len(demand.prefix_ids), f"prefix of line {number}")
        return Sentence(line, ids, target.pieces(prefix), demand, own, source_rows(own, words) if self.copies else None)


def _config(folder: Path, overrides: Sequence[str]) -> Config:
    for override in overrides:
        if not override.startswith("search."):
            raise ConfigError(f"--set: expected a key of search, such as search.min_length=3, got {shown(override)}")
    return load_resolved(folder / CONFIG, overrides)


def _check_sizes(folder: Path, codec: TextCodec, embeddings: int) -> None:
    if codec.size != embeddings:
        where = folder / VOCAB
        raise CheckpointError(f"{where}: expected {embeddings} tokens, as in {WEIGHTS}, got {codec.size}")
