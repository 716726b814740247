"""A warm start: which weights a new run takes from another one, what it says, what it refuses."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import REFERENCES, SOURCES, make_run
from torch import Tensor

from nmt_attn.commands.train import train
from nmt_attn.config.file import load_config, parse_config
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config
from nmt_attn.options.training import TrainOptions
from nmt_attn.training.warm_start import shared_rows, warm_start

OTHER_SOURCES, OTHER_REFERENCES = ["el pez", "un gato azul"], ["the blue cat", "a fish"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path)


def config_of(run: Path, *overrides: str) -> Config:
    """That of the run, for another one that begins with its weights."""
    return load_config(run / "config.yaml", ["run.name=other", f"training.init_from={run}", *overrides])


def codecs_of(config: Config, sources: list[str], references: list[str]) -> Codecs:
    return Codecs(*(learn_codec(lines, config.tokenizer, "text") for lines in (sources, references)))


class Start:
    """A new model for other text, before and after it has got the weights of a run."""

    def __init__(self, config: Config, codecs: Codecs) -> None:
        self.codecs, self.lines = codecs, list[str]()
        torch.manual_seed(5)
        self.model: Seq2Seq = model_from_config(config, codecs.source.size, codecs.target.size)
        self.first = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        warm_start(config, codecs, self.model, self.lines.append)

    def weights(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in self.model.named_parameters()}


def start(run: Path, *overrides: str) -> Start:
    config = config_of(run, *overrides)
    return Start(config, codecs_of(config, OTHER_SOURCES, OTHER_REFERENCES))


def saved(run: Path) -> dict[str, Tensor]:
    return load_file(run / "best" / "model.safetensors")


def test_without_the_key_nothing_happens(run: Path) -> None:
    config = load_config(run / "config.yaml", [])
    begun = Start(config, codecs_of(config, SOURCES, REFERENCES))
    assert begun.lines == []
    assert all(torch.equal(value, begun.first[name]) for name, value in begun.weights().items())


def test_rows_are_matched_by_their_words() -> None:
    rows = shared_rows(["<pad>", "b", "x", "a"], ["<pad>", "a", "b", "c", "d"])
    assert (rows.here.tolist(), rows.there.tolist()) == ([0, 1, 3], [0, 2, 1])
    assert (rows.new, rows.dropped) == (1, 2)


def test_every_weight_is_the_other_models_but_for_the_rows_of_new_words(run: Path) -> None:
    begun, theirs = start(run), saved(run)
    words = {"source_embedding.weight": "source", "target_embedding.weight": "target"}
    words |= {"output.weight": "target", "output.bias": "target"}
    vocabularies = {
        side: (run / "best" / "vocab" / f"{side}.txt").read_text().split("\n")[:-1] for side in ("source", "target")
    }
    kept = 0
    for name, value in begun.weights().items():
        if name not in words:
            assert torch.equal(value, theirs[name]), name
            continue
        old = vocabularies[words[name]]
        for place, token in enumerate(getattr(begun.codecs, words[name]).vocabulary.tokens):
            expected = theirs[name][old.index(token)] if token in old else begun.first[name][place]
            assert torch.equal(value[place], expected), (name, token)
            kept += token in old
    # el, gato, un; a, cat, the; and the 4 special tokens: in one source matrix and three target ones
    assert kept == (3 + 4) + 3 * (3 + 4)


def test_it_says_what_was_kept_new_and_dropped(run: Path) -> None:
    # The score has 3 parameters (W, U, v), of which W has the name and the shape of the new one's only parameter.
    begun = start(run, "model.attention.score=general")
    lines = "\n".join(begun.lines)
    assert f"warm start from {run / 'best'}: " in lines and ", 1 new, 3 dropped\n" in lines
    assert "source words: 3 kept, 2 new, " in lines and "target words: 3 kept, 2 new, " in lines
    name = "decoder.attention.score.key_projection.weight"
    assert f"\nnew: {name}\n" in lines and re.search(rf"\ndropped: .*\b{name}\b", lines)
    assert torch.equal(begun.weights()[name], begun.first[name])
    assert lines.endswith("other keys of the model: model.attention.score was 'additive', is 'general'")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.decoder.hidden=10", r"shapes of this model: .*decoder\.\S+ \[\d+.*\], got \[\d+"),
        ("model.encoder.cell=gru-cho", r"same equations, got .*model\.encoder\.cell was 'gru', is 'gru-cho'"),
        ("model.decoder.style=luong", r"same equations, got .*model\.decoder\.style was 'bahdanau', is 'luong'"),
        ("tokenizer.kind=char", r"expected a source tokenizer char, as here, got word in "),
        ("tokenizer.lowercase=true", r"expected a source tokenizer word, lowercase, as here, got word in "),
        ("model.tie=target-output", r"target_embedding\.weight and output\.weight to share .*\(model\.tie\)"),
    ],
)
def test_what_would_not_mean_the_same_is_refused(run: Path, override: str, message: str) -> None:
    sizes = ("model.decoder.embedding=11",) if override.startswith("model.tie") else ()
    with pytest.raises(ConfigError, match=rf"^training\.init_from: .*{message}"):
        if sizes:
            run = make_run(run.parent / "wide")
            widen(run)
        start(run, override, *sizes)


def widen(run: Path) -> None:
    """Gives the run's model target word vectors of the size of the output layer."""
    from nmt_attn.data.codec import load_codecs
    from nmt_attn.model.store import save_model

    config = load_config(run / "config.yaml", ["model.decoder.embedding=11"])
    codecs = load_codecs(run / "best" / "vocab")
    model = model_from_config(config, codecs.source.size, codecs.target.size)
    save_model(model, config, run / "best", vocabulary=codecs.digest())


