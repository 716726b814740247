"""`nmt-attn shortlist` on a tiny run, and what `translate --shortlist` makes of it."""

from pathlib import Path

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run, names
from typer.testing import CliRunner

from nmt_attn.cli import app
from nmt_attn.commands.shortlist import make_shortlist
from nmt_attn.commands.translate import translate
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.model.store import SHORTLIST
from nmt_attn.options.models import ShortlistOptions
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.search.shortlist import read_shortlist
from nmt_attn.search.translator import Translator


def test_the_command_line_from_beginning_to_end(tmp_path: Path) -> None:
    """All pairs but the blank one. Their words (a cat the dog sees black two dogs) are frequent: nothing changes."""
    run = make_run(tmp_path)
    call = CliRunner().invoke
    made = call(app, ["shortlist", "--model", str(run)], catch_exceptions=False)
    assert (made.exit_code, made.stdout) == (0, "")
    assert f"{SHORTLIST}: 4 pairs, 8 frequent words" in made.stderr
    plain, short = (
        call(app, ["translate", "--model", str(run), "--input", str(tmp_path / "test.es"), *more])
        for more in ([], ["--shortlist"])
    )
    assert plain.exit_code == short.exit_code == 0
    assert short.stdout == plain.stdout


def test_links_are_those_of_the_attention(tmp_path: Path) -> None:
    """Every word of `two` and `dogs` is linked with a word of its source, or `</s>`, and with nothing else."""
    run = make_run(tmp_path)
    make_shortlist(ShortlistOptions(run, frequent=0, candidates=9, limit=1))
    found = read_shortlist(run / "best")
    source, target = Translator.load(run).codecs
    linked = {i for i, row in enumerate(found.candidates.tolist()) if any(row)}
    assert linked <= {*source.encode(SOURCES[0]), 3}
    assert {token for row in found.candidates.tolist() for token in row if token} == set(target.encode(REFERENCES[0]))
    assert found.frequent.tolist() == []


def test_other_pairs_may_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    (tmp_path / "a").write_text("un gato\n\nel perro\n" + "el " * 101 + "\n")
    (tmp_path / "b").write_text("a cat\nnothing\nthe dog\nthe\n")
    make_shortlist(ShortlistOptions(run / "best", tmp_path / "a", tmp_path / "b", frequent=3))
    assert "2 pairs, 3 frequent words" in capsys.readouterr().err
    assert SHORTLIST in names(run / "best")


def test_a_model_without_attention_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "none")
    with pytest.raises(ConfigError, match=r"shortlist: expected a model with attention, got .*best"):
        make_shortlist(ShortlistOptions(run))
    assert SHORTLIST not in names(run / "best")


def test_half_a_corpus_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (tmp_path / "blank").write_text("\n")
    with pytest.raises(ConfigError, match=r"--source: expected --target beside it, got .*blank alone"):
        make_shortlist(ShortlistOptions(run, source=tmp_path / "blank"))
    with pytest.raises(ConfigError, match=r"--target: expected --source beside it, got .*blank alone"):
        make_shortlist(ShortlistOptions(run, target=tmp_path / "blank"))
    with pytest.raises(DataError, match=r"blank: expected at least one usable pair, got none"):
        make_shortlist(ShortlistOptions(run, tmp_path / "blank", tmp_path / "blank"))


def test_translate_without_one_names_the_command(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(CheckpointError, match=r"best: expected shortlist.txt in it, got none \(make it: nmt-attn"):
        translate(TranslateOptions(model=(run,), input=tmp_path / "test.es", shortlist=True))
