"""Models of other toolkits: the same numbers as torch's own networks with the same weights; nothing in a file runs."""

import os
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nmt_attn.commands.import_model import import_model
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.foreign.pickles import Inert, read_checkpoint
from nmt_attn.model.store import load_model
from nmt_attn.options import ImportOptions
from nmt_attn.types import EOS

TOKENS = ["<unk>", "<blank>", "<s>", "</s>", "a", "b", "c", "d", "e"]
WORDS, HIDDEN, SOURCE_SIZE, TARGET_SIZE = len(TOKENS), 6, 4, 5


class OpenNMT(nn.Module):
    """OpenNMT-py's model with input feeding and the general score, as its code has it."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(WORDS, SOURCE_SIZE), nn.Embedding(WORDS, TARGET_SIZE)
        self.rnn = nn.LSTM(SOURCE_SIZE, HIDDEN // 2, layers, batch_first=True, bidirectional=True)
        sizes = [TARGET_SIZE + HIDDEN, *[HIDDEN] * (layers - 1)]
        self.cells = nn.ModuleList(nn.LSTMCell(size, HIDDEN) for size in sizes)
        self.linear_in, self.linear_out = (
            nn.Linear(HIDDEN, HIDDEN, bias=False),
            nn.Linear(2 * HIDDEN, HIDDEN, bias=False),
        )
        self.generator = nn.Linear(HIDDEN, WORDS)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """One sentence: ids [1, S], ids [1, T] -> log p [T, V]."""
        states, (hidden, cell) = self.rnn(self.source(source))
        finals = [torch.cat([part[0::2], part[1::2]], 2) for part in (hidden, cell)]
        layers = list(zip(*finals, strict=True))
        feed, rows = torch.zeros(1, HIDDEN), []
        for word in target[0]:
            output = torch.cat([self.target(word[None]), feed], 1)
            for number, each in enumerate(self.cells):
                layers[number] = each(output, layers[number])
                output = layers[number][0]
            weights = torch.softmax(states[0] @ self.linear_in(output)[0], 0)
            feed = torch.tanh(self.linear_out(torch.cat([weights @ states[0], output[0]])))[None]
            rows.append(torch.log_softmax(self.generator(feed)[0], 0))
        return torch.stack(rows)


def checkpoint(model: OpenNMT, layers: int, **options: object) -> dict[str, object]:
    """What OpenNMT-py saves."""
    names = {"source.weight": "encoder.embeddings.make_embedding.emb_luts.0.weight"}
    names["target.weight"] = "decoder.embeddings.make_embedding.emb_luts.0.weight"
    weights = {}
    for name, weight in model.state_dict().items():
        if name.startswith("generator"):
            continue
        part = name.replace("cells.", "decoder.rnn.layers.") if name.startswith("cells.") else f"encoder.{name}"
        part = f"decoder.attn.{name}" if name.startswith("linear") else part
        weights[names.get(name, part)] = weight
    given = {
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": "LSTM",
        "enc_layers": layers,
        "dec_layers": layers,
        "enc_hid_size": HIDDEN,
        "dec_hid_size": HIDDEN,
        "input_feed": 1,
        "global_attention": "general",
        "global_attention_function": "softmax",
        "bridge": False,
        **options,
    }
    vocabulary = {"src": TOKENS, "tgt": TOKENS, "decoder_start_token": "<s>"}
    generator = model.generator.state_dict()
    return {"model": weights, "generator": generator, "vocab": vocabulary, "opt": Namespace(**given)}


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_model_of_opennmt_gives_its_numbers(layers: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = OpenNMT(layers)
    torch.save(checkpoint(theirs, layers), tmp_path / "m.pt")
    import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))
    ours, codecs = load_model(tmp_path / "out"), load_codecs(tmp_path / "out" / "vocab")
    source, target = ["a", "e", "x", "b"], ["<s>", "c", "a"]
    with torch.no_grad():
        ids = [[TOKENS.index(word) if word in TOKENS else 0 for word in side] for side in (source, target)]
        expected = theirs(*(torch.tensor([side]) for side in ids))
        own = torch.tensor([[*codecs.source.encode(" ".join(source)), EOS]])
        memory = ours.encode(own, torch.tensor([5]))
        state, rows = ours.start(memory), []
        for word in [2, *codecs.target.encode("c a")]:
            step = ours.step(torch.tensor([word]), state, memory)
            rows.append(step.log_probs[0])
            state = step.state
    order = [TOKENS.index({"<pad>": "<blank>"}.get(token, token)) for token in codecs.target.vocabulary.tokens]
    torch.testing.assert_close(torch.stack(rows), expected[:, order], rtol=0, atol=1e-5)


def test_what_cannot_be_expressed_is_refused_with_every_reason(tmp_path: Path) -> None:
    torch.save(checkpoint(OpenNMT(1), 1, copy_attn=True, context_gate="both"), tmp_path / "m.pt")
    with pytest.raises(DataError, match=r"m\.pt: expected a model that can be .* context_gate both; copy_attn True"):
        import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_weight_that_nothing_stands_for_is_a_reason(tmp_path: Path) -> None:
    found = checkpoint(OpenNMT(1), 1)
    found["model"]["decoder.extra.weight"] = torch.ones(2)  # type: ignore[index]
    torch.save(found, tmp_path / "m.pt")
    with pytest.raises(DataError, match=r"weights that nothing here stands for: decoder\.extra\.weight"):
        import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))


class Harmful:
    """Runs a command when it is unpickled the usual way."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harmed",)


def test_nothing_in_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": torch.arange(3), "bad": Harmful()}, "m.pt")
    found = read_checkpoint(Path("m.pt"))
    assert found["model"].tolist() == [0, 1, 2]
    assert isinstance(found["bad"], Inert) and found["bad"].args == ("harmed",)
    assert not Path("harmed").exists()
    pickle.loads(pickle.dumps(Harmful()))  # which does run it: the file was harmful
    assert Path("harmed").exists()


def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_text("no checkpoint")
    with pytest.raises(DataError, match=r"m\.pt: expected a checkpoint of PyTorch"):
        import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))
    torch.save({"weights": 1}, tmp_path / "o.pt")
    with pytest.raises(DataError, match="expected a model of OpenNMT-py, joeynmt, got a file with weights"):
        import_model(ImportOptions(tmp_path / "o.pt", tmp_path / "out"))
    with pytest.raises(ConfigError, match="--output: expected a new or empty folder"):
        import_model(ImportOptions(tmp_path / "o.pt", tmp_path))
