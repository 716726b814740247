"""Alignments of single words that are read letter by letter: between letters and symbols, in `align` and `eval`."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nmt_attn.commands.align import align
from nmt_attn.commands.eval import evaluate
from nmt_attn.commands.translate import translate
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.errors import ConfigError
from nmt_attn.model.store import model_from_config, save_model
from nmt_attn.options.evaluation import AlignOptions, EvalOptions
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.search.alignment_units import alignment_units
from nmt_attn.search.forced import force_decode
from nmt_attn.search.translator import Translator

WORDS = ["cat", "ox", "horse"]
PHONES = ["K AE T", "AA K S", "H AO R S"]


def make_model(folder: Path, source: str = "char", *, is_turned: bool = False) -> Path:
    """A model of random weights from words to phones; turned: from phones to words."""
    kinds = {"source": {"kind": source}, "target": {"kind": "symbols"}}
    sides = [WORDS, PHONES]
    if is_turned:
        kinds, sides = {"source": kinds["target"], "target": kinds["source"]}, sides[::-1]
    sizes = {"encoder": {"hidden": 5, "embedding": 7}, "decoder": {"hidden": 11, "embedding": 3}}
    data = {name: {"source": "a", "target": "b"} for name in ("train", "valid", "test")}
    config = Config.model_validate({"data": data, "tokenizer": kinds, "model": sizes})
    tokenizer = config.tokenizer
    codecs = Codecs(
        learn_codec(sides[0], tokenizer.side("source"), "source"),
        learn_codec(sides[1], tokenizer.side("target"), "target"),
    )
    torch.manual_seed(3)
    model = model_from_config(config, codecs.source.size, codecs.target.size)
    save_model(model, config, folder, vocabulary=codecs.digest())
    codecs.save(folder / "vocab")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """From words to phones, both in files beside it."""
    write(tmp_path, WORDS)
    return make_model(tmp_path / "m")


def write(folder: Path, sources: list[str]) -> None:
    (folder / "words").write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
    (folder / "phones").write_text("".join(f"{line}\n" for line in PHONES), encoding="utf-8")


def aligned(model: Path, **more: Path) -> list[dict[str, list[str]]]:
    output = model.parent / "a.jsonl"
    align(AlignOptions(model.parent / "words", model.parent / "phones", model, output=output, **more))  # type: ignore[arg-type]
    return [json.loads(line) for line in output.read_text(encoding="utf-8").split("\n")[:-1]]


def test_links_of_single_words_are_between_their_letters(model: Path) -> None:
    cat, _, horse = aligned(model)
    assert (cat["source"], cat["target"]) == ([*"cat", "</s>"], ["K", "AE", "T", "</s>"])
    assert horse["source"] == [*"horse", "</s>"]
    [pair, *_] = force_decode(Translator.load(model), WORDS, PHONES, with_alignments=True, units="pieces")
    assert pair.weights is not None
    torch.testing.assert_close(torch.tensor(cat["weights"]), pair.weights, atol=1e-4, rtol=0)


def translated(model: Path, *lines: str, **more: Any) -> list[dict[str, Any]]:
    (model.parent / "in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    output = model.parent / "t.jsonl"
    translate(
        TranslateOptions(
            model=(model,), input=model.parent / "in", output=model.parent / "out", alignments=output, **more
        )
    )
    return [json.loads(line) for line in output.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("beam", [1, 3])
def test_translations_of_single_words_are_aligned_as_align_has_them(model: Path, beam: int) -> None:
    found = translated(model, *WORDS, beam=beam, set=("search.min_length=3", "search.forbid_unknown=true"))
    assert [each["source"] for each in found] == [[*word, "</s>"] for word in WORDS]
    (model.parent / "phones").write_text((model.parent / "out").read_text(encoding="utf-8"), encoding="utf-8")
    for ours, other in zip(found, aligned(model), strict=True):
        length = len(ours["target"])  # one cut at the greatest length has no </s>
        assert length >= 3 and ours["target"] == other["target"][:length]
        torch.testing.assert_close(
            torch.tensor(ours["weights"]), torch.tensor(other["weights"][:length]), atol=1e-4, rtol=0
        )


def test_a_line_of_several_words_makes_those_of_translations_between_words_too(model: Path) -> None:
    assert translated(model, "cat", "ox cat")[0]["source"] == ["cat", "</s>"]


def test_unknown_symbols_are_replaced_by_words_beside_alignments_between_letters(model: Path) -> None:
    prefix = model.parent / "prefix"
    prefix.write_text("K\nAA\n", encoding="utf-8")
    plain = translated(model, "cat", "ox", prefix=prefix)
    assert "<unk>" in (model.parent / "out").read_text(encoding="utf-8")
    replaced = translated(model, "cat", "ox", prefix=prefix, replace_unknown=True)
    assert [each["weights"] for each in plain] == [each["weights"] for each in replaced]
    assert "<unk>" not in (model.parent / "out").read_text(encoding="utf-8")


def test_one_line_of_several_words_makes_all_alignments_between_words(model: Path) -> None:
    write(model.parent, ["cat", "ox cat", "horse"])
    assert [each["source"] for each in aligned(model)] == [["cat", "</s>"], ["ox", "cat", "</s>"], ["horse", "</s>"]]
    source = Translator.load(model).codecs.source
    assert alignment_units(source, ["", " "]) == alignment_units(source, ["cat", "an ox"]) == "words"
    assert alignment_units(source, ["", "cat"]) == "pieces"


def evaluated(model: Path, **more: object) -> dict[str, dict[str, object]]:
    root = model.parent
    evaluate(
        EvalOptions(model=(model,), source=root / "words", reference=(root / "phones",), json=root / "e.json", **more)  # type: ignore[arg-type]
    )
    found: dict[str, dict[str, object]] = json.loads((root / "e.json").read_text(encoding="utf-8"))
    return found


def test_the_figures_of_attention_are_between_letters(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(model)["attention"]
    assert (found["unit"], found["words"]) == ("pieces", 3 + 3 + 4)
    assert 0 < float(str(found["diagonal_share"])) < 1 - float(str(found["end_share"]))  # not one column
    assert "words are here letters and symbols" in " ".join(capsys.readouterr().out.split())


def test_gold_links_of_letters_are_inside_their_words(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model.parent / "gold").write_text("0-0 1-1 2-2\n0-0 1-2\n0-0 4-3\n")
    found = evaluated(model, gold=model.parent / "gold")
    assert found["attention"]["gold_share"] is not None
    assert "outside" not in capsys.readouterr().err


def test_the_other_direction_has_to_write_the_letters(model: Path) -> None:
    turned = make_model(model.parent / "t", is_turned=True)
    align(AlignOptions(model.parent / "words", model.parent / "phones", model, reverse=turned))
    other = make_model(model.parent / "w", "word", is_turned=True)
    with pytest.raises(
        ConfigError,
        match=r"--reverse: expected a model that writes letters, as \S+m reads them, got \S+w, which writes",
    ):
        align(AlignOptions(model.parent / "words", model.parent / "phones", model, reverse=other))
    (model.parent / "gold").write_text("0-0\n0-0\n0-0\n")
    with pytest.raises(
        ConfigError, match=r"--reverse: expected a model that writes letters, as \S+ reads them, got \S+w, which"
    ):
        evaluated(model, gold=model.parent / "gold", reverse=other)
