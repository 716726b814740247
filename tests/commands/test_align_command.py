"""`nmt-attn align` and `nmt-attn score` on a tiny run: lines for lines, formats, what is refused."""

import json
import math
from pathlib import Path

import pytest
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.commands.align import AlignOptions, align, score
from nmt_attn.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, its test set two folders above."""
    return make_run(tmp_path_factory.mktemp("align"))


def options(run: Path, **more: object) -> AlignOptions:
    root = run.parents[1]
    return AlignOptions(run, root / "test.es", root / "test.en", **more)  # type: ignore[arg-type]


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
    score(options(run))
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.split("\n")[:-1]]
    # words and </s>; the blank source is left out
    assert [int(row[1]) for row in rows] == [3, 0, 7, 3, 15]
    assert rows[1] == ["0.0000", "0", "-"]
    for log_prob, tokens, perplexity in [rows[0], rows[2]]:
        assert float(perplexity) == pytest.approx(math.exp(-float(log_prob) / int(tokens)), rel=1e-3)
    total = sum(float(row[0]) for row in rows)
    assert f"28 target tokens, perplexity {math.exp(-total / 28):.1f}"[:-2] in err


def test_sides_of_unequal_length_are_refused_with_both_counts(run: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a\n")
    with pytest.raises(DataError, match=r"short: expected 5 lines, as many as in .*test.es, got 1"):
        align(AlignOptions(run, run.parents[1] / "test.es", tmp_path / "short"))


def test_a_model_without_attention_is_refused_and_nothing_written(tmp_path: Path) -> None:
    plain = make_run(tmp_path, "none")
    with pytest.raises(ConfigError, match=r"align: expected a model with attention, got .*best"):
        align(options(plain, output=tmp_path / "out.pharaoh"))
    assert not (tmp_path / "out.pharaoh").exists()
