"""`nmt-attn train` with copying: words that occur nowhere else are taken over, and what that contradicts is refused."""

import random
from pathlib import Path

import pytest

from nmt_attn.commands.train import train
from nmt_attn.config.file import parse_config
from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import Config
from nmt_attn.errors import ConfigError
from nmt_attn.options.training import TrainOptions
from nmt_attn.registries import COPYINGS
from nmt_attn.search.translator import Translator

CONFIG = """
run: {name: r, precision: fp32}
data: {max_length: 20}
model:
  encoder: {hidden: 24, embedding: 24, dropout: 0}
  decoder: {hidden: 32, embedding: 24, dropout: 0}
training: {batch_tokens: 160, updates: 250, learning_rate: 5e-3, schedule: constant, validate_translation: false}
"""
WORDS = {
    "word": "tokenizer={kind: word, min_frequency: 2}",
    "shared": "tokenizer={kind: word, min_frequency: 2, shared: true}",
    "subwords": "tokenizer={kind: sentencepiece, vocab_size: 60}",
}
VERBS = {"sees": "sieht", "calls": "ruft", "likes": "mag"}


def pairs(count: int, seed: int, letters: str) -> list[tuple[str, str]]:
    """`Abc sees Def` and its translation: names that no other line has."""
    rng = random.Random(seed)

    def name() -> str:
        return "".join(rng.choices(letters, k=rng.randint(2, 3)))

    lines = []
    for _ in range(count):
        first, verb, second = name(), rng.choice(sorted(VERBS)), name()
        lines.append((f"{first} {verb} {second}", f"{first} {VERBS[verb]} {second}"))
    return lines


def write(folder: Path, name: str, lines: list[tuple[str, str]]) -> str:
    """The corpus as a setting."""
    (folder / f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in lines), encoding="utf-8")
    return f"data.{name}={{tsv: {folder / name}.tsv}}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("copying", COPYINGS)
def test_words_that_the_training_text_never_had_are_copied(copying: str, kind: str, tmp_path: Path) -> None:
    """The names to test by are of other letters, so that not even subwords of them are known."""
    capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    settings = [
        write(tmp_path, name, pairs(count, seed, capitals))
        for name, count, seed in (("train", 600, 1), ("valid", 9, 2))
    ]
    (tmp_path / "c.yaml").write_text(CONFIG, encoding="utf-8")
    train(
        TrainOptions(
            tmp_path / "c.yaml",
            (f"run.dir={tmp_path}", "data.test=null", WORDS[kind], f"model.decoder.copying={copying}", *settings),
            fresh=False,
        )
    )
    translator = Translator.load(tmp_path / "r")
    unseen = pairs(20, 3, "ΑΒΓΔΕΖΗΘ")
    found = [translation.text for translation in translator.translate([source for source, _ in unseen])]
    assert sum(text == target for text, (_, target) in zip(found, unseen, strict=True)) >= 10


REFUSED = {
    "model.attention.window": "local-m",
    "model.attention.normalise": "sparsemax",
    "model.decoder.normalise": "entmax-1.5",
    "model.attention.alignment": "hard",
    "model.attention.score": "none",
    "training.cuda_graphs": "true",
    "training.risk.method": "mrt",
    "tokenizer.factors": "{names: [pos]}",
}


@pytest.mark.parametrize("key", REFUSED)
@pytest.mark.parametrize("copying", COPYINGS)
def test_what_copying_does_not_go_with_is_refused(key: str, copying: str) -> None:
    with pytest.raises(
        ConfigError, match=f"with model.decoder.copying '{copying}'|model.decoder.copying: expected 'none'"
    ):
        parse_config("search: {}", [f"{key}={REFUSED[key]}", f"model.decoder.copying={copying}"], "f.yaml")
    assert contradictions(Config()) == []
