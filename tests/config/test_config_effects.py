"""Every key changes what a run leaves behind: a tiny run with the key and one without it differ.

What such a run cannot show stands in ELSEWHERE, with the test that does. Which keys are refused where they would
change nothing: test_config_keys.py.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_config_keys import EXAMPLES, LEAVES

from nmt_attn.commands.train import train
from nmt_attn.config.file import load_config
from nmt_attn.config.schema import Config
from nmt_attn.data.corpus import has_test, read_test
from nmt_attn.errors import UserError
from nmt_attn.evaluation.metrics import measure_system
from nmt_attn.evaluation.summary import as_json, summarise
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.options.training import TrainOptions
from nmt_attn.search.translator import Translator

pytestmark = pytest.mark.slow

Observation = dict[str, object]

ROOT = Path(__file__).parents[2]
BASE = """
run: {name: r, precision: fp32}
data:
  train: {source: train.a, target: train.b}
  valid: {source: valid.a, target: valid.b}
  test: {source: test.a, target: test.b}
model:
  encoder: {hidden: 6, embedding: 8}
  decoder: {hidden: 12, embedding: 12}
  initialisation: uniform
  initial_range: 0.7
training: {batch_tokens: 60, epochs: 3, checkpoint_updates: 3, validate_updates: 4, learning_rate: 1e-2}
search: {max_length_factor: 1.0}
evaluate: {length_buckets: [2, 4]}
"""
WORDS = "abcdefg"
SUBWORDS = ("tokenizer.kind=sentencepiece", "tokenizer.vocab_size=20")
TOO_FAST = "training.learning_rate=1"
GUIDED = ("data.alignments=train.pharaoh",)
RISING = (TOO_FAST, "training.schedule=constant")
FALLING = (TOO_FAST, "training.schedule=plateau")
HELD_OUT = ("data.valid=null", "data.held_out.valid=0.3")
COLUMNS = (
    *(f"data.{name}={{tsv: {name}.tsv}}" for name in ("train", "valid", "test")),
    "data.columns={source: 1, target: 2}",
)
FACTORS = (
    *(f"data.{name}={{tsv: factored-{name}.tsv}}" for name in ("train", "valid", "test")),
    "tokenizer.factors.names=[pos]",
)
BUILT_IN = tuple(f"data.{name}={{builtin: demo, split: {name}, limit: 20}}" for name in ("train", "valid", "test"))


def corpus_settings(name: str) -> dict[str, tuple[str, ...]]:
    where = f"data.{name}"
    hub = f"{where}={{dataset: some/corpus, source: a, target: b}}"
    return {
        f"{where}.source": (f"{where}.source=other-{name}.a",),
        f"{where}.target": (f"{where}.target=other-{name}.b",),
        f"{where}.tsv": (f"{where}={{tsv: other.tsv}}",),
        f"{where}.jsonl": (f"{where}={{jsonl: other.jsonl}}",),
        f"{where}.dataset": (hub,),
        f"{where}.builtin": BUILT_IN,
        **{f"{where}.{key}": (hub, f"{where}.{key}=x") for key in ("subset", "split", "revision")},
        f"{where}.limit": (f"{where}.limit=2",),
    }


SETTINGS: dict[str, tuple[str, ...]] = {
    "evaluate.separator": ("evaluate.metrics=[per]", "evaluate.separator=+"),
    "data.root": ("data.root=elsewhere",),
    **corpus_settings("train"),
    **corpus_settings("valid"),
    **corpus_settings("test"),
    "data.columns.source": (*COLUMNS, "data.columns.source=2"),
    "data.columns.target": (*COLUMNS, "data.columns.target=1"),
    "data.held_out.valid": (*HELD_OUT, "data.held_out.valid=0.1"),
    "data.held_out.test": (*HELD_OUT, "data.test=null", "data.held_out.test=0.2"),
    "data.held_out.seed": (*HELD_OUT, "data.held_out.seed=2"),
    "data.alignments": GUIDED,
    "data.vectors.source": ("data.vectors.source=source.vec",),
    "data.vectors.target": ("data.vectors.target=target.vec",),
    "data.vectors.freeze": ("data.vectors.target=target.vec", "data.vectors.freeze=true"),
    "data.max_length": ("data.max_length=4",),
    "data.over_long": ("data.max_length=4", "data.over_long=error"),
    # the training sources are lower case but for one
    "tokenizer.source.lowercase": ("data.train.source=train.b", "tokenizer.source.lowercase=true"),
    "tokenizer.factors.names": FACTORS,
    "tokenizer.factors.separator": (*FACTORS, "tokenizer.factors.separator=':'"),
    "model.encoder.factors": (*FACTORS, "model.encoder.factors=[3]"),
    "tokenizer.algorithm": (*SUBWORDS, "tokenizer.algorithm=bpe"),
    "model.attention.half_width": ("model.attention.window=local-m", "model.attention.half_width=1"),
    "model.initialisation": ("model.initial_range=0.1", "model.initialisation=xavier"),
    "model.initial_range": ("model.initial_range=0.2",),
    "model.word_deviation": ("model.initial_range=0.1", "model.initialisation=xavier", "model.word_deviation=0.7"),
    "model.attention.project": (
        "model.attention.score=dot",
        "model.decoder.hidden=10",
        "model.attention.project=true",
    ),
    "training.epochs": ("training.epochs=2",),
    "training.updates": ("training.updates=5",),
    "training.minutes": ("training.minutes=1e-9",),
    "training.schedule": ("training.schedule=constant",),
    "training.halve_after_epochs": ("training.schedule=halving", "training.halve_after_epochs=1"),
    "training.decay_factor": (*FALLING, "training.decay_factor=0.7"),
    "training.decay_patience": (*FALLING, "training.decay_patience=2"),
    "training.minimum_rate": ("training.schedule=cosine", "training.minimum_rate=5e-3"),
    "training.validate_epochs": ("training.validate_updates=null", "training.validate_epochs=2"),
    "training.subword_sampling.alpha": (*SUBWORDS, "training.subword_sampling.alpha=0.1"),
    "training.subword_sampling.nbest": (
        *SUBWORDS,
        "training.subword_sampling.alpha=0.1",
        "training.subword_sampling.nbest=64",
    ),
    "training.guided_attention.weight": (*GUIDED, "training.guided_attention.weight=0.5"),
    "training.guided_attention.decay": (*GUIDED, "training.guided_attention.decay=linear"),
    "training.guided_attention.updates": (
        *GUIDED,
        "training.guided_attention.decay=linear",
        "training.guided_attention.updates=7",
    ),
    # so that words of the model's own come within so few updates
    "training.scheduled_sampling.choice": (
        "training.scheduled_sampling.rate=0.9",
        "training.scheduled_sampling.updates=2",
        "training.scheduled_sampling.choice=sample",
    ),
    # from the first update on the loss only rises, while BLEU has its best at a later one
    "training.metric": (*RISING, "training.validate_updates=1", "training.metric=bleu"),
    "training.patience": (*RISING, "training.patience=1"),
    "search.batch_sentences": ("search.batch_sentences=2",),
    "search.forbid_unknown": ("tokenizer.min_frequency=12", "search.forbid_unknown=true"),
    "search.beam": ("search.beam=1",),
    "search.max_length": ("search.max_length=2",),
    "search.max_length_factor": ("search.max_length_factor=0.1",),
}
"""Of those whose example would change nothing in so small a run: the key comes last, what it needs before it."""

REFUSALS = {"data.blank", "data.over_long", "training.minutes"}
"""What these change is that the run is refused, by a message that names them; another refusal would prove nothing."""

CURES = {"model.attention.project"}
"""What these change is that the run is no longer refused."""

ELSEWHERE = {
    "run.device": "tests/test_runtime.py::test_a_device_that_is_not_there_is_refused",
    "run.threads": "tests/test_threads.py::test_as_many_threads_as_asked_or_one_for_a_small_model",
    "training.init_from": "tests/training/test_warm_start.py::test_a_run_begins_with_the_weights_of_another",
    "training.cuda_graphs": "tests/fast/test_graphs.py::test_each_shape_is_recorded_once_and_then_replayed",
    "evaluate.tables": "tests/commands/test_evaluate_details.py::test_the_tables_are_those_that_were_asked_for",
    "evaluate.top": "tests/commands/test_evaluate_details.py::test_the_beam_is_looked_through_for_a_right_one",
    "evaluate.join_sources": "tests/commands/test_evaluate_details.py::test_every_pronunciation_of_a_word_is_right",
    "search.stop": "tests/search/test_translator.py::test_an_early_stop_is_asked_for_by_the_configuration",
    "training.risk.method": "tests/training/test_risk.py::test_the_loss_is_the_formula_over_what_was_drawn",
    "training.risk.metrics": "tests/training/test_risk.py::test_rewards_are_weighted_means_of_metrics_from_0_to_1",
    "training.risk.weights": "tests/training/test_risk.py::test_rewards_are_weighted_means_of_metrics_from_0_to_1",
    "training.risk.samples": "tests/training/test_risk.py::test_samples_are_those_of_the_search_that_translates",
    "training.risk.temperature": "tests/training/test_risk.py::test_samples_are_those_of_the_search_that_translates",
    "training.risk.alpha": "tests/training/test_risk.py::test_alpha_makes_probabilities_more_alike",
    "training.risk.likelihood": "tests/training/test_risk.py::test_the_likelihood_joins_with_its_weight",
    "tokenizer.like": "tests/commands/test_train_language_model.py::test_a_run_of_another_vocabulary_is_refused",
    "search.language_model": "tests/search/test_language_model.py::test_a_translator_takes_it_by_its_keys",
    "search.language_model_weight": "tests/search/test_language_model.py::test_a_translator_takes_it_by_its_keys",
    "search.mbr_samples": "tests/search/test_minimum_bayes_risk.py::"
    "test_samples_count_alike_and_as_often_as_they_were_drawn",
    "search.group_penalty": "tests/search/test_groups.py::test_without_a_penalty_every_group_is_the_narrower_beam",
}


def settings_of(key: str) -> tuple[str, ...]:
    example = EXAMPLES[key]
    return SETTINGS.get(key, (*example.companions, f"{key}={example.value}"))


class Laboratory:
    """Makes runs, each in a folder of its own, and remembers what came of them."""

    def __init__(self, make_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
        self._make_folder, self._monkeypatch = make_folder, monkeypatch
        self._known: dict[tuple[str, ...], Observation] = {}

    def observe(self, settings: tuple[str, ...]) -> Observation:
        if settings not in self._known:
            folder = self._make_folder()
            self._monkeypatch.chdir(folder)
            write_corpora(folder)
            write_corpora(folder / "elsewhere", words="opqrstu")
            write_vectors(folder)
            (folder / "base.yaml").write_text(BASE)
            self._known[settings] = observe_run(settings)
        return self._known[settings]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Any:
    datasets = pytest.importorskip("datasets")

    def load_dataset(name: str, subset: str | None, *, split: str | None, revision: str | None, cache_dir: str) -> Any:
        step = 1 + [subset, split, revision].index("x") if "x" in (subset, split, revision) else 0
        rows = [" ".join(WORDS[(number * k + step) % 7] for k in range(1, 4)) for number in range(9)]
        return datasets.Dataset.from_dict({"a": rows, "b": rows}, split=split)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        yield Laboratory(lambda: tmp_path_factory.mktemp("run"), monkeypatch)


def write_corpora(folder: Path, words: str = WORDS) -> None:
    """Texts with a fault of each kind: a blank side, bytes that are not UTF-8, capitals, punctuation, an
    accent apart from its letter.

    A target is its source turned round; train.pharaoh has the links of that.
    """
    folder.mkdir(exist_ok=True)
    sizes = {"train": 30, "valid": 6, "test": 6}
    for name, lines in {**sizes, **{f"other-{name}": lines for name, lines in sizes.items()}, "other": 30}.items():
        text = [[words[(i * k + len(name)) % 7] for k in range(1, 2 + i % 6)] for i in range(1, lines + 1)]
        sources = [" ".join(line).encode() for line in text]
        targets = [" ".join(reversed(line)).upper().encode() + b"." for line in text]
        if name.endswith("train"):
            links = [" ".join(f"{i}-{len(line) - 1 - i}" for i in range(len(line))) for line in text]
            (folder / "train.pharaoh").write_text("".join(f"{line}\n" for line in [*links, "", "", "0-0", "0-0"]))
            sources += [b"", b"a b \xff", "a ra\u0301re one".encode(), b"the end"]
            targets += [b"A", b"A B", "A RA\u0301RE ONE".encode(), b"\xff END"]
        for side, rows in (("a", sources), ("b", targets)):
            (folder / f"{name}.{side}").write_bytes(b"".join(row + b"\n" for row in rows))
        pairs = [(a.decode(), b.decode()) for a, b in zip(sources[:30], targets[:30], strict=True)]
        (folder / f"{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
        factored = [(" ".join(f"{word}:{word.upper()}|{word}" for word in a.split()), b) for a, b in pairs]
        (folder / f"factored-{name}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in factored))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in pairs))


def write_vectors(folder: Path) -> None:
    """Word vectors of the sizes in BASE."""
    for name, words, size in (("source", WORDS, 8), ("target", WORDS.upper(), 12)):
        lines = [" ".join([word, *(f"0.{(i + k) % 9}" for k in range(size))]) for i, word in enumerate(words)]
        (folder / f"{name}.vec").write_text("".join(f"{line}\n" for line in lines))


def observe_run(settings: tuple[str, ...]) -> Observation:
    """Trains, translates and evaluates in the working folder; a refusal is an observation too."""
    try:
        config = load_config(Path("base.yaml"), settings)
        train(TrainOptions(Path("base.yaml"), tuple(settings), fresh=False))
    except UserError as error:
        return {"error": str(error)}
    run = Path(config.run.dir) / config.run.name
    found: Observation = {}
    found["places"] = sorted({str(path.parent.parent) for path in Path().rglob("train.arrow")} | {str(run)})
    for path in sorted(run.rglob("*.*")):
        name = str(path.relative_to(run))
        if path.suffix == ".safetensors":
            found[name] = {key: tensor.double().sum().item() for key, tensor in load_file(path).items()}
        elif "vocab" in path.parts and path.suffix != ".json":
            found[name] = path.read_bytes()
    log = (run / "log.jsonl").read_text()
    found["events"] = sum(path.stat().st_size for path in (run / "events").iterdir())
    found["log"] = re.sub(r'"(seconds|share_done)": [^,}]+', "", log)
    return found | observe_output(config, run)


def observe_output(config: Config, run: Path) -> Observation:
    """What the best model makes of the test set (if there is one), in which batches, and what evaluation says."""
    if not has_test(config):
        return {}
    corpus, shapes = read_test(config), []
    translator = Translator.load(run, torch.device("cpu"))
    encode = Seq2Seq.encode

    def watched(model: Seq2Seq, src_ids: torch.Tensor, src_lengths: torch.Tensor) -> Any:
        shapes.append(tuple(src_ids.shape))
        return encode(model, src_ids, src_lengths)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Seq2Seq, "encode", watched)
        sources = [pair.source for pair in corpus.pairs]
        translations = list(translator.translate(sources, nbest=min(3, config.search.beam), with_alignments=False))
    texts = [translation.text for translation in translations]
    references = [pair.target for pair in corpus.pairs]
    found: Observation = {"batches": shapes, "translations": repr(translations), "references": references}
    measured = measure_system(texts, references, config.evaluation)
    found["summary"] = json.dumps(as_json(summarise("r", sources, measured, config.evaluate)))
    return found


@pytest.mark.parametrize("key", [key for key in LEAVES if key not in ELSEWHERE])
def test_every_key_changes_what_a_run_leaves_behind(key: str, laboratory: Laboratory) -> None:
    settings = settings_of(key)
    before = () if settings == BUILT_IN else settings[:-1]
    without, found = laboratory.observe(before), laboratory.observe(settings)
    assert found != without
    assert ("error" in without) == (key in CURES), without.get("error")
    assert ("error" in found) == (key in REFUSALS), found.get("error")
    assert key not in REFUSALS or key in str(found["error"])


@pytest.mark.parametrize("settings", [(), ("search.beam=2",)])
def test_the_same_run_twice_leaves_the_same_behind(settings: tuple[str, ...], laboratory: Laboratory) -> None:
    again = Laboratory(laboratory._make_folder, laboratory._monkeypatch)
    assert "error" not in laboratory.observe(settings)
    assert again.observe(settings) == laboratory.observe(settings)


@pytest.mark.parametrize("key", ELSEWHERE)
def test_what_is_shown_elsewhere_is_there(key: str) -> None:
    path, _, name = ELSEWHERE[key].partition("::")
    assert key in LEAVES
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
