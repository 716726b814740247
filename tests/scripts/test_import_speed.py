"""scripts/import_speed.py: a toolkit that is asked answers as its translator does, and batches keep the order."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from import_speed import Asked
from parity.speed import BATCH, in_batches, until

from nmt_attn import Translator

MODEL = Path(__file__).parents[2] / "nmt_attn" / "lab" / "models" / "bahdanau"


def test_batches_are_sorted_by_length_and_texts_stand_in_the_old_order() -> None:
    lines = [" ".join(["a"] * (1 + i * 7 % 40)) for i in range(BATCH + 3)]
    seen: list[list[int]] = []

    def translate(rows: list[list[str]]) -> list[str]:
        seen.append([len(row) for row in rows])
        return [str(len(row)) for row in rows]

    assert in_batches(lines, translate) == [str(len(line.split())) for line in lines]
    assert [len(batch) for batch in seen] == [BATCH, 3]
    assert [length for batch in seen for length in batch] == sorted((len(line.split()) for line in lines), reverse=True)


def test_a_text_ends_before_its_end() -> None:
    assert until(["a", "b", "</s>", "c"]) == "a b"
    assert until(["a", "b"]) == "a b"


def test_whoever_is_asked_answers_with_its_texts_and_seconds(tmp_path: Path) -> None:
    lines = ["Turn off the lights", "Where is the book ?"]
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = Asked(sys.executable, "ours", MODEL, file)
    try:
        for beam in (1, 3):
            seconds, texts = asked.translate(beam)
            keys = ("search.length_penalty=none", "search.max_length=60", "search.max_length_factor=100")
            expected = Translator.load(MODEL, overrides=keys).translate(lines, beam=beam)
            assert texts == [each.text for each in expected]
            assert seconds > 0
    finally:
        asked.close()
