"""Report: what the page holds, in how many characters, and that no text can break out of it."""

import json
import re
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from report_pages import BREAKOUT, FIRST, SOURCES, make_report, weights_of

from nmt_attn.alignment.links import AlignmentScores
from nmt_attn.alignment.weights import WordAlignment
from nmt_attn.evaluation.attention_statistics import AttentionStatistics, PositionEntropy
from nmt_attn.evaluation.bootstrap import Interval
from nmt_attn.evaluation.html_page import render_report
from nmt_attn.evaluation.html_payload import (
    LEVELS,
    ZEROS,
    AlignmentView,
    Report,
    ReportSentence,
    SystemSentence,
    pack_report,
    pack_weights,
)
from nmt_attn.evaluation.link_scores import LinkScores


def unpack(text: str) -> list[float]:
    """What the page's script makes of packed weights."""
    values: list[float] = []
    characters = iter(text)
    for character in characters:
        values += [0.0] * LEVELS.index(next(characters)) if character == ZEROS else [LEVELS.index(character) / 100]
    return values


class Elements(HTMLParser):
    """The elements of a page, in order, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_there_is_one_character_for_each_hundredth_and_none_needs_an_escape() -> None:
    assert len(LEVELS) == len(set(LEVELS)) == 101
    assert ZEROS not in LEVELS
    assert json.dumps(LEVELS + ZEROS, ensure_ascii=False) == f'"{LEVELS + ZEROS}"'
    assert not set(LEVELS) & set("<>&'")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.just(0.0), st.floats(0, 1)), max_size=300))
def test_weights_are_kept_to_two_decimals(values: list[float]) -> None:
    assert unpack(pack_weights(np.array(values))) == pytest.approx(values, abs=0.00501)


def test_zeros_take_two_characters_a_hundred() -> None:
    assert len(pack_weights(np.zeros((20, 50)))) == 2 * 10
    assert pack_weights(np.array([0, 0, 1, 0, 0, 0])) == f"00{LEVELS[100]}{ZEROS}3"


def test_the_sentences_come_back() -> None:
    packed = pack_report(make_report())
    assert (packed.matrices, packed.left_out) == (12, 0)
    data = json.loads(packed.json)
    assert [sentence["source"] for sentence in data["sentences"]] == SOURCES
    first = data["sentences"][0]
    assert first["gold"] == [[1, 1, 1], [3, 0, 1]]
    best, second, reference = first["outputs"][0]["views"]
    assert best["logProb"] == -0.25
    assert unpack(best["weights"]) == pytest.approx(weights_of(SOURCES[0], FIRST[0]).ravel().tolist())
    assert "isReference" not in best and reference["isReference"]
    assert unpack(second["copied"]) == pytest.approx([0.99, 0.49, 0.32, 0.24]) and "copied" not in best
    # words that are those of the text are not told twice
    assert "source" not in best and "target" not in best


def test_words_that_differ_from_the_text_are_kept() -> None:
    report = make_report()
    [sentence, *_] = report.sentences
    view = sentence.outputs[0].views[0]
    lowered = view.alignment._replace(source=("turn", "off", "the", "lights"))
    output = sentence.outputs[0]._replace(views=(view._replace(alignment=lowered),))
    packed = pack_report(report._replace(sentences=[sentence._replace(outputs=(output,))]))
    assert json.loads(packed.json)["sentences"][0]["outputs"][0]["views"][0]["source"][0] == "turn"


def test_words_that_the_script_would_split_otherwise_are_kept() -> None:
    # U+0085 is white space to Python, not to JavaScript; with U+FEFF it is the other way round
    for text in ("one\x85two three", "one\ufefftwo three"):
        alignment = WordAlignment(tuple(text.split()), tuple(text.split()), weights_of(text, text))
        views = (AlignmentView("best", text, -1.0, alignment),)
        sentence = ReportSentence(text, None, None, (SystemSentence(text, None, views),))
        data = json.loads(pack_report(Report("", ("a",), [sentence], "")).json)
        [found] = data["sentences"][0]["outputs"][0]["views"]
        assert found["source"] == found["target"] == text.split()


def test_a_model_without_attention_still_has_its_log_probability() -> None:
    views = (AlignmentView("best", "eben", -2.3456, None),)
    sentence = ReportSentence("plain", None, None, (SystemSentence("eben", None, views),))
    packed = pack_report(Report("", ("a",), [sentence], ""))
    [found] = json.loads(packed.json)["sentences"][0]["outputs"][0]["views"]
    assert found == {"label": "best", "text": "eben", "logProb": -2.346}
    assert (packed.matrices, packed.left_out) == (0, 0)


def test_what_does_not_fit_is_left_out_translations_last_and_told() -> None:
    report = make_report()
    whole = [pack_weights(sentence.outputs[0].views[0].alignment.array()) for sentence in report.sentences]
    packed = pack_report(report, weight_characters=sum(map(len, whole)) + 1)
    views = [sentence["outputs"][0]["views"] for sentence in json.loads(packed.json)["sentences"]]
    assert all("weights" in best for best, _, _ in views)
    assert all(left["isLeftOut"] and "weights" not in left for _, *others in views for left in others)
    assert (packed.matrices, packed.left_out) == (4, 8)
    assert "8 of 12 alignments are left out" in render_report(report, weight_characters=sum(map(len, whole)) + 1)
    assert "are left out" not in render_report(report)


def test_no_text_breaks_out_of_the_page() -> None:
    page = render_report(make_report())
    assert BREAKOUT not in page
    elements = Elements(page)
    assert elements.names.count("script") == 2
    assert "b" not in elements.names
    assert "<h1>a &amp; b &lt;on&gt; test</h1>" in page
    assert "&lt;i&gt;second&lt;/i&gt;" in page


def test_the_page_fetches_nothing() -> None:
    page = render_report(make_report())
    assert not [value for name, value in Elements(page).attributes if name == "src"]
    links = [value for name, value in Elements(page).attributes if name == "href"]
    assert all(link and link.startswith("#") for link in links)
    assert "default-src 'none'" in page
    # the one address is the name of SVG, which is not fetched
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_page_shows_figures_and_curves_without_script() -> None:
    report = make_report()
    page = render_report(report)
    for estimate in report.summaries[0].estimates:
        assert f"{estimate.result.value:.2f}" in page
        assert estimate.result.signature in page
    assert page.count("<svg ") == 2
    # two buckets or bounds with sentences in both pictures: each point says what it is
    for name in report.systems:
        assert len(re.findall(rf"<title>{re.escape(escape(name, quote=False))}, \S+ words: [\d.]+ \[", page)) == 2 * 2


def test_statistics_of_attention_are_shown_of_systems_that_have_them() -> None:
    report = make_report()
    by_position = (PositionEntropy(1, 4, 0.5), PositionEntropy(2, 3, 1.25))
    found = AttentionStatistics(1234, 0.8123, 0.25, 0.5, None, by_position)
    scores = {"argmax": LinkScores(AlignmentScores(0.5, 0.25, 1 / 3, 0.6234), Interval(0.55, 0.65, 0.6))}
    attending = report.summaries[0]._replace(attention=found, alignments=scores, perplexity=1.2345)
    page = render_report(report._replace(summaries=[attending, report.summaries[1]]))
    for shown in ("1,234", "0.812", "0.6234", "1.234"):
        assert f"<td>{shown}</td>" in page
    assert "entropy of attention in nats, by target position" in page
    assert "entropy of attention in nats" not in render_report(report)


def test_a_page_of_one_sentence_needs_no_figures() -> None:
    report = make_report()
    single = Report("one", report.systems[:1], [report.sentences[0]._replace(reference=None, gold=None)], "")
    page = render_report(single)
    assert "Summary</h2>" not in page
    assert json.loads(pack_report(single).json)["sentences"][0].keys() == {"source", "outputs"}


@pytest.mark.slow
def test_three_thousand_sentences_stay_below_15_megabytes() -> None:
    report = make_report()
    source = "one two three four five six seven eight nine ten eleven twelve thirteen"
    rng = np.random.default_rng(1)
    weights = rng.dirichlet([0.1] * 14, size=14)
    [sentence, *_] = report.sentences
    alignment = WordAlignment(tuple(source.split()), tuple(source.split()), torch.from_numpy(weights))
    views = (sentence.outputs[0].views[0]._replace(text=source, alignment=alignment),) * 4
    output = sentence.outputs[0]._replace(text=source, views=views)
    many = [sentence._replace(source=source, reference=source, outputs=(output, output))] * 3000
    assert len(render_report(report._replace(sentences=many)).encode()) < 15_000_000
