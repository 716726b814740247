"""`nmt-attn translate --columns`, and records in Python: what a model of several columns reads."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nmt_attn.commands.explain import explain
from nmt_attn.commands.translate import translate
from nmt_attn.config.file import load_config
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.data.tags import DefaultTags
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.model.store import model_from_config, save_model
from nmt_attn.options.translation import ExplainOptions, TranslateOptions
from nmt_attn.search.translator import Translator

LEMMAS = ["hablar", "casa", "⟦ab⟧"]
TEXTS = ["hablar ⟦V⟧ ⟦PST⟧", "casa ⟦N⟧", "[ab] ⟦V⟧"]
Make = Callable[[str, object], Path]


@pytest.fixture
def make_model(tmp_path: Path) -> Make:
    """A model of random weights, whose source has these columns in corpora of this form."""

    def make(form: str, source: object) -> Path:
        corpora = {name: {form: "f"} for name in ("train", "valid", "test")}
        columns = {"source": source, "target": 3 if form == "tsv" else "form"}
        sizes = {"encoder": {"hidden": 5, "embedding": 7}, "decoder": {"hidden": 11, "embedding": 3}}
        tree = {"data": {**corpora, "columns": columns}, "tokenizer": {"kind": "char"}, "model": sizes}
        (tmp_path / "c.yaml").write_text(json.dumps(tree))
        config = load_config(tmp_path / "c.yaml", [])
        is_labelled = '"tag"' in json.dumps(source)
        texts = [f"{label} {text}" for label in ("⟦@es⟧", "⟦@pt⟧") for text in TEXTS] if is_labelled else TEXTS
        source_codec = learn_codec(texts, config.tokenizer, "source", DefaultTags("", "⟦N⟧"))
        codecs = Codecs(source_codec, learn_codec(LEMMAS, config.tokenizer, "target"))
        torch.manual_seed(3)
        model = model_from_config(config, codecs.source.size, codecs.target.size)
        save_model(model, config, tmp_path / "m", vocabulary=codecs.digest())
        codecs.save(tmp_path / "m" / "vocab")
        return tmp_path / "m"

    return make


def tags(column: object, default: str | None = None) -> dict[str, object]:
    return {"column": column, "as": "tags", "split": ";"} | ({} if default is None else {"default": default})


def test_a_word_of_letters_is_explained_letter_by_letter(
    make_model: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_model("tsv", [1, tags(2)])
    explain(ExplainOptions("hablar ⟦V⟧ ⟦PST⟧", model, html=tmp_path / "page.html"))
    text, _, _, header, *looks = capsys.readouterr().out.split("\n")
    assert header.split() == [*"hablar", "⟦V⟧", "⟦PST⟧", "</s>"]
    assert len(looks) == len(text) + 2  # </s> and the end of the last line
    assert '"h","a","b","l"' in (tmp_path / "page.html").read_text(encoding="utf-8").replace(", ", ",")
    explain(ExplainOptions("hablar casa ⟦V⟧", model))
    assert capsys.readouterr().out.split("\n")[3].split() == ["hablar", "casa", "⟦V⟧", "</s>"]


def run(model: Path, text: str, tmp_path: Path, *, columns: bool, tag: str | None = None) -> list[str]:
    (tmp_path / "in.txt").write_text(text)
    out = tmp_path / "out.txt"
    translate(
        TranslateOptions(model=(model,), input=tmp_path / "in.txt", output=out, columns=columns, tag=tag, device="cpu")
    )
    return out.read_text().split("\n")[:-1]


def test_cells_texts_and_records_of_one_meaning_have_one_translation(make_model: Make, tmp_path: Path) -> None:
    model = make_model("tsv", [1, tags(2)])
    rows = [("hablar", "V;PST"), ("casa", "N"), ("⟦ab⟧", "V"), ("", "")]
    from_cells = run(model, "".join(f"{a}\t{b}\tform\n" for a, b in rows[:3]) + "\n", tmp_path, columns=True)
    from_text = run(model, "".join(f"{text}\n" for text in [*TEXTS, ""]), tmp_path, columns=False)
    translator = Translator.load(model, torch.device("cpu"))
    from_records = translator.translate([{1: a, 2: b} for a, b in rows])
    assert from_cells == from_text == [each.text for each in from_records]
    assert [each.source for each in from_records] == [*TEXTS, ""]
    assert len({*from_text[:3]}) == 3


def test_without_its_tags_a_text_has_the_default(make_model: Make, tmp_path: Path) -> None:
    model = make_model("tsv", [1, tags(2, "N")])
    [with_tag, without] = Translator.load(model, torch.device("cpu")).translate(["casa ⟦N⟧", {1: "casa"}])
    assert run(model, "casa\n", tmp_path, columns=True) == run(model, "casa\n", tmp_path, columns=False)
    assert with_tag.text == without.text == run(model, "casa\n", tmp_path, columns=True)[0]


def test_json_lines_have_fields(make_model: Make, tmp_path: Path) -> None:
    model = make_model("jsonl", ["lemma", tags("tags")])
    lines = [json.dumps({"lemma": "hablar", "tags": "V;PST", "id": 7}), '{"lemma": "casa", "tags": "N"}']
    assert run(model, "\n".join(lines), tmp_path, columns=True) == run(
        model, "\n".join(TEXTS[:2]), tmp_path, columns=False
    )
    with pytest.raises(DataError, match=r"in\.txt:1: expected a JSON object with texts 'lemma', 'tags', got no JSON"):
        run(model, "hablar\n", tmp_path, columns=True)


def test_unknown_tags_are_named_once(make_model: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(make_model("tsv", [1, tags(2)]), "hablar\tX;V;Y\ncasa\tX\n", tmp_path, columns=True)
    assert "note: tags that training has not seen, read as <unk>: ⟦X⟧, ⟦Y⟧ (3 in all)\n" in capsys.readouterr().err


def test_a_missing_column_is_refused_with_its_line(make_model: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"in\.txt:2: expected at least 2 tab-separated columns, got 1"):
        run(make_model("tsv", [1, tags(2)]), "hablar\tV\ncasa\n", tmp_path, columns=True)


def test_a_model_of_plain_text_has_no_columns(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("tsv", [1, tags(2)])
    text = (model / "config.yaml").read_text()
    (model / "config.yaml").write_text(text[: text.index("  columns:")] + text[text.index("  held_out:") :])
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nothing of it is read
    with pytest.raises(ConfigError, match=r"--columns: expected a model that was trained with data\.columns, got .*m"):
        translate(TranslateOptions(model=(model,), columns=True, device="cpu"))
    with pytest.raises(ConfigError, match=r"lines\[0\]: expected text, got dict"):
        Translator.load(model, torch.device("cpu")).translate([{1: "casa"}])


LABELLED = [{"column": 1, "as": "tag"}, 2, tags(3, "N")]


def test_a_language_is_a_column_or_an_option_and_refused_if_unknown(make_model: Make, tmp_path: Path) -> None:
    model = make_model("tsv", LABELLED)
    from_cells = run(model, "es\thablar\tV\npt\tcasa\n\tcasa\tN\n", tmp_path, columns=True, tag="es")
    from_text = run(model, "hablar ⟦V⟧\n⟦@pt⟧ casa\ncasa\n\n", tmp_path, columns=False, tag="es")
    translator = Translator.load(model, torch.device("cpu"))
    records = translator.translate([{2: "hablar", 3: "V"}, {1: "pt", 2: "casa"}, "casa"], tag="es")
    assert from_cells == from_text[:3] == [each.text for each in records]
    assert records[2].source == "⟦@es⟧ casa" and from_text[3] == ""
    with pytest.raises(ConfigError, match="tag: expected one of es, pt, got 'it'"):
        run(model, "casa\n", tmp_path, columns=False, tag="it")
    with pytest.raises(DataError, match="line 2: expected one of the tags ⟦@es⟧, ⟦@pt⟧, got ⟦@it⟧"):
        run(model, "es\tcasa\nit\tcasa\n", tmp_path, columns=True)
    with pytest.raises(DataError, match=r"line 1: expected one of the tags ⟦@es⟧, ⟦@pt⟧, got none \(--tag gives one\)"):
        translator.translate(["casa"])


def test_a_model_of_one_language_takes_no_tag(make_model: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tag: expected a model with a column `as: tag`, as .* has none, got 'es'"):
        run(make_model("tsv", [1, tags(2)]), "casa\n", tmp_path, columns=False, tag="es")
