"""Pictures for notebooks: what stands in them, and that texts are never markup."""

import doctest
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from tiny_runs import make_run

from nmt_attn import show
from nmt_attn.lab.examples import SHIPPED


class Parsed(HTMLParser):
    """Counts tags and checks that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_matrix_has_a_cell_for_each_pair_of_words() -> None:
    figure = show.attention(show.load("luong"), "Turn off the lights")
    parsed = Parsed(figure._repr_html_())
    assert parsed.counts["td"] == 4 * 5 + 1
    assert parsed.texts[0].startswith("luong: लाइट बंद करो (log p ")
    assert "1.00" in parsed.texts
    assert figure.weights.shape == (4, 5)


def test_a_given_look_is_named() -> None:
    figure = show.attention(show.load(), "Turn off the lights", given={0: [1, 0, 0, 0, 0]})
    assert "Given at step 1." in figure._repr_html_()


def test_a_beam_has_a_node_for_each_candidate() -> None:
    figure = show.beam(show.load("bahdanau"), "Turn off the lights", beam=3)
    parsed = Parsed(figure._repr_html_())
    assert parsed.counts["rect"] == len(figure.tree.nodes)
    assert parsed.texts[0].startswith("beam 3: लाइट बंद करो")


def test_two_models_are_compared() -> None:
    first, second = (show.load(name) for name in SHIPPED[:2])
    comparison = show.compare(first, second, "Turn off the lights")
    assert Parsed(comparison._repr_html_()).counts["table"] == 3
    torch.testing.assert_close(comparison.difference, comparison.first.weights - comparison.second.weights)


def test_texts_are_escaped(tmp_path: Path) -> None:
    model = show.load(make_run(tmp_path))
    shown = show.attention(model, "<script>alert(1)</script> un gato")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_example_of_the_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, name="demo")
    make_run(tmp_path, name="luong", seed=3)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(show.__doc__ or ""):
        exec(compile(example.source, "docstring", "exec"), names)
    assert isinstance(names["model"], show.LabModel)
