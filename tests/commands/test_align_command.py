"""`nmt-attn align` and `nmt-attn score` on a tiny run: lines for lines, formats, what is refused."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.align import align
from nmt_attn.commands.score import score
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.options.evaluation import AlignOptions, ScoreOptions


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, its test set two folders above."""
    return make_run(tmp_path_factory.mktemp("align"))


def options(run: Path, **more: object) -> AlignOptions:
    root = run.parents[1]
    return AlignOptions(root / "test.es", root / "test.en", run, **more)  # type: ignore[arg-type]


def score_options(run: Path, **more: object) -> ScoreOptions:
    root = run.parents[1]
    return ScoreOptions(root / "test.es", root / "test.en", run, **more)  # type: ignore[arg-type]


def test_every_pair_has_a_line_of_links_within_its_words(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    align(options(run))
    lines = capsys.readouterr().out.split("\n")[:-1]
    assert len(lines) == len(SOURCES) and lines[1] == ""
    for line, source, target in zip(lines, SOURCES, REFERENCES, strict=True):
        pairs = [tuple(map(int, link.split("-"))) for link in line.split()]
        assert all(i < len(source.split()) and j < len(target.split()) for i, j in pairs)
    assert any(lines)


def test_a_file_has_the_format_of_its_ending(run: Path, tmp_path: Path) -> None:
    align(options(run, output=tmp_path / "a.jsonl"))
    align(options(run, output=tmp_path / "b.jsonl", shift=1))
    first, shifted = (json.loads((tmp_path / f"{name}.jsonl").read_text().split("\n")[2]) for name in "ab")
    assert first["target"] == [*REFERENCES[2].split(), "</s>"]
    assert shifted["weights"][:-1] == first["weights"][1:]


def test_scores_are_of_lines_and_sum_up(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score(score_options(run))
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.split("\n")[:-1]]
    # words and </s>; the blank source is left out
    assert [int(row[1]) for row in rows] == [3, 0, 7, 3, 15]
    assert rows[1] == ["0.0000", "0", "-"]
    for log_prob, tokens, perplexity in [rows[0], rows[2]]:
        assert float(perplexity) == pytest.approx(math.exp(-float(log_prob) / int(tokens)), rel=1e-3)
    total = sum(float(row[0]) for row in rows)
    assert f"28 target tokens, perplexity {math.exp(-total / 28):.1f}"[:-2] in err


def test_a_terminal_is_told_what_the_columns_of_scores_are(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    score(score_options(run))
    assert "each line" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    score(score_options(run))
    assert "each line: log-probability, target tokens with </s>, perplexity" in capsys.readouterr().err


def test_a_jsonl_has_the_log_probability_of_every_token(run: Path, tmp_path: Path) -> None:
    score(score_options(run, output=tmp_path / "scores.tsv"))
    score(score_options(run, output=tmp_path / "scores.jsonl"))
    rows = [line.split("\t") for line in (tmp_path / "scores.tsv").read_text().split("\n")[:-1]]
    lines = (tmp_path / "scores.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    records = [json.loads(line) for line in lines]
    assert [record["sentence"] for record in records] == [1, 2, 3, 4, 5]
    assert [(record["source"], record["target"]) for record in records] == list(zip(SOURCES, REFERENCES, strict=True))
    for (log_prob, tokens, _), record, target in zip(rows, records, REFERENCES, strict=True):
        values = record["token_log_probs"]
        assert len(values) == len(record["tokens"]) == int(tokens)
        assert sum(values) == pytest.approx(record["log_prob"], abs=1e-4)
        assert record["log_prob"] == pytest.approx(float(log_prob), abs=1e-4)
        if values:
            assert record["tokens"] == [*target.split(), "</s>"]
            assert record["perplexity"] == pytest.approx(math.exp(-sum(values) / len(values)), rel=1e-4)
    assert (records[1]["tokens"], records[1]["log_prob"], records[1]["perplexity"]) == ([], 0.0, None)


def test_sides_of_unequal_length_are_refused_with_both_counts(run: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a\n")
    with pytest.raises(DataError, match=r"short: expected 5 lines, as many as in .*test.es, got 1"):
        align(AlignOptions(run.parents[1] / "test.es", tmp_path / "short", run))


def test_a_model_without_attention_is_refused_and_nothing_written(tmp_path: Path) -> None:
    plain = make_run(tmp_path, "none")
    with pytest.raises(ConfigError, match=r"align: expected a model with attention, got .*best"):
        align(options(plain, output=tmp_path / "out.pharaoh"))
    assert not (tmp_path / "out.pharaoh").exists()


def written(made: Path, capsys: pytest.CaptureFixture[str], **more: object) -> list[set[tuple[int, int]]]:
    """The links of each pair."""
    align(options(made, **more))
    lines = capsys.readouterr().out.split("\n")[:-1]
    return [{(int(i), int(j)) for i, j in (link.split("-") for link in line.split())} for line in lines]


def test_links_of_two_models_are_symmetrised(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = make_run(tmp_path, seed=5, is_turned=True)
    forward = written(run, capsys)
    turned = replace(options(other), source=options(run).target, target=options(run).source)
    align(turned)
    backward = [
        {(int(j), int(i)) for i, j in (link.split("-") for link in line.split())}
        for line in capsys.readouterr().out.split("\n")[:-1]
    ]
    assert forward != backward
    both = [first & second for first, second in zip(forward, backward, strict=True)]
    either = [first | second for first, second in zip(forward, backward, strict=True)]
    assert written(run, capsys, reverse=other, symmetrise="intersection") == both
    assert written(run, capsys, reverse=other, symmetrise="union") == either
    grown = written(run, capsys, reverse=other)
    assert grown == written(run, capsys, reverse=other, symmetrise="grow-diag-final")
    assert all(few <= some <= many for few, some, many in zip(both, grown, either, strict=True))


def test_a_reverse_model_needs_attention(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"align: expected a model with attention, got .*plain"):
        align(options(run, reverse=make_run(tmp_path, "none", name="plain")))


def test_a_reverse_model_of_the_same_direction_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"--reverse: expected a model of the other direction, got .*mine.best \(it"):
        align(options(run, reverse=run))


def test_a_threshold_links_every_weight_from_it_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best, wide = written(run, capsys), written(run, capsys, threshold=1e-6)
    assert wide[0] == {(i, j) for i in range(2) for j in range(2)}  # every word of `un gato` and `a cat`
    assert all(few <= many for few, many in zip(best, wide, strict=True))
    assert not any(written(run, capsys, threshold=1.0))


def test_weights_without_the_end_of_sentence(run: Path, tmp_path: Path) -> None:
    align(options(run, output=tmp_path / "a.jsonl", eos="dropped"))
    first = json.loads((tmp_path / "a.jsonl").read_text().split("\n")[0])
    assert (first["target"], first["source"], first["eos"]) == (["a", "cat"], ["un", "gato"], "dropped")
    assert [len(row) for row in first["weights"]] == [2, 2]


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_text_that_is_read_is_not_written_over(run: Path, tmp_path: Path, name: str) -> None:
    text = tmp_path / "text.pharaoh"  # an ending that `align` takes
    text.write_text("un gato\n")
    for command in (align, score):
        with pytest.raises(ConfigError, match=rf"--output: expected another file than --{name}, got .*text\.pharaoh"):
            command(replace(options(run), **{name: text}, output=text))  # type: ignore[arg-type]
    assert text.read_text() == "un gato\n"


MISTAKES: list[tuple[dict[str, object], str]] = [
    ({"symmetrise": "union"}, r"--symmetrise: expected --reverse MODEL beside it, got union alone"),
    ({"symmetrise": "both", "reverse": Path("x")}, r"--symmetrise: expected one of intersection, .* got 'both'"),
    ({"threshold": 0.0}, r"--threshold: expected a weight above 0 and up to 1, got 0"),
    ({"eos": "dropped"}, r"--eos: expected --output with weights .* got dropped for links"),
    ({"threshold": 0.3, "output": Path("a.npz")}, r"--threshold: expected links as output .* got a.npz for weights"),
    ({"reverse": Path("x"), "output": Path("a.jsonl")}, r"--reverse: expected links as output .* got a.jsonl"),
]


@pytest.mark.parametrize(("more", "message"), MISTAKES)
def test_an_option_that_would_change_nothing_is_refused(run: Path, more: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        align(options(run, **more))
