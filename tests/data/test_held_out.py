"""Held-out pairs: which they are, that none leaks, and what is left to train on."""

from pathlib import Path

import pytest

from nmt_attn.config.file import load_config, parse_config
from nmt_attn.data.corpus import has_test, read_part, read_test
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.data.held_out import CorpusPart, part_of

PARTS: tuple[CorpusPart, ...] = ("train", "valid", "test")
PAIRS = [(f"source {i // 2}", f"target {i}") for i in range(2000)]


def write(folder: Path, keys: str = "") -> Path:
    (folder / "words.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    (folder / "mine.yaml").write_text(f"data: {{train: {{tsv: words.tsv}}{keys}}}\n")
    return folder / "mine.yaml"


def read(path: Path, *overrides: str) -> dict[CorpusPart, list[tuple[str, str]]]:
    config = load_config(path, overrides)
    parts = [part for part in PARTS if part != "test" or has_test(config)]
    return {part: [(pair[1], pair[2]) for pair in read_part(config, part, CorpusReport("c"))] for part in parts}


def test_every_pair_is_in_one_corpus_and_equal_sources_are_together(tmp_path: Path) -> None:
    found = read(write(tmp_path, ", held_out: {valid: 0.2, test: 0.1}"))
    assert sorted(pair for pairs in found.values() for pair in pairs) == sorted(PAIRS)
    sources = [{source for source, _ in pairs} for pairs in found.values()]
    assert not sources[0] & sources[1]
    assert not sources[0] & sources[2]
    assert not sources[1] & sources[2]
    # 1,000 groups: the standard deviation of a share is below 0.013
    assert len(sources[1]) / 1000 == pytest.approx(0.2, abs=0.05)
    assert len(sources[2]) / 1000 == pytest.approx(0.1, abs=0.05)


def test_another_seed_holds_out_other_pairs(tmp_path: Path) -> None:
    path = write(tmp_path, ", held_out: {valid: 0.2}")
    one, other = read(path), read(path, "data.held_out.seed=2")
    assert one["valid"] != other["valid"]
    assert read(path) == one


def test_a_pair_stays_where_it_is_when_others_come(tmp_path: Path) -> None:
    data = load_config(write(tmp_path, ", held_out: {valid: 0.2}"), []).data
    assert part_of("source  7 ", data) == part_of("source 7", data)


def test_training_text_alone_is_enough(tmp_path: Path) -> None:
    config = load_config(write(tmp_path), [])
    assert config.data.held_out.valid == 0.05
    assert not has_test(config)
    assert config == parse_config("", [f"data.root={tmp_path}", "data.train.tsv=words.tsv"], "x")


def test_what_is_held_out_is_counted(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, ", held_out: {valid: 0.2}"), [])
    report = CorpusReport("data.train")
    kept = sum(1 for _ in read_part(config, "train", report))
    assert report.lines == 2000
    assert report.kept == kept
    assert report.dropped["held out for data.valid"].count == 2000 - kept


def test_limits_hold(tmp_path: Path) -> None:
    path = write(tmp_path, ", held_out: {valid: 0.2, test: 0.2}")
    found = read(path, "data.train.limit=100", "data.valid.limit=3")
    assert len(found["valid"]) == 3
    assert set(found["train"]) | set(found["test"]) <= set(PAIRS[:100])


def test_lines_that_cannot_be_used_stay_in_training(tmp_path: Path) -> None:
    path = write(tmp_path, ", held_out: {valid: 0.2, test: 0.3}")
    with (tmp_path / "words.tsv").open("ab") as stream:
        stream.write(b"one column\n\n\xff\tbytes\n" * 40)
    assert len(read_test(load_config(path, [])).pairs) == len(read(path)["test"])
    assert all(source.strip() for source, _ in read(path)["test"])
