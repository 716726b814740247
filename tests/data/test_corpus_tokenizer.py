"""The tokenizer of a configuration that names none: by what the training corpus is made of."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt_attn.commands.train import train
from nmt_attn.config.file import dump_config, load_config, parse_config
from nmt_attn.config.schema import Config
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.data.corpus_tokenizer import FEWEST_PAIRS, chosen_values, with_tokenizer
from nmt_attn.options.training import TrainOptions

Pair = tuple[str, str]
RAW = [(f"Der Hund{i} sieht, was er{i} will!", f"The dog{i} sees what it{i} wants!") for i in range(1200)]
FEW_WORDS = [(f"el gato {i % 9} , no .", f"the cat {i % 9} , no .") for i in range(1200)]
HINDI = [(source, f"यह लाइट{i} बंद करो।") for i, (source, _) in enumerate(RAW)]
LETTERS = [(f"hablar{i}", f"hablaba{i}") for i in range(50)]
PHONES = [("hablar", "a β l a ɾ"), ("casa", "k a s a")] * 20
TAGGED = [("hablar\tV;PST", "habló"), ("comer\tV;PST;3", "comió")] * 20


def config_of(folder: Path, pairs: Sequence[Pair], *overrides: str) -> Config:
    path = folder / "train.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return parse_config("", [f"data.train.tsv={path}", f"run.dir={folder}/runs", *overrides], "c.yaml")


@pytest.mark.parametrize(
    ("pairs", "overrides", "expected"),
    [
        (RAW, [], "kind sentencepiece, vocab_size 2,000, shared true"),
        (HINDI, [], "kind sentencepiece, vocab_size 2,000"),  # two scripts: a vocabulary each
        (RAW, ["tokenizer.vocab_size=500", "tokenizer.shared=false"], "kind sentencepiece"),
        (RAW, ["tokenizer.lowercase=true"], "kind sentencepiece, vocab_size 2,000, shared true"),
        (RAW, ["tokenizer.min_frequency=2"], "kind word"),  # what subwords have not
        (RAW, ["tokenizer.factors.names=[pos]"], "kind word"),
        (RAW, ["data.vectors.source=vectors.txt"], "kind word"),
        (RAW, ["tokenizer.target.kind=word"], "kind sentencepiece, vocab_size 2,000"),
        (RAW[: FEWEST_PAIRS - 1], [], "kind word"),
        (FEW_WORDS, [], "kind word"),
        (LETTERS, [], "kind char"),
        (PHONES, [], "kind word, source.kind char"),
        (PHONES, ["tokenizer.source.kind=char", "tokenizer.target.kind=symbols"], ""),
        (PHONES, ["tokenizer.kind=word"], ""),
        (TAGGED, ["data.columns={source: [1, {column: 2, as: tags, split: ;}], target: 3}"], "kind char"),
        ([], ["data.train={builtin: demo, split: train}"], "kind word"),
        ([("", "")], [], "kind word"),
    ],
)
def test_a_corpus_has_the_tokenizer_that_suits_it(
    pairs: list[Pair], overrides: list[str], expected: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, pairs, *overrides)
    found = with_tokenizer(config)
    chosen = chosen_values(config.tokenizer, found.tokenizer)
    assert ", ".join(chosen).replace("tokenizer.", "") == expected
    (tmp_path / "resolved.yaml").write_text(dump_config(found), encoding="utf-8")
    again = load_config(tmp_path / "resolved.yaml", [])  # it is one that loads
    assert again == found and with_tokenizer(again) == again
    assert all(found.tokenizer.side(side).kind for side in SIDES)


def test_a_run_keeps_the_tokenizer_that_it_has_chosen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(dump_data(tmp_path, LETTERS), encoding="utf-8")
    for updates in (1, 2):
        train(TrainOptions(path, (f"training.updates={updates}",), fresh=False))
        said = capfd.readouterr().err
        assert ("tokenizer.kind char: chosen by what data.train is made of" in said) == (updates == 1)
    assert load_config(tmp_path / "runs" / "r" / "config.yaml", []).tokenizer.kind == "char"


def test_a_run_that_gets_more_of_the_same_text_keeps_its_words(tmp_path: Path) -> None:
    path, run = tmp_path / "c.yaml", tmp_path / "runs" / "r" / "config.yaml"
    path.write_text(dump_data(tmp_path, RAW[:600]), encoding="utf-8")
    train(TrainOptions(path, ("training.updates=1",), fresh=False))
    dump_data(tmp_path, RAW[:600] * 2)  # enough for subwords, with another vocabulary
    train(TrainOptions(path, ("training.updates=2",), fresh=False, accept_new_data=True))
    assert load_config(run, []).tokenizer.kind == "word"
    train(TrainOptions(path, ("training.updates=1",), fresh=True))
    assert load_config(run, []).tokenizer.kind == "sentencepiece"


def test_a_run_keeps_what_it_has_settled_from_the_corpus(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, run = tmp_path / "c.yaml", tmp_path / "runs" / "r" / "config.yaml"
    path.write_text(dump_data(tmp_path, [("the red cat", "die rote Katze")] * 40), encoding="utf-8")
    train(TrainOptions(path, ("training.updates=1",), fresh=False))
    assert "training.label_smoothing 0: data.train repeats itself" in capfd.readouterr().err
    kept = run.read_text(encoding="utf-8")
    assert "label_smoothing: 0.0" in kept
    # as an earlier version, without the rule, would have left it
    run.write_text(kept.replace("label_smoothing: 0.0", "label_smoothing: 0.1"), encoding="utf-8")
    train(TrainOptions(path, ("training.updates=2",), fresh=False))
    assert "chosen by" not in capfd.readouterr().err
    assert load_config(run, []).training.label_smoothing == 0.1


def dump_data(folder: Path, pairs: Sequence[Pair]) -> str:
    """Writes the corpus, and gives a configuration of data paths alone, but for a small model."""
    for part in ("train", "valid"):
        lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
        (folder / f"{part}.tsv").write_text(lines, encoding="utf-8")
    return (
        f"run: {{name: r, dir: {folder}/runs}}\n"
        f"data: {{train: {{tsv: {folder}/train.tsv}}, valid: {{tsv: {folder}/valid.tsv}}}}\n"
        "model: {encoder: {hidden: 4, embedding: 4}, decoder: {hidden: 4, embedding: 4}}\n"
        "training: {batch_tokens: 100}\n"
    )
