"""JSON Lines output: one object for each hypothesis, or for each given translation.

sentence, hypothesis   numbers from 1: the line, and the place in its n-best list
source, text           the input line and its translation
log_prob, rank         natural, `</s>` included; the value that orders the list
finished               false: cut at the greatest length
tokens                 the pieces and `</s>`
token_log_probs        one for each token
alignment              source and target words, `</s>` last on both sides, and weights [target, source]; of a model that
                       copies also copied [target], the share of each word that was; null if the model has no
                       attention. For a blank line, all of these are empty.

A given translation has the keys sentence, source, target, log_prob, perplexity (per token), tokens and
token_log_probs. If the source is blank, the lists are empty and perplexity is null.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nmt_attn.alignment.formats import matrix_as_json
from nmt_attn.alignment.weights import with_eos
from nmt_attn.errors import DataError
from nmt_attn.files import replacing_text
from nmt_attn.search.forced import ForcedPair, perplexity
from nmt_attn.search.translation import Translation

ENDINGS = (".jsonl", ".jsonl.gz")
LOG_PROB_DECIMALS = 6


@contextmanager
def jsonl_writer(path: Path) -> Iterator[Callable[[int, Translation], object]]:
    """Context of a function that writes translations with their line numbers; the file appears when it ends well.

    Raises DataError if the name of `path` has none of the ENDINGS.
    """
    if not path.name.endswith(ENDINGS):
        raise DataError(f"{path}: expected a name that ends in {' or '.join(ENDINGS)}, got {path.name!r}")

    def write(line: int, translation: Translation) -> None:
        for record in hypothesis_records(line, translation):
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")

    with replacing_text(path) as stream:
        yield write


def hypothesis_records(line: int, translation: Translation) -> Iterator[dict[str, object]]:
    """One JSON object for each hypothesis of line number `line`."""
    for place, found in enumerate(translation.hypotheses, 1):
        yield {
            "sentence": line,
            "hypothesis": place,
            "source": translation.source,
            "text": found.text,
            "log_prob": round(found.log_prob, LOG_PROB_DECIMALS),
            "rank": round(found.rank, LOG_PROB_DECIMALS),
            "finished": found.is_finished,
            "tokens": with_eos(found.pieces) if found.token_log_probs else [],
            "token_log_probs": [round(value, LOG_PROB_DECIMALS) for value in found.token_log_probs],
            "alignment": None if found.alignment is None else matrix_as_json(found.alignment.matrix()),
        }


def forced_record(line: int, source: str, target: str, pieces: Sequence[str], pair: ForcedPair) -> dict[str, object]:
    """The JSON object of a given translation with these target pieces."""
    return {
        "sentence": line,
        "source": source,
        "target": target,
        "log_prob": round(pair.log_prob, LOG_PROB_DECIMALS),
        "perplexity": perplexity([pair]),
        "tokens": with_eos(pieces) if pair.token_log_probs else [],
        "token_log_probs": [round(value, LOG_PROB_DECIMALS) for value in pair.token_log_probs],
    }
