"""scripts/benchmark.py: what it counts by hand, the order of its batches, and that its page keeps what was written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_operations_by_hand() -> None:
    from bench.flops import Shape, forward_flops, update_flops
    from bench.systems import Corpus, configuration

    corpus = Corpus(Path("a"), Path("b"), Path("c"))
    shape = Shape(sentences=2, source_length=3, target_length=5, target_tokens=7, words=11)
    # Sizes 256 (word vectors, each direction) and 512. Multiplications, each with its addition:
    # encoder: 2 directions x 2 x 3 positions x (256 + 256) x (4 x 256)
    # decoder: 2 x 5 steps x (256 + 512 + 512 fed) x (4 x 512), and W_c: 2 x 5 x (512 + 512) x 512
    # attention: keys 2 x 3 x 512 x 512; scores and contexts 2 x 5 x 3 x (512 + 512)
    # output layer: 7 x 512 x 11
    expected = {
        "encoder": 2 * (2 * 2 * 3 * 512 * 1024),
        "decoder": 2 * (2 * 5 * 1280 * 2048 + 2 * 5 * 1024 * 512),
        "attention": 2 * (2 * 3 * 512 * 512 + 2 * 5 * 3 * 1024),
        "output layer": 2 * (7 * 512 * 11),
    }
    model = configuration("luong-feeding", corpus, 1).model
    assert forward_flops(model, shape) == expected
    assert update_flops(model, shape) == {part: 3 * count for part, count in expected.items()}
    without_feeding = forward_flops(configuration("luong", corpus, 1).model, shape)
    assert expected["decoder"] - without_feeding["decoder"] == 2 * (2 * 5 * 512 * 2048)
    # Bahdanau: the context enters the gates, the readout sees the word too, the query has a product of its own.
    bahdanau = forward_flops(configuration("bahdanau", corpus, 1).model, shape)
    assert bahdanau["decoder"] - expected["decoder"] == 2 * (2 * 5 * 256 * 512)
    assert bahdanau["attention"] - expected["attention"] == 2 * (2 * 5 * 512 * 512)


def test_batches_are_consecutive_lines_and_the_rest_is_left_out() -> None:
    from bench.systems import in_file_order

    assert [rows.tolist() for rows in in_file_order(8, sentences=3)] == [[0, 1, 2], [3, 4, 5]]


def test_the_made_up_corpus_has_multi30ks_lengths_and_every_word(tmp_path: Path) -> None:
    from bench.systems import SENTENCES, WORDS, synthetic

    corpus = synthetic(tmp_path, lines=1280)
    source, target = (path.read_text().split("\n")[:-1] for path in (corpus.source, corpus.target))
    assert len(source) == len(target)
    assert len({word for line in target for word in line.split()}) == WORDS
    lengths = np.array([len(line.split()) for line in target[:1280]])
    assert abs(lengths.mean() - 14.3) < 0.7  # Multi30k's; the standard deviation of this mean is 4.8 / sqrt(1280)
    batches = lengths.reshape(-1, SENTENCES)
    assert batches.sum() / (SENTENCES * batches.max(1)).sum() > 0.9  # hardly any padding


def test_growth_is_the_power_of_a_power_law() -> None:
    from bench.growth import exponent

    xs = [10, 20, 80]
    assert exponent(xs, [7 * x**1.5 for x in xs]) == pytest.approx(1.5)


def test_a_section_is_replaced_and_the_text_around_it_stays(tmp_path: Path) -> None:
    from bench.page import refresh, table

    page = tmp_path / "page.md"
    refresh(page, {"rates": table(["a", "b"], [["x", 1234.5]]), "memory": "none"})
    assert "| x | 1,234 |" in page.read_text()
    page.write_text(page.read_text().replace("<!-- measured: memory", "Written by hand.\n\n<!-- measured: memory"))
    refresh(page, {"rates": "other \\1"})
    text = page.read_text()
    assert "other \\1" in text and "1,234" not in text
    assert "Written by hand." in text and "none" in text
    assert text.count("<!-- measured:") == 2


def test_updates_of_which_none_would_be_timed_are_refused() -> None:
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), "--quick", "--updates", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--updates: expected at least 3, as the first third is not timed, got 2" in done.stderr


@pytest.mark.slow
def test_each_system_trains_and_says_what_it_took(tmp_path: Path) -> None:
    from bench.jobs import run_job
    from bench.systems import ALL_SYSTEMS, synthetic

    corpus = synthetic(tmp_path, lines=192)
    for system in ALL_SYSTEMS:
        job = {"system": system, "precision": "fp32", "updates": 3, "settings": ("model.decoder.embedding=32",)}
        found = run_job("train", {**job, **corpus._asdict()})
        assert found["tokens_a_second"] > 0
        assert 0 < found["loss"] < 15  # log 8,003 = 9.0 at first
        assert found["peak_mebibytes"] > 100
