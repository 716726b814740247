"""The command with a tiny model of random weights: what goes where, and what is refused."""

import gzip
import io
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from select import select
from threading import Thread
from typing import Any

import pytest
import torch

from nmt_attn.commands.translate import translate
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, learn_codec, load_codecs
from nmt_attn.errors import CheckpointError, ConfigError, DataError, UserError
from nmt_attn.model.store import load_model, model_from_config, save_model
from nmt_attn.options.translation import TranslateOptions
from nmt_attn.search.ensemble import COMBINATIONS
from nmt_attn.types import UNK

SOURCE_TEXT = ["der Hund sieht die Katze", "die Katze sieht das Haus nicht"]
TARGET_TEXT = ["the dog sees the cat", "the cat does not see the house"]
TEXT = "die Katze\n\nunbekannt\r\nder\u2028Hund sieht das Haus\nHaus"
LINES = 5


def save_run(folder: Path, score: str = "dot") -> Path:
    """A run with a best model of random weights."""
    config = Config.model_validate(
        {
            "model": {
                "word_deviation": 1.0,
                "encoder": {"hidden": 3, "embedding": 5},
                "attention": {"score": score},
                "decoder": {"hidden": 6, "embedding": 2},
            },
            "search": {"max_length_factor": 0.5},
        }
    )
    names = ("source", "target")
    codecs = Codecs(
        *(learn_codec(t, config.tokenizer, n) for t, n in zip((SOURCE_TEXT, TARGET_TEXT), names, strict=True))
    )
    torch.manual_seed(8)
    save_model(
        model_from_config(config, codecs.source.size, codecs.target.size),
        config,
        folder / "best",
        vocabulary=codecs.digest(),
    )
    codecs.save(folder / "best" / "vocab")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only run in runs/ of an otherwise empty working directory, and TEXT in source.txt and on standard input."""
    monkeypatch.chdir(tmp_path)
    Path("source.txt").write_text(TEXT, encoding="utf-8", newline="\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    return save_run(Path("runs/tiny"))


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_standard_input_becomes_standard_output_line_by_line(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions())
    captured = capfd.readouterr()
    lines = captured.out.split("\n")
    assert len(lines) == LINES + 1
    assert (lines[1], lines[-1]) == ("", "")
    assert all(lines[place] for place in (0, 2, 3, 4))
    assert "model: runs/tiny/best" in captured.err


def test_each_line_is_answered_before_the_next_is_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translate(TranslateOptions(input=Path("source.txt"), output=Path("expected.txt")))
    expected = Path("expected.txt").read_text(encoding="utf-8").split("\n")
    stdin, feeding = os.pipe()
    answers, stdout = os.pipe()
    with os.fdopen(feeding, "wb", 0) as feed, os.fdopen(stdin) as lines, os.fdopen(stdout, "w") as written:
        monkeypatch.setattr(sys, "stdin", lines)
        monkeypatch.setattr(sys, "stdout", written)
        command = Thread(target=translate, args=[TranslateOptions(input=Path("-"))], daemon=True)
        command.start()
        for line, answer in zip(TEXT.splitlines(keepends=True)[:2], expected, strict=False):
            feed.write(line.encode())
            assert select([answers], [], [], 30)[0], "no answer while standard input stays open"
            assert os.read(answers, 1 << 16).decode() == f"{answer}\n"
        feed.close()
        command.join()
    os.close(answers)


def test_links_from_a_threshold_on_have_the_weights_of_the_jsonl(run: Path) -> None:
    options = TranslateOptions(model=(run,), input=Path("source.txt"), output=Path("out.txt"))
    translate(replace(options, alignments=Path("a.jsonl")))
    records = [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    weights = sorted(w for record in records for row in record["weights"][:-1] for w in row[:-1])
    threshold = (weights[len(weights) // 2 - 1] + weights[len(weights) // 2]) / 2  # half of them are links
    translate(replace(options, alignments=Path("a.pharaoh"), threshold=threshold))
    expected = [
        [
            f"{i}-{j}"
            for j, row in enumerate(record["weights"][:-1])
            for i, weight in enumerate(row[:-1])
            if weight >= threshold
        ]
        for record in records
    ]
    assert [line.split() for line in Path("a.pharaoh").read_text().split("\n")[:-1]] == expected
    assert 0 < sum(map(len, expected)) < len(weights)


def test_precision_is_that_of_the_search(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = {}
    for precision in (None, "fp32", "bf16"):
        translate(TranslateOptions(model=(run,), input=Path("source.txt"), nbest=1, precision=precision))
        found[precision] = capfd.readouterr().out
    assert found[None] == found["fp32"]
    assert found["bf16"] != found["fp32"]


def test_a_dash_stands_for_standard_input_and_output(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions(model=(run,), input=Path("-"), output=Path("-")))
    assert capfd.readouterr().out.count("\n") == LINES


def test_files_beam_and_batches_give_the_same_lines(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions(model=(run,), beam=3))
    expected = capfd.readouterr().out
    translate(
        TranslateOptions(
            model=(run / "best",),
            beam=3,
            batch_size=2,
            input=Path("source.txt"),
            output=Path("made/out.txt"),
            device="cpu",
        )
    )
    assert Path("made/out.txt").read_text(encoding="utf-8") == expected
    assert capfd.readouterr().out == ""


def test_the_n_best_come_as_a_list_with_numbers(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions(model=(run,), beam=4))
    best = capfd.readouterr().out.split("\n")[:-1]
    translate(TranslateOptions(model=(run,), beam=4, nbest=3, input=Path("source.txt")))
    rows = [line.split(" ||| ") for line in capfd.readouterr().out.split("\n")[:-1]]
    assert [row[0] for row in rows] == ["1"] * 3 + ["2"] + ["3"] * 3 + ["4"] * 3 + ["5"] * 3
    first = {int(row[0]): row[1] for row in reversed(rows)}
    assert [first[line] for line in range(1, LINES + 1)] == best
    for _, text, log_prob, rank in rows:
        tokens = len(text.split()) + 1
        assert float(rank) == pytest.approx(float(log_prob) / tokens, abs=1e-4)  # `average`, `</s>` counted
    assert rows[3] == ["2", "", "0.0000", "0.0000"]


def test_groups_divide_the_width_that_is_asked_for(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = TranslateOptions(model=(run,), input=Path("source.txt"), set=("search.groups=3",))
    translate(replace(options, beam=6, nbest=6))
    assert capfd.readouterr().out.count("\n") > LINES
    with pytest.raises(ConfigError, match=r"search\.groups: expected a divisor of search\.beam 5, got 3"):
        translate(options)


def test_samples_depend_on_the_seed_and_on_the_line_alone(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = []
    drawn = TranslateOptions(model=(run,), input=Path("source.txt"), sample=True, nbest=4, top_p=0.9)
    for options in (drawn, replace(drawn, batch_size=1), replace(drawn, seed=2), replace(drawn, top_k=1)):
        translate(options)
        written.append([line.split(" ||| ") for line in capfd.readouterr().out.split("\n")[:-1]])
    one, alone, other, greedy = ([row[:2] for row in rows] for rows in written)
    assert one == alone != other
    assert [line for line, _ in one] == ["1"] * 4 + ["2"] + ["3"] * 4 + ["4"] * 4 + ["5"] * 4
    translate(TranslateOptions(model=(run,), input=Path("source.txt"), beam=1))
    best = capfd.readouterr().out.split("\n")[:-1]
    assert [text for _, text in greedy] == [text for text in best for _ in range(4 if text else 1)]


def test_a_reference_gives_bleu_with_its_signature(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions(model=(run,), output=Path("out.txt")))
    translate(TranslateOptions(model=(run,), input=Path("source.txt"), reference=(Path("out.txt"),)))
    captured = capfd.readouterr()
    assert re.search(r"^BLEU 100\.00 nrefs:1\|case:mixed.*\|version:", captured.err, re.MULTILINE)
    assert "BLEU" not in captured.out


@pytest.mark.parametrize("nbest", [None, 2])
def test_alignments_have_a_record_for_each_line_of_the_output(run: Path, nbest: int | None) -> None:
    source = Path("source.txt")
    for name in ("a.jsonl", "a.pharaoh"):
        translate(
            TranslateOptions(model=(run,), input=source, output=Path("out.txt"), alignments=Path(name), nbest=nbest)
        )
    lines = Path("out.txt").read_text(encoding="utf-8").split("\n")[:-1]
    texts = lines if nbest is None else [line.split(" ||| ")[1] for line in lines]
    records = [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [" ".join(record["target"][:-1]) for record in records] == texts
    assert [record["sentence"] for record in records] == [
        i for i in range(1, 6) for _ in range(1 if i == 2 else nbest or 1)
    ]
    assert records[-1]["source"] == ["Haus", "</s>"]
    assert len(records[-1]["weights"]) == len(records[-1]["target"])
    assert len(Path("a.pharaoh").read_text().split("\n")) == len(lines) + 1


def test_details_tell_everything_of_every_hypothesis(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = TranslateOptions(model=(run,), beam=4, nbest=3, input=Path("source.txt"))
    translate(replace(options, details=Path("d.jsonl"), alignments=Path("a.jsonl")))
    rows = [line.split(" ||| ") for line in capfd.readouterr().out.split("\n")[:-1]]
    records = [json.loads(line) for line in Path("d.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    aligned = [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    sources = TEXT.replace("\r", "").split("\n")
    for row, record, alignment in zip(rows, records, aligned, strict=True):
        assert [str(record["sentence"]), record["text"]] == row[:2]
        assert record["source"] == sources[int(row[0]) - 1]
        assert [record["log_prob"], record["rank"]] == pytest.approx([float(row[2]), float(row[3])], abs=1e-4)
        assert sum(record["token_log_probs"]) == pytest.approx(record["log_prob"], abs=1e-4)
        assert record["hypothesis"] == alignment["hypothesis"]
        assert record["alignment"] == {name: alignment[name] for name in ("source", "target", "weights")}
        assert record["tokens"] == alignment["target"]  # word tokens
        assert isinstance(record["finished"], bool)
    plain = save_run(Path("runs/plain"), score="none")
    translate(replace(options, model=(plain,), details=Path("d.jsonl.gz")))
    with gzip.open("d.jsonl.gz", "rt", encoding="utf-8") as stream:
        assert {json.loads(line)["alignment"] for line in stream} == {None}


def test_notes_say_what_was_cut_and_what_could_not_be_read(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("source.txt").write_bytes(b"Katze\n\xff\xfe\n")
    translate(TranslateOptions(model=(run,), beam=1, input=Path("source.txt")))
    captured = capfd.readouterr()
    assert captured.out.count("\n") == 2
    assert re.search(r"not UTF-8.*: 1\n", captured.err)
    assert re.search(r"cut at the greatest length .*: 1\n", captured.err)


def test_unknown_words_are_replaced_by_those_of_the_source_or_of_a_dictionary(
    run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    favour_unknown(run / "best")
    Path("source.txt").write_text("Xaver\n", encoding="utf-8")
    Path("words.tsv").write_text("Xaver\tXavier the Great\n", encoding="utf-8")
    written = []
    for options in (
        TranslateOptions(),
        TranslateOptions(replace_unknown=True, alignments=Path("a.jsonl")),
        TranslateOptions(dictionary=Path("words.tsv")),
    ):
        translate(replace(options, model=(run,), beam=1, input=Path("source.txt")))
        written.append(capfd.readouterr().out.strip())
    assert set(written[0].split()) == {"<unk>"}
    assert written[1] == written[0].replace("<unk>", "Xaver")
    assert written[2] == written[0].replace("<unk>", "Xavier the Great")
    record = json.loads(Path("a.jsonl").read_text(encoding="utf-8"))
    assert record["target"] == [*written[1].split(), "</s>"]


def favour_unknown(folder: Path) -> None:
    """The model writes `<unk>` and nothing else."""
    model = load_model(folder)
    with torch.no_grad():
        model.output.bias[UNK] = 50.0
    config = load_config(folder / "config.yaml", [])
    save_model(model, config, folder, vocabulary=load_codecs(folder / "vocab").digest())


MISTAKES: list[tuple[dict[str, Any], type[UserError], str]] = [
    ({"model": (Path("nowhere"),)}, CheckpointError, r"nowhere: expected a run or a model folder"),
    ({"input": Path("none.txt")}, DataError, r"none\.txt: expected a readable file, got no such file"),
    ({"reference": (Path("none.txt"),)}, DataError, r"none\.txt: expected a readable file"),
    ({"output": Path("source.txt/out")}, DataError, r"source\.txt/out: expected a place"),
    ({"output": Path("runs")}, DataError, r"runs: expected a place that can be written to, got a folder"),
    ({"details": Path("d.txt")}, DataError, r"d\.txt: expected a name that ends in \.jsonl or .*'d\.txt'"),
    (
        {"output": Path("a.jsonl"), "details": Path("a.jsonl")},
        ConfigError,
        r"--details: expected another file than --output, got a\.jsonl",
    ),
    ({"alignments": Path("a.txt")}, DataError, r"a\.txt: expected a name that ends in \.jsonl"),
    (
        {"alignments": Path("runs/tiny/best/vocab/source.txt/a.npz")},
        DataError,
        r"a\.npz: expected a place",
    ),
    ({"ensemble": "linear"}, ConfigError, r"--ensemble: expected two models or more .*, got 1"),
    ({"beam": 2, "nbest": 3}, ConfigError, r"nbest: expected 1 to the beam's width, 2, got 3"),
    ({"nbest": 0}, ConfigError, r"nbest: .* got 0"),
    ({"top_k": 9}, ConfigError, r"--top-k: expected --sample beside it, got 9 alone"),
    ({"seed": 0}, ConfigError, r"--seed: expected --sample beside it, got 0 alone"),
    ({"sample": True, "top_p": 1.5}, ConfigError, r"top_p: expected a share above 0 .*, got 1\.5"),
    ({"sample": True, "beam": 5}, ConfigError, r"beam: expected none or 1 with sampling, .*, got 5"),
    ({"beam": 0}, ConfigError, r"beam: expected at least 1, got 0"),
    ({"prefix": Path("none.txt")}, DataError, r"none\.txt: expected a readable file"),
    ({"constraints": Path("none.tsv")}, DataError, r"none\.tsv: expected a readable file"),
    ({"dictionary": Path("none.tsv")}, DataError, r"none\.tsv: expected a readable file"),
    (
        {"set": ("model.tie=all",)},
        ConfigError,
        r"--set: expected a key of search, .*'model\.tie=all'",
    ),
    (
        {"replace_unknown": True, "set": ("search.forbid_unknown=true",)},
        ConfigError,
        r"search\.forbid_unknown: expected false where unknown words are replaced, got true",
    ),
    (
        {"input": Path("source.txt"), "output": Path("runs/../source.txt")},
        ConfigError,
        r"--output: expected another file than --input, got runs/\.\./source\.txt",
    ),
    (
        {"output": Path("a.npz"), "alignments": Path("a.npz")},
        ConfigError,
        r"--alignments: expected another file than --output, got a\.npz",
    ),
    (
        {"threshold": 0.2},
        ConfigError,
        r"--threshold: expected --alignments FILE\.pharaoh beside it, got 0\.2 alone",
    ),
    (
        {"threshold": 1.2, "alignments": Path("a.pharaoh")},
        ConfigError,
        r"--threshold: expected a weight above 0 and up to 1, got 1\.2",
    ),
    (
        {"threshold": 0.2, "alignments": Path("a.npz")},
        ConfigError,
        r"--threshold: expected links as output \(\.pharaoh\), got a\.npz for weights",
    ),
    ({"precision": "fp64"}, ConfigError, r"search.precision: expected .* got 'fp64'"),
    ({"batch_size": -1}, ConfigError, r"batch_size: expected at least 1, got -1"),
]


@pytest.mark.parametrize(("options", "error", "message"), MISTAKES, ids=lambda case: getattr(case, "__name__", None))
def test_mistakes_are_told_before_anything_is_read_and_leave_nothing(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    options: dict[str, Any],
    error: type[UserError],
    message: str,
) -> None:
    monkeypatch.delattr("nmt_attn.commands.translate.read_windows")
    before = files()
    with pytest.raises(error, match=message):
        translate(TranslateOptions(**options))
    assert files() == before
    assert capfd.readouterr().out == ""


def test_each_translation_begins_with_its_prefix(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    prefixes = ["the cat", "", "sees zebras", "", "not"]
    Path("prefix.txt").write_text("\n".join(prefixes) + "\n")
    for source in (None, Path("source.txt")):
        translate(TranslateOptions(model=(run,), input=source, prefix=Path("prefix.txt")))
        lines = capfd.readouterr().out.split("\n")
        assert [line[: len(prefix)] for line, prefix in zip(lines, prefixes, strict=False)] == prefixes


def test_each_translation_has_its_phrases(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    phrases = [["not see", "dog"], [], ["the cat", "cat sees"], ["the"], []]
    Path("must.txt").write_text("\n".join("\t".join(each) for each in phrases) + "\n")
    for source in (None, Path("source.txt")):
        translate(TranslateOptions(model=(run,), beam=3, input=source, constraints=Path("must.txt"), nbest=2))
        rows = [line.split(" ||| ") for line in capfd.readouterr().out.split("\n")[:-1]]
        assert len(rows) == 9
        for line, text, *_ in rows:
            assert all(f" {phrase} " in f" {text} " for phrase in phrases[int(line) - 1])


def test_phrases_that_cannot_be_written_are_refused_with_their_line(run: Path) -> None:
    Path("must.txt").write_text("the\n\nthe cat\tzebras\n\n\n")
    options = TranslateOptions(input=Path("source.txt"), constraints=Path("must.txt"), output=Path("out.txt"))
    message = r"must\.txt:3: expected words of the model's vocabulary, got 'zebras' \(unknown: 'zebras'\)"
    with pytest.raises(DataError, match=message):
        translate(options)
    Path("must.txt").write_text("the\n\n" + "the cat sees the dog\t" * 3 + "cat not the dog not the cat\n\n\n")
    with pytest.raises(DataError, match=r"constraints of line 3: expected at most 10 tokens .*, got 12"):
        translate(options)  # 0.5 x 1 + 10; the first phrase counts once: 5 + 7
    assert not Path("out.txt").exists()


@pytest.mark.parametrize("option", ["prefix", "constraints"])
@pytest.mark.parametrize("lines", [2, 7])
def test_a_companion_is_needed_for_each_line(run: Path, lines: int, option: str) -> None:
    Path("short.txt").write_text("the\n" * lines)
    short = TranslateOptions(output=Path("out.txt"), **{option: Path("short.txt")})  # type: ignore[arg-type]
    message = rf"short\.txt: expected 5 lines, as many as in source\.txt, got {lines}"
    with pytest.raises(DataError, match=message):
        translate(replace(short, input=Path("source.txt")))
    message = r"short\.txt: expected a line for each line .*, got 2" if lines < 5 else r"as in standard input|got 7"
    with pytest.raises(DataError, match=message):
        translate(short)
    assert not Path("out.txt").exists()


def test_two_models_search_as_one(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    translate(TranslateOptions(model=(run,), beam=2))
    alone = capfd.readouterr().out
    for combination in COMBINATIONS:
        translate(TranslateOptions(model=(run, run), ensemble=combination, beam=2, input=Path("source.txt")))
        assert capfd.readouterr().out == alone  # a model and itself


def test_alignments_without_attention_are_refused(run: Path) -> None:
    plain = save_run(Path("runs/plain"), score="none")
    with pytest.raises(ConfigError, match=r"alignments: expected a model with attention, got runs/plain/best"):
        translate(TranslateOptions(model=(plain,), alignments=Path("a.jsonl")))
    with pytest.raises(ConfigError, match=r"unknown words: expected a model with attention, got runs/plain/best"):
        translate(TranslateOptions(model=(plain,), replace_unknown=True))


def test_references_of_another_number_are_refused_before_translating(run: Path) -> None:
    Path("short.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"short\.txt: expected 5 lines, as many as in source\.txt, got 2"):
        translate(TranslateOptions(input=Path("source.txt"), reference=(Path("short.txt"),), output=Path("out.txt")))
    assert not Path("out.txt").exists()


def test_references_for_standard_input_are_counted_when_it_has_ended(run: Path) -> None:
    Path("short.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"short\.txt: expected 5 lines, as many as in standard input, got 2"):
        translate(TranslateOptions(reference=(Path("short.txt"),), output=Path("out.txt")))
    assert Path("out.txt").read_text().count("\n") == LINES


def test_an_empty_file_becomes_an_empty_file(run: Path) -> None:
    Path("source.txt").write_text("")
    translate(TranslateOptions(input=Path("source.txt"), output=Path("out.txt"), alignments=Path("a.pharaoh")))
    assert Path("out.txt").read_text() == Path("a.pharaoh").read_text() == ""