def test_a_vocabulary_without_a_word_in_common_is_refused(run: Path) -> None:
    config = config_of(run)
    turned = codecs_of(config, REFERENCES, SOURCES)
    with pytest.raises(
        ConfigError, match=r"expected source words of .* got none of 13 \(are the languages swapped\?\)"
    ):
        Start(config, turned)


def test_a_run_that_is_not_there_and_the_run_itself_are_refused(run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^training\.init_from: .*nowhere: expected a run or a model folder"):
        start(run, f"training.init_from={run.parent / 'nowhere'}")
    with pytest.raises(ConfigError, match=r"expected another run than this one, got .* \(another run\.name\)$"):
        start(run, f"run.dir={run.parent}", "run.name=mine")


def test_word_vectors_beside_it_are_refused() -> None:
    overrides = ["training.init_from=runs/a", "data.vectors.source=v.txt"]
    with pytest.raises(ConfigError, match=r"data\.vectors\.source: expected null with training\.init_from 'runs/a'"):
        parse_config("", overrides, "f.yaml")


# Whole runs

TINY = """
run: {name: base, precision: fp32}
data: {train: {limit: 30}, valid: {limit: 4}}
model:
  encoder: {hidden: 8, embedding: 4}
  decoder: {hidden: 6, embedding: 5}
training: {batch_tokens: 90, updates: 6, checkpoint_updates: 2, validate_translation: false, alignment_picture: false}
"""


def trained(folder: Path, name: str, *overrides: str) -> dict[str, Tensor]:
    path = folder / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    train(TrainOptions(path, (f"run.dir={folder / 'runs'}", f"run.name={name}", *overrides)))
    return load_file(folder / "runs" / name / "best" / "model.safetensors")


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = trained(tmp_path, "base")
    capsys.readouterr()
    init = f"training.init_from={tmp_path / 'runs' / 'base'}"
    still = trained(tmp_path, "still", init, "run.seed=2", "training.learning_rate=1e-9")
    for name, value in base.items():
        torch.testing.assert_close(still[name], value, rtol=0, atol=1e-6)
    assert "parameters kept, 0 new, 0 dropped" in capsys.readouterr().err
    log = (tmp_path / "runs" / "still" / "log.jsonl").read_text()
    assert log.startswith('{"kind": "update", "update": 1, "epoch": 1,')


def test_a_stop_changes_nothing_and_going_on_needs_no_other_run(tmp_path: Path) -> None:
    trained(tmp_path, "base")
    keys = f"training.init_from={tmp_path / 'runs' / 'base'}", "training.freeze=[encoder]", "training.schedule=constant"
    whole = trained(tmp_path, "whole", *keys)
    trained(tmp_path, "halves", *keys, "training.updates=3")
    (tmp_path / "runs" / "base").rename(tmp_path / "runs" / "gone")
    halves = trained(tmp_path, "halves", *keys, "training.updates=6")
    assert all(torch.equal(halves[name], value) for name, value in whole.items())


@pytest.mark.parametrize(
    ("base", "other", "part"),
    [
        ("model.decoder.context_gate=source", "model.decoder.context_gate=both", "attentional_state.gate"),
        ("model.decoder.layers=2", "model.decoder.deep_context=true", "upper.0"),
    ],
)
def test_what_stands_in_other_equations_is_new(
    base: str, other: str, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path, "base", "model.decoder.style=luong", base, "training.updates=1")
    capsys.readouterr()
    init = f"training.init_from={tmp_path / 'runs' / 'base'}"
    trained(tmp_path, "other", "model.decoder.style=luong", base, other, init, "training.updates=1")
    (new,) = re.findall(r"^(?:.*: )?new: (.*)$", capsys.readouterr().err, flags=re.MULTILINE)
    assert all(name.startswith(f"decoder.{part}.") for name in new.split(", ")), new
