"""What `import nmt_attn` gives, and what it leaves alone."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import make_run

import nmt_attn
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator


def test_the_names_are_those_of_the_search_floor() -> None:
    assert nmt_attn.Translator is Translator
    assert nmt_attn.Translation is Translation
    assert set(dir(nmt_attn)) == {"Translation", "Translator", "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'Translater'"):
        nmt_attn.Translater  # noqa: B018


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, nmt_attn; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_example_of_the_docstring_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, name="demo")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(nmt_attn.__doc__ or ""):
        exec(compile(example.source, "docstring", "exec"), names)
    assert isinstance(names["translation"], Translation)
    assert capsys.readouterr().out.count("tensor(") == 2


def test_a_translation_has_the_figures_of_its_best_hypothesis(tmp_path: Path) -> None:
    translator = Translator.load(str(make_run(tmp_path)))
    [several, nothing] = translator.translate(["un gato negro", ""], beam=3, nbest=3)
    best = several.hypotheses[0]
    assert (several.text, several.log_prob, several.rank) == (best.text, best.log_prob, best.rank)
    assert several.alignment is best.alignment
    assert several.alignment is not None
    assert several.alignment.source == ("un", "gato", "negro")
    assert (nothing.text, nothing.log_prob) == ("", 0.0)


def test_a_model_without_attention_has_no_alignment(tmp_path: Path) -> None:
    [translation] = Translator.load(str(make_run(tmp_path, score="none"))).translate(["un gato"])
    assert translation.alignment is None
