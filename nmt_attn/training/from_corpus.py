"""Values that follow from the size of the training corpus, where the configuration leaves them open.

    n                      tokens of the longer side, summed over the training pairs
    training.batch_tokens  n / 300, from 256 to 4,096: about 300 updates an epoch
    training.epochs        as many as make 4,000 updates, from 10 to 100; only if no limit is set at all
    training.label_smoothing  0.1; 0 where fewer than a quarter of the word trigrams of 1,000 targets differ

A small corpus needs small batches, or its epochs have too few updates to learn from; for a large one, larger batches
cost less time for each token. A text that repeats itself can be known with certainty, which label smoothing forbids.
What was measured: docs/defaults.md.
"""

import math
from collections.abc import Sequence

import numpy as np

from nmt_attn.config.schema import Config
from nmt_attn.data.encoded import EncodedCorpus
from nmt_attn.types import BOS, EOS

EPOCH_UPDATES = 300
FEWEST_BATCH_TOKENS, MOST_BATCH_TOKENS = 256, 4096
BATCH_STEP = 64
"""`batch_tokens` is a multiple of this."""
UPDATES = 4000
FEWEST_EPOCHS, MOST_EPOCHS = 10, 100
LABEL_SMOOTHING = 0.1
"""Of a text that does not repeat itself."""
SAMPLE_PAIRS = 1000
"""Those whose trigrams are counted: the share of different ones falls with their number."""
MUCH_REPEATED = 0.25
"""Different trigrams of all trigrams."""


def longer_side_tokens(corpus: EncodedCorpus) -> int:
    """The tokens of the longer side of each pair, summed."""
    return int(np.maximum(corpus.source_lengths, corpus.target_lengths).sum(dtype=np.int64))


def different_trigrams(corpus: EncodedCorpus) -> float:
    """Of the first `SAMPLE_PAIRS` targets, the share of trigrams that differ (0 to 1); sentence ends count as words."""
    rows = corpus.rows(np.arange(min(len(corpus), SAMPLE_PAIRS))).target
    return _share_of_different([[BOS, *row.tolist(), EOS] for row in rows])


def complete(config: Config, corpus_tokens: int, trigrams: float = 1.0) -> Config:
    """The configuration with every value that it leaves to the corpus.

    corpus_tokens: of the longer sides. trigrams: as `different_trigrams` has it.
    """
    training = config.training
    batch_tokens = training.batch_tokens or choose_batch_tokens(corpus_tokens)
    update: dict[str, float] = {"batch_tokens": batch_tokens}
    if training.label_smoothing is None:
        update["label_smoothing"] = 0.0 if is_repetitive(config, trigrams) else LABEL_SMOOTHING
    if training.epochs is None and training.updates is None and training.minutes is None:
        update["epochs"] = choose_epochs(corpus_tokens, batch_tokens * training.accumulate_batches)
    return config.model_copy(update={"training": training.model_copy(update=update)})


def choose_batch_tokens(corpus_tokens: int) -> int:
    """A multiple of `BATCH_STEP` that makes about `EPOCH_UPDATES` batches."""
    fitting = corpus_tokens // EPOCH_UPDATES // BATCH_STEP * BATCH_STEP
    return min(max(fitting, FEWEST_BATCH_TOKENS), MOST_BATCH_TOKENS)


def choose_epochs(corpus_tokens: int, update_tokens: int) -> int:
    """As many as make `UPDATES` updates of `update_tokens` each, within the bounds."""
    epochs = math.ceil(UPDATES * update_tokens / max(corpus_tokens, 1))
    return min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)


def is_repetitive(config: Config, trigrams: float) -> bool:
    """Whether the words of the target repeat themselves; letters and pieces of words always do."""
    kind = config.tokenizer.target.kind or config.tokenizer.kind
    return kind == "word" and trigrams < MUCH_REPEATED


def chosen_values(before: Config, now: Config) -> list[str]:
    """`training.epochs 13` for each value that `complete` has chosen."""
    names = ("batch_tokens", "epochs")
    pairs = [(name, getattr(before.training, name), getattr(now.training, name)) for name in names]
    return [f"training.{name} {new:,}" for name, old, new in pairs if old is None and new is not None]


def _share_of_different(rows: Sequence[Sequence[int]]) -> float:
    trigrams = [tuple(row[start : start + 3]) for row in rows for start in range(len(row) - 2)]
    return len(set(trigrams)) / len(trigrams) if trigrams else 1.0
