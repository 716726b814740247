"""Training curves: what is read from a log, and what is drawn of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from nmt_attn.errors import DataError
from nmt_attn.evaluation import training_curves
from nmt_attn.evaluation.pictures import FORMATS, SYSTEM_COLOURS
from nmt_attn.evaluation.training_curves import TrainingLog, draw_training, read_training_log, smoothed


def lines(*, bleu: float | None) -> list[str]:
    """Three updates of half a second each, one of them skipped; a validation after the second."""
    records = [
        {"kind": "update", "update": number, "loss": loss, "learning_rate": 0.1 * number, "seconds": 0.5}
        for number, loss in [(1, 4.0), (2, 2.0), (3, float("nan"))]
    ]
    records.insert(2, {"kind": "validation", "update": 2, "loss": 3.0, "bleu": bleu, "seconds": 1.1})  # type: ignore[dict-item]
    return [*map(json.dumps, records), '{"kind": "upd']


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(training_curves, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def both() -> list[TrainingLog]:
    return [read_training_log(lines(bleu=20.0), "with"), read_training_log(lines(bleu=None), "without")]


def test_updates_and_validations_become_curves_by_update_and_by_time() -> None:
    log = both()[0]
    np.testing.assert_array_equal(log.training_loss, [[1, 2, 3], [0.5, 1.0, 1.5], [4, 2, np.nan]])
    np.testing.assert_array_equal(log.validation_loss, [[2], [1.1], [3]])
    np.testing.assert_array_equal(log.validation_metric, [[2], [1.1], [20]])
    np.testing.assert_allclose(log.learning_rate.values, [0.1, 0.2, 0.3])
    assert [each.metric for each in both()] == ["bleu", None] and len(both()[1].validation_metric.values) == 0


def test_each_run_has_its_curves(drawn: list[Figure]) -> None:
    draw_training(both(), Path("a.png"))
    loss, bleu, rate = drawn[0].axes
    assert [line.get_label() for line in loss.lines] == [
        "with, training",
        "with, validation",
        "without, training",
        "without, validation",
    ]
    np.testing.assert_allclose(loss.lines[0].get_ydata(), [4, 2, np.nan])  # too few for a mean
    assert len(bleu.lines) == 1 and len(rate.lines) == 2
    assert rate.get_xlabel() == "updates"


def falling(updates: int) -> TrainingLog:
    """A loss that falls by a straight line, an update a second."""
    records = [
        {"kind": "update", "update": i, "loss": 1000.0 - i, "learning_rate": 1, "seconds": 1}
        for i in range(1, updates + 1)
    ]
    return read_training_log(map(json.dumps, records), "a")


@pytest.mark.parametrize(("updates", "window"), [(9, 1), (77, 7), (512, 50)])
def test_the_mean_of_a_straight_line_is_that_line(updates: int, window: int) -> None:
    curve, found = smoothed(falling(updates).training_loss)
    assert found == window
    assert len(curve.values) == updates - window + 1  # full windows only
    np.testing.assert_allclose(curve.values, 1000 - curve.updates)
    np.testing.assert_allclose(curve.seconds, curve.updates)
    assert curve.updates[0] == (1 + window) / 2


def test_skipped_updates_do_not_count_in_a_mean() -> None:
    loss = falling(20).training_loss
    loss.values[[1, 2, 3]] = np.nan
    curve, window = smoothed(loss)
    assert window == 2
    # 999 and a skipped one; two skipped ones twice; a skipped one and 995; 995 and 994
    np.testing.assert_array_equal(curve.values[:5], [999, np.nan, np.nan, 995, 994.5])


def test_what_the_mean_is_of_is_told(drawn: list[Figure]) -> None:
    draw_training([falling(100)], Path("a.png"), "seconds")
    [training] = drawn[0].axes[0].lines
    assert training.get_label() == "a, training, mean of 10 updates"
    assert len(drawn[0].axes) == 2


@pytest.mark.slow
@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_written(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    assert draw_training(both(), path, "seconds") is None
    content = path.read_bytes()
    if ending == ".png":
        pixels = imread(path)[:, :, :3]
        # 8 by 8.6 inches of three plots, cut to what is drawn, with both runs' colours in it
        assert pixels.shape[:2] == pytest.approx((8.6 * 150, 8 * 150), rel=0.02)
        for colour in SYSTEM_COLOURS[:2]:
            wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            assert (np.abs(pixels - wanted).max(axis=2) < 0.01).sum() > 100
    elif ending == ".svg":
        for text in ("with, training", "without, validation", "validation BLEU (greedy)", "seconds of training"):
            assert f">{text}</text>" in content.decode()
    else:
        assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"update": "7"}, r"mine: log.jsonl:1: expected a number as update, got '7'"),
        ({"seconds": None}, r"log.jsonl:1: expected a number as seconds, got None"),
        ({"loss": [1]}, r"expected a number as loss, got \[1\]"),
        ({"learning_rate": True}, r"expected a number as learning_rate, got True"),
        ({"loss": 10**400}, r"expected a number as loss, got 1000"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_log_with_values_of_another_type_is_one_line(fields: dict[str, object], message: str) -> None:
    record = {"kind": "update", "update": 1, "loss": 2.0, "learning_rate": 0.1, "seconds": 0.5, **fields}
    with pytest.raises(DataError, match=message) as caught:
        read_training_log([json.dumps(record)], "mine")
    assert len(str(caught.value)) < 200
    assert not len(read_training_log(["[" * 100_000, "5", "null"], "mine").training_loss.values)
