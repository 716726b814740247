"""A decoder without a source: trained on target text alone, then a language model that search takes."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from nmt_attn.commands.train import train
from nmt_attn.config.file import parse_config
from nmt_attn.data.codec import load_codecs
from nmt_attn.data.corpus import read_whole
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.model.store import load_model
from nmt_attn.options.training import TrainOptions
from nmt_attn.search.ensemble import EnsembleTranslator
from nmt_attn.search.forced import force_decode
from nmt_attn.search.translator import Translator
from nmt_attn.types import BOS, EOS

LINES = {"a": ["der Hund", "die Katze", "ein Haus", "der Hund sieht"], "b": ["the dog", "the cat", "a house", "a dog"]}
MORE = ["the dog and the cat", "a house and a dog", "the house"]
TRANSLATOR = """
run: {precision: fp32, device: cpu}
model: {encoder: {hidden: 5, embedding: 7}, decoder: {hidden: 11, embedding: 3}, initialisation: uniform}
training: {batch_tokens: 12, updates: 6, validate_translation: false}
search: {length_penalty: none, max_length_factor: 1.5, beam: 3}
"""
LANGUAGE_MODEL = """
run: {precision: fp32, device: cpu}
model:
  encoder: {layers: 0}
  attention: {score: none}
  decoder: {init: learned, hidden: 9, embedding: 4, layers: 2, style: luong, cell: lstm}
  initialisation: uniform
training: {batch_tokens: 12, updates: 6, validate_translation: false, validate_updates: 2, checkpoint_updates: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for side, lines in {**LINES, "more": MORE}.items():
        (tmp_path / f"text.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path


def run(folder: Path, text: str, name: str, *settings: str) -> Path:
    """Trains a run on the files of the folder."""
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    own = (f"run.dir={folder}", f"run.name={name}", f"data.root={folder}", "data.test=null")
    train(TrainOptions(folder / "c.yaml", (*own, *settings), fresh=False))
    return folder / name


def translator_run(folder: Path, name: str = "translator", seed: int = 1) -> Path:
    files = (f"data.{part}={{source: text.a, target: text.b}}" for part in ("train", "valid"))
    return run(folder, TRANSLATOR, name, f"run.seed={seed}", *files)


def language_model_run(folder: Path, *settings: str, text: str = "more", name: str = "lm") -> Path:
    files = (f"data.{part}={{target: text.{text}}}" for part in ("train", "valid"))
    return run(folder, LANGUAGE_MODEL, name, *files, *settings)


@torch.no_grad()
def log_probs(folder: Path, texts: Sequence[str]) -> list[float]:
    """log p of each text with `</s>`, a word at a time, from the whole words before it."""
    codec, model = load_codecs(folder / "best" / "vocab").target, load_model(folder / "best")
    found = []
    for text in texts:
        ids, total = [BOS, *codec.encode(text), EOS], 0.0
        for place in range(1, len(ids)):
            memory = model.encode(torch.tensor([[EOS]]), torch.tensor([1]))
            embedded = model.target_embedding(torch.tensor([ids[:place]]))
            readouts, _ = model.decoder(embedded, model.start(memory), memory)
            total += float(model.output(readouts)[0, -1].log_softmax(0)[ids[place]])
        found.append(total)
    return found


@pytest.mark.parametrize("members", [1, 2])
def test_a_translation_has_the_sum_of_both_log_probabilities(folder: Path, members: int) -> None:
    """With beams, n best and ensembles: forced decoding by the translators alone, plus the language model by itself."""
    folders = [translator_run(folder, f"t{seed}", seed) for seed in range(members)]
    language_model = language_model_run(folder, f"tokenizer.like={folders[0]}")
    search = (f"search.language_model={language_model}", "search.language_model_weight=0.7")
    fused = [Translator.load(each, overrides=search) for each in folders]
    alone = [Translator.load(each) for each in folders]
    for name, source in (("greedy", LINES["a"]), ("beam", LINES["a"])):
        translator = fused[0] if members == 1 else EnsembleTranslator(fused, "linear")
        found = translator.translate(source, **({"beam": 1} if name == "greedy" else {"nbest": 3}))
        for each in found:
            for hypothesis in each.hypotheses:
                pairs = [force_decode(one, [each.source], [hypothesis.text], with_alignments=False)[0] for one in alone]
                steps = zip(*(pair.token_log_probs for pair in pairs), strict=True)
                mean = sum(math.log(math.fsum(map(math.exp, step)) / members) for step in steps)
                expected = mean + 0.7 * log_probs(language_model, [hypothesis.text])[0]
                assert hypothesis.log_prob == pytest.approx(expected, abs=1e-4), hypothesis.text


def test_it_resumes_to_the_bit(folder: Path) -> None:
    whole = language_model_run(folder, name="whole")
    language_model_run(folder, "training.updates=3", "training.schedule=constant", name="halves")
    halves = language_model_run(folder, "training.schedule=constant", name="halves")
    once = language_model_run(folder, "training.schedule=constant", name="once")
    weights = {each: load_model(each / "best").state_dict() for each in (whole, halves, once)}
    for name, weight in weights[once].items():
        assert torch.equal(weight, weights[halves][name]), name


def test_it_has_no_weights_of_a_source(folder: Path) -> None:
    model = load_model(language_model_run(folder) / "best")
    assert not model.reads_source
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    assert sum(size for name, size in sizes.items() if name.startswith(("encoder", "source"))) == 0


@pytest.mark.parametrize(
    "places",
    ["{target: text.b}", "{tsv: text.tsv}", "{tsv: text.tsv, target: 2}", "{jsonl: text.jsonl}"],
)
def test_the_target_alone_is_read(folder: Path, places: str) -> None:
    (folder / "text.tsv").write_text("".join(f"?\t{line}\n" for line in LINES["b"]), encoding="utf-8")
    (folder / "text.jsonl").write_text("".join(f'{{"target": "{line}"}}\n' for line in LINES["b"]), encoding="utf-8")
    data = [f"data.{part}={places}" for part in ("train", "valid")]
    config = parse_config(LANGUAGE_MODEL, [*data, "data.test=null", f"data.root={folder}"], "c.yaml")
    assert [pair.target for pair in read_whole(config, "train").pairs] == LINES["b"]


def test_a_run_of_another_vocabulary_is_refused(folder: Path) -> None:
    translator = translator_run(folder)
    own, other = language_model_run(folder, text="b", name="own"), language_model_run(folder, name="other")
    taken = language_model_run(folder, f"tokenizer.like={translator}", name="taken")
    for each in (own, taken):  # words of the same text, or those of the translator
        search = Translator.load(translator, overrides=[f"search.language_model={each}"])
        assert math.isfinite(search.translate(["der Hund"])[0].log_prob)
    refused = Translator.load(translator, overrides=[f"search.language_model={other}"])
    with pytest.raises(ConfigError, match=r"expected the target vocabulary and tokenizer of the translator \(9 tokens"):
        refused.translate(["der Hund"])
    with pytest.raises(CheckpointError, match=r"tokenizer.like: expected a run or a model folder, got .*nowhere"):
        language_model_run(folder, f"tokenizer.like={folder / 'nowhere'}", name="nothing")


def test_each_does_its_own_work_alone(folder: Path) -> None:
    translator, language_model = translator_run(folder), language_model_run(folder, text="b")
    with pytest.raises(CheckpointError, match="expected a model that translates, got a language model"):
        Translator.load(language_model)
    wrong = Translator.load(translator, overrides=[f"search.language_model={translator}"])
    with pytest.raises(CheckpointError, match="expected a model without a source"):
        wrong.translate(["der Hund"])
