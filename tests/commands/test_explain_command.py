"""`nmt-attn explain` on a tiny run: text for a pipe, colours for a terminal, the page, what is refused."""

import sys
from pathlib import Path

import pytest
from tiny_runs import make_run

from nmt_attn.commands.explain import explain
from nmt_attn.errors import ConfigError
from nmt_attn.options.translation import ExplainOptions


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model has learnt nothing."""
    return make_run(tmp_path_factory.mktemp("explain"))


def test_a_pipe_gets_text_without_colours(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(ExplainOptions("el gato", run))
    translation, figures, empty, header, *looks = capsys.readouterr().out.split("\n")
    assert figures.startswith("log-probability -")
    assert (empty, header.split(), looks[-1]) == ("", ["el", "gato", "</s>"], "")
    assert len(looks) == len(translation.split()) + 2  # </s> and the end of the last line
    assert not any("\x1b" in line for line in looks)


@pytest.mark.parametrize(("no_color", "has_colour"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_wants_none(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_color: str, has_colour: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    explain(ExplainOptions("el gato", run))
    assert ("\x1b[38;5;" in capsys.readouterr().out) is has_colour


def test_the_page_shows_the_sentence_and_its_translations(run: Path, tmp_path: Path) -> None:
    explain(ExplainOptions("el <b>gato</b>", run, html=tmp_path / "a" / "gato.html"))
    page = (tmp_path / "a" / "gato.html").read_text(encoding="utf-8")
    assert "el &lt;b&gt;gato&lt;/b&gt; →" in page
    assert '"label":"best"' in page and '"label":"2nd best"' in page
    assert '"systems":["runs"]' not in page and '"systems":["mine"]' in page


def test_a_model_without_attention_translates_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(ExplainOptions("el gato", make_run(tmp_path, "none"), html=tmp_path / "page.html"))
    assert "no attention to show" in capsys.readouterr().err
    assert (tmp_path / "page.html").is_file()


def test_words_that_the_model_does_not_know_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(ExplainOptions("el zyx gato zyx wvu", run))
    assert "not in the vocabulary, all the same to the model: zyx, wvu\n" in capsys.readouterr().err
    explain(ExplainOptions("el gato", run))
    assert "not in the vocabulary" not in capsys.readouterr().err


def test_no_words_are_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"sentence: expected words, got ' '"):
        explain(ExplainOptions(" ", run))
