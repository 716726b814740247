"""Details: a file with everything that is known of every hypothesis, or of given translations, one JSON object a line.

sentence, hypothesis   numbers from 1: the line, and the place in its list
source, text           as they were read and as they are written
log_prob, rank         natural, `</s>` included; what the list is ordered by
finished               false: cut at the greatest length
tokens                 the pieces and `</s>`
token_log_probs        of each of them
alignment              source and target words, `</s>` last on both sides, and weights [target, source]; null where
                       the model has no attention. Of a blank line everything is empty.

Of a given translation: sentence, source, target (as they were read), log_prob, perplexity (of a token), tokens and
token_log_probs. With a blank source, which no model is shown, the lists are empty and perplexity is null.
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
def detail_writer(path: Path) -> Iterator[Callable[[int, Translation], object]]:
    """A block that writes translations with the numbers of their lines, the file whole or not at all.

    Raises DataError for another ending than ENDINGS.
    """
    if not path.name.endswith(ENDINGS):
        raise DataError(f"{path}: expected a name that ends in {' or '.join(ENDINGS)}, got {path.name!r}")

    def write(line: int, translation: Translation) -> None:
        for detail in details(line, translation):
            stream.write(json.dumps(detail, ensure_ascii=False) + "\n")

    with replacing_text(path) as stream:
        yield write


def details(line: int, translation: Translation) -> Iterator[dict[str, object]]:
    """The records of a line, one a hypothesis, ready for JSON."""
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


def scored(line: int, source: str, target: str, pieces: Sequence[str], pair: ForcedPair) -> dict[str, object]:
    """The record of a given translation, of these pieces, ready for JSON."""
    return {
        "sentence": line,
        "source": source,
        "target": target,
        "log_prob": round(pair.log_prob, LOG_PROB_DECIMALS),
        "perplexity": perplexity([pair]),
        "tokens": with_eos(pieces) if pair.token_log_probs else [],
        "token_log_probs": [round(value, LOG_PROB_DECIMALS) for value in pair.token_log_probs],
    }
