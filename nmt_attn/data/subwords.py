"""SentencePiece: learning a model from text and opening a learned one. Its log is silenced, its errors put in words."""

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from nmt_attn.config.schema import TokenizerConfig
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.types import BOS, EOS, PAD, SPECIAL_TOKENS, UNK

BLANK = "▁"
"""The visible blank, U+2581, with which a piece begins a word."""

SAMPLE_LINES = 500_000
"""Of a larger corpus a seeded sample of so many lines is learned from: a unigram model needs 21 bytes a character."""

LONGEST_LINE_BYTES = 1 << 20
"""SentencePiece leaves out longer lines when it learns; its own default, 4192, would leave out real ones."""


def learn_sentencepiece(lines: Iterable[str], config: TokenizerConfig, text_name: str) -> bytes:
    """The serialised model; the same for the same lines. `text_name` says in errors what was learned from.

    Every character of the text gets a piece. Raises ConfigError if `vocab_size` does not fit the text.
    """
    import sentencepiece

    sentencepiece.set_random_generator_seed(1)
    model = io.BytesIO()
    faults: list[BaseException] = []
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_remembering(lines, faults),
            model_writer=model,
            model_type=config.algorithm,
            vocab_size=config.vocab_size,
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=LONGEST_LINE_BYTES,
            input_sentence_size=SAMPLE_LINES,
            shuffle_input_sentence=True,
            num_threads=1,
            minloglevel=2,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_piece=SPECIAL_TOKENS[PAD],
        )
    except RuntimeError as error:
        if faults:
            raise faults[0] from None
        raise _in_words(str(error), config, text_name) from error
    return model.getvalue()


def open_sentencepiece(model: bytes) -> Any:
    """A SentencePieceProcessor. Raises ValueError if `model` is not a model of this package."""
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise ValueError("a damaged file") from error
    specials = tuple(processor.id_to_piece(i) for i in range(min(len(SPECIAL_TOKENS), processor.get_piece_size())))
    if specials != SPECIAL_TOKENS:
        raise ValueError(f"one that begins with the pieces {' '.join(specials)}")
    return processor


def _remembering(lines: Iterable[str], faults: list[BaseException]) -> Iterator[str]:
    """The lines; what reading them raises is kept in `faults`, as SentencePiece turns it into an error of its own."""
    try:
        yield from lines
    except BaseException as error:
        faults.append(error)
        raise


def _in_words(fault: str, config: TokenizerConfig, text_name: str) -> ConfigError | DataError:
    where, got = "tokenizer.vocab_size", config.vocab_size
    if most := re.search(r"value <= (\d+)", fault):
        limit = f"all that SentencePiece ({config.algorithm}) can learn from {text_name}"
        return ConfigError(f"{where}: expected at most {most[1]}, {limit}, got {got}")
    if least := re.search(r"required_chars\. \d+ vs (\d+)", fault):
        limit = f"a token for each character of {text_name} and the special ones"
        return ConfigError(f"{where}: expected at least {least[1]}, {limit}, got {got}")
    if "sentences_.empty()" in fault or "all_chars_count" in fault:
        return DataError(f"{text_name}: expected text that SentencePiece can learn from, got none")
    return ConfigError(f"tokenizer: expected SentencePiece to learn from {text_name}, got: {fault}")
