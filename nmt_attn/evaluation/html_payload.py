"""HTML payload: the records of the HTML page, and its sentences and attention weights packed as JSON.

A weight is kept to two decimals, one character for each of 0, 0.01, ..., 1; a run of zeros is two characters. Where
all matrices together exceed WEIGHT_CHARACTERS, the page leaves some out and says so: first the further translations
of the n-best lists, then the references, then the translations, always from the end of the test set.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmt_attn.alignment.links import GoldLinks
from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.evaluation.bootstrap import SystemComparison
from nmt_attn.evaluation.summary import Summary
from nmt_attn.evaluation.words import NgramComparison

WEIGHT_CHARACTERS = 10_000_000
"""Of all matrices of a page; the text of a few thousand sentences takes one or two million more."""
ZEROS = "~"
"""Followed by the character of a number: that many zeros."""
_ASCII = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%()*+,-./:;=?@[]^_`{|} "
# Middle weights are rare: they get the characters that take two bytes.
LEVELS = _ASCII[:50] + "ÀÁÂÃÄÅÇÈÉÊËÌÍ" + _ASCII[50:]
"""The character of weight i / 100 is LEVELS[i]. None of them needs an escape in JSON or in HTML."""

SCRIPT_SPACES = re.compile("[ \t-\r\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
"""JavaScript's white space, `\\s`."""


class AlignmentView(NamedTuple):
    """A translation, or the reference in forced decoding, and where the model looked."""

    label: str
    text: str
    log_prob: float  # natural, `</s>` included
    alignment: WordAlignment | None  # None of a model without attention, and where nothing was translated
    is_reference: bool = False


class SystemSentence(NamedTuple):
    """One system's output for a sentence."""

    text: str
    value: float | None  # of the sentence, 0-100; None without a reference
    views: tuple[AlignmentView, ...]  # best translation first; none for a system known by its output alone


class ReportSentence(NamedTuple):
    """A sentence and every system's translation, systems in the report's order."""

    source: str
    reference: str | None
    gold: GoldLinks | None
    outputs: tuple[SystemSentence, ...]
    further: tuple[str, ...] = ()  # references beside the first


class Report(NamedTuple):
    """The page. Without summaries it is about its sentences alone."""

    title: str
    systems: tuple[str, ...]
    sentences: Sequence[ReportSentence]
    value_name: str  # of the sentences' values, such as chrF2
    summaries: Sequence[Summary] = ()
    comparisons: Sequence[SystemComparison] = ()
    ngrams: NgramComparison | None = None


class PackedReport(NamedTuple):
    """The sentences as the page's script reads them."""

    json: str  # holds no `<`, `>` or `&`
    matrices: int
    left_out: int  # matrices that did not fit


def pack_report(report: Report, weight_characters: int = WEIGHT_CHARACTERS) -> PackedReport:
    """The sentences as JSON, with as many matrices as fit into `weight_characters`."""
    matrices = _packed_matrices(report, weight_characters)
    data = {
        "levels": LEVELS,
        "zeros": ZEROS,
        "systems": report.systems,
        "valueName": report.value_name,
        "sentences": [_sentence(number, sentence, matrices) for number, sentence in enumerate(report.sentences)],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    wanted = sum(_has_matrix(view) for s in report.sentences for output in s.outputs for view in output.views)
    return PackedReport(_escape(text), len(matrices), wanted - len(matrices))


def pack_weights(weights: NDArray[np.floating]) -> str:
    """Row after row of characters, as the module's first lines say."""
    levels = np.clip(np.rint(weights * 100), 0, 100).astype(int).ravel()
    text = "".join(LEVELS[level] for level in levels)
    return re.sub(f"{LEVELS[0]}{{3,100}}", lambda run: ZEROS + LEVELS[len(run[0])], text)


_Key = tuple[int, int, int]
"""Sentence, system, view."""


def _packed_matrices(report: Report, weight_characters: int) -> dict[_Key, str]:
    """The matrices that fit, by priority."""
    keys = [
        (_priority(view, place), number, system, place)
        for number, sentence in enumerate(report.sentences)
        for system, output in enumerate(sentence.outputs)
        for place, view in enumerate(output.views)
        if _has_matrix(view)
    ]
    packed: dict[_Key, str] = {}
    left = weight_characters
    for _, number, system, place in sorted(keys):
        alignment = report.sentences[number].outputs[system].views[place].alignment
        assert alignment is not None, "chosen above"
        text = pack_weights(alignment.array())
        left -= len(text)
        if left < 0:
            break
        packed[number, system, place] = text
    return packed


def _priority(view: AlignmentView, place: int) -> int:
    return 1 if view.is_reference else 0 if place == 0 else 2


def _has_matrix(view: AlignmentView) -> bool:
    return view.alignment is not None and view.alignment.weights.numel() > 0


def _sentence(number: int, sentence: ReportSentence, matrices: dict[_Key, str]) -> dict[str, Any]:
    outputs = [
        {
            "text": output.text,
            "value": output.value,
            "views": [
                _view(view, sentence, matrices.get((number, system, place))) for place, view in enumerate(output.views)
            ],
        }
        for system, output in enumerate(sentence.outputs)
    ]
    found: dict[str, Any] = {"source": sentence.source, "outputs": outputs}
    if sentence.reference is not None:
        found["reference"] = sentence.reference
    if sentence.further:
        found["further"] = list(sentence.further)
    if sentence.gold is not None:
        found["gold"] = [[*link, int(link in sentence.gold.sure)] for link in sorted(sentence.gold.possible)]
    return found


def _view(view: AlignmentView, sentence: ReportSentence, weights: str | None) -> dict[str, Any]:
    """Lists words only where the script would split the text into other ones."""
    found: dict[str, Any] = {"label": view.label, "text": view.text, "logProb": round(view.log_prob, 3)}
    if view.is_reference:
        found["isReference"] = True
    if view.alignment is None or not _has_matrix(view):
        return found
    if list(view.alignment.source) != _script_words(sentence.source):
        found["source"] = list(view.alignment.source)
    if list(view.alignment.target) != _script_words(view.text):
        found["target"] = list(view.alignment.target)
    if weights is None:
        found["isLeftOut"] = True
    else:
        found["weights"] = weights
        if view.alignment.copied is not None:
            found["copied"] = pack_weights(view.alignment.copied.float().numpy(force=True))
    return found


def _script_words(text: str) -> list[str]:
    """The words as the script splits them; Python's white space differs."""
    return [word for word in SCRIPT_SPACES.split(text) if word]


def _escape(text: str) -> str:
    """The same JSON without the characters that could end or change a script element."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
