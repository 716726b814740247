"""Models of other toolkits: the same numbers as torch's own networks with the same weights; nothing in a file runs."""

import json
import os
import pickle
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nmt_attn.commands.import_model import import_model
from nmt_attn.data.codec import load_codecs
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.foreign.pickles import Inert, read_checkpoint
from nmt_attn.model.store import load_model
from nmt_attn.options.models import ImportOptions
from nmt_attn.types import EOS

TOKENS = ["<unk>", "<blank>", "<s>", "</s>", "a", "b", "c", "d", "e"]
WORDS, HIDDEN, SOURCE_SIZE, TARGET_SIZE = len(TOKENS), 6, 4, 5


class OpenNMT(nn.Module):
    """OpenNMT-py's model with input feeding and the general score, as its code has it."""

    def __init__(self, layers: int, gate: str | None = None) -> None:
        super().__init__()
        self.gate_kind = gate
        if gate is not None:
            names, before = ("gate", "source_proj", "target_proj"), TARGET_SIZE + 2 * HIDDEN
            parts = zip(names, (before + HIDDEN, HIDDEN, before), strict=True)
            self.gate = nn.ModuleDict({name: nn.Linear(size, HIDDEN) for name, size in parts})
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
            read = output = torch.cat([self.target(word[None]), feed], 1)
            for number, each in enumerate(self.cells):
                layers[number] = each(output, layers[number])
                output = layers[number][0]
            weights = torch.softmax(states[0] @ self.linear_in(output)[0], 0)
            feed = torch.tanh(self.linear_out(torch.cat([weights @ states[0], output[0]])))[None]
            if self.gate_kind is not None:
                feed = self.gated(torch.cat([read, output], 1), feed)
            rows.append(torch.log_softmax(self.generator(feed)[0], 0))
        return torch.stack(rows)

    def gated(self, target: Tensor, attentional: Tensor) -> Tensor:
        """Its context gate."""
        z = torch.sigmoid(self.gate["gate"](torch.cat([target, attentional], 1)))
        of_source, of_target = self.gate["source_proj"](attentional), self.gate["target_proj"](target)
        on_target, on_source = {"source": (1, z), "target": (z, 1), "both": (1 - z, z)}[str(self.gate_kind)]
        return torch.tanh(on_target * of_target + on_source * of_source)


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
        part = f"decoder.context_gate.context_gate.{name.removeprefix('gate.')}" if name.startswith("gate.") else part
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


def has_its_numbers(theirs: nn.Module, folder: Path, tokens: list[str], start: str, *, reads_end: bool) -> None:
    """The log-probabilities of one sentence, in their order of words."""
    ours, codecs = load_model(folder), load_codecs(folder / "vocab")
    source, target = ["a", "e", "x", "b"], [start, "c", "a"]
    with torch.no_grad():
        read = [*source, "</s>"] if reads_end else source
        ids = [[tokens.index(word if word in tokens else "<unk>") for word in side] for side in (read, target)]
        expected = theirs(*(torch.tensor([side]) for side in ids))
        own = torch.tensor([[*codecs.source.encode(" ".join(source)), EOS]])
        memory = ours.encode(own, torch.tensor([5]))
        state, rows = ours.start(memory), []
        for word in [2, *codecs.target.encode("c a")]:
            step = ours.step(torch.tensor([word]), state, memory)
            rows.append(step.log_probs[0])
            state = step.state
    pad = next(token for token in ("<blank>", "<pad>") if token in tokens)
    order = [tokens.index({"<pad>": pad}.get(token, token)) for token in codecs.target.vocabulary.tokens]
    torch.testing.assert_close(torch.stack(rows), expected[:, order], rtol=0, atol=1e-5)


def older(found: dict[str, object]) -> dict[str, object]:
    """The same as OpenNMT-py 2 saves it: vocabularies are fields of torchtext, whose classes are not there."""
    vocab, generator, options = found["vocab"], found["generator"], found["opt"]
    assert isinstance(vocab, dict) and isinstance(generator, dict) and isinstance(options, Namespace)
    given = {name.replace("hid_size", "rnn_size"): each for name, each in vars(options).items()}
    fields = {side: TextMultiField([(side, Field(Vocab(vocab[side])))]) for side in ("src", "tgt")}
    renamed = {f"0.{name}": each for name, each in generator.items()}
    return {**found, "vocab": fields, "generator": renamed, "opt": Namespace(**given)}


class Vocab:
    """torchtext's: the tokens are `itos`."""

    def __init__(self, tokens: list[str]) -> None:
        self.itos = tokens


class Field:
    """torchtext's."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab


class TextMultiField:
    """OpenNMT-py 2's: the words and their features."""

    def __init__(self, fields: list[tuple[str, Field]]) -> None:
        self.fields = fields


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_model_of_opennmt_gives_its_numbers(layers: int, version: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = OpenNMT(layers)
    found = checkpoint(theirs, layers)
    torch.save(found if version == 3 else older(found), tmp_path / "m.pt")
    import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))
    has_its_numbers(theirs, tmp_path / "out", TOKENS, "<s>", reads_end=False)


@pytest.mark.parametrize("gate", ["source", "target", "both"])
def test_a_context_gate_of_opennmt_gives_its_numbers(gate: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = OpenNMT(2, gate)
    torch.save(checkpoint(theirs, 2, context_gate=gate), tmp_path / "m.pt")
    import_model(ImportOptions(tmp_path / "m.pt", tmp_path / "out"))
    has_its_numbers(theirs, tmp_path / "out", TOKENS, "<s>", reads_end=False)


def test_a_model_of_eole_gives_its_numbers(tmp_path: Path) -> None:
    torch.manual_seed(2)
    theirs, folder = OpenNMT(2), tmp_path / "eole"
    found = checkpoint(theirs, 2)
    weights = {f"generator.{name}": each for name, each in theirs.generator.state_dict().items()}
    names = {"encoder.embeddings": "src_emb.embeddings.weight", "decoder.embeddings": "tgt_emb.embeddings.weight"}
    for name, each in found["model"].items():  # type: ignore[attr-defined]
        weights[names.get(name.partition(".make")[0], name)] = each
    side = {"layers": 2, "hidden_size": HIDDEN, "rnn_type": "LSTM"}
    model = {"encoder": {**side, "encoder_type": "brnn"}, "decoder": {**side, "decoder_type": "rnn"}, "input_feed": 1}
    folder.mkdir()
    save_file({name: each.contiguous() for name, each in weights.items()}, folder / "model.00.safetensors")
    (folder / "config.json").write_text(json.dumps({"model": model}))
    (folder / "vocab.json").write_text(json.dumps({"src": TOKENS, "tgt": TOKENS, "decoder_start_token": "<s>"}))
    import_model(ImportOptions(folder, tmp_path / "out"))
    has_its_numbers(theirs, tmp_path / "out", TOKENS, "<s>", reads_end=False)


FAIRSEQ_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "a", "b", "c", "d", "e"]


class Fairseq(nn.Module):
    """fairseq's lstm, under its names, as its code has it: a bidirectional encoder needs a bridge."""

    def __init__(self, layers: int, *, is_bidirectional: bool, has_extra: bool) -> None:
        super().__init__()
        context, out = HIDDEN * (1 + is_bidirectional), TARGET_SIZE if has_extra else HIDDEN
        encoder, decoder, attention = nn.Module(), nn.Module(), nn.Module()
        encoder.embed_tokens, decoder.embed_tokens = nn.Embedding(WORDS, SOURCE_SIZE), nn.Embedding(WORDS, TARGET_SIZE)
        encoder.lstm = nn.LSTM(SOURCE_SIZE, HIDDEN, layers, bidirectional=is_bidirectional)
        sizes = [TARGET_SIZE + HIDDEN, *[HIDDEN] * (layers - 1)]
        decoder.layers = nn.ModuleList(nn.LSTMCell(size, HIDDEN) for size in sizes)
        attention.input_proj = nn.Linear(HIDDEN, context, bias=False)
        attention.output_proj = nn.Linear(HIDDEN + context, HIDDEN, bias=False)
        decoder.attention = attention
        if is_bidirectional:
            decoder.encoder_hidden_proj, decoder.encoder_cell_proj = (nn.Linear(context, HIDDEN) for _ in range(2))
        if has_extra:
            decoder.additional_fc = nn.Linear(HIDDEN, out)
        decoder.fc_out = nn.Linear(out, WORDS)
        self.encoder, self.decoder = encoder, decoder

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """One sentence: ids [1, S], ids [1, T] -> log p [T, V]."""
        encoder, decoder, attention = self.encoder, self.decoder, self.decoder.attention
        states, finals = encoder.lstm(encoder.embed_tokens(source[0])[:, None])
        layers = []
        for part, name in zip(finals, ("hidden", "cell"), strict=True):
            both = part.view(len(decoder.layers), -1, HIDDEN).flatten(1)  # a layer's directions side by side
            bridge = getattr(decoder, f"encoder_{name}_proj", nn.Identity())
            layers.append(list(bridge(both)[:, None]))
        hidden, cell = layers
        feed, rows = torch.zeros(1, HIDDEN), []
        for word in target[0]:
            output = torch.cat([decoder.embed_tokens(word[None]), feed], 1)
            for i, each in enumerate(decoder.layers):
                hidden[i], cell[i] = each(output, (hidden[i], cell[i]))
                output = hidden[i]
            weights = torch.softmax(states[:, 0] @ attention.input_proj(output)[0], 0)
            feed = torch.tanh(attention.output_proj(torch.cat([weights @ states[:, 0], output[0]])))[None]
            extra = getattr(decoder, "additional_fc", nn.Identity())
            rows.append(torch.log_softmax(decoder.fc_out(extra(feed))[0], 0))
        return torch.stack(rows)


@pytest.mark.parametrize("has_extra", [False, True])
@pytest.mark.parametrize("is_bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_model_of_fairseq_gives_its_numbers(
    layers: int, is_bidirectional: bool, has_extra: bool, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    theirs = Fairseq(layers, is_bidirectional=is_bidirectional, has_extra=has_extra)
    torch.save({"args": Namespace(arch="lstm"), "model": theirs.state_dict()}, tmp_path / "c.pt")
    (tmp_path / "dict.txt").write_text("".join(f"{token} 7\n" for token in FAIRSEQ_TOKENS[4:]))
    with pytest.raises(DataError, match=r"c\.pt: expected its vocabularies"):
        import_model(ImportOptions(tmp_path / "c.pt", tmp_path / "out"))
    import_model(ImportOptions(tmp_path / "c.pt", tmp_path / "out", vocab=(tmp_path / "dict.txt",)))
    has_its_numbers(theirs, tmp_path / "out", FAIRSEQ_TOKENS, "</s>", reads_end=True)


def test_what_cannot_be_expressed_is_refused_with_every_reason(tmp_path: Path) -> None:
    torch.save(checkpoint(OpenNMT(1), 1, copy_attn=True, context_gate="neither"), tmp_path / "m.pt")
    with pytest.raises(DataError, match=r"m\.pt: expected a model that can be .* context_gate neither; copy_attn True"):
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
    (tmp_path / "m.safetensors").write_bytes(b"\xff" * 16)
    with pytest.raises(DataError, match=r"m\.safetensors: expected a checkpoint of PyTorch"):
        import_model(ImportOptions(tmp_path / "m.safetensors", tmp_path / "out"))
    torch.save({"weights": 1}, tmp_path / "o.pt")
    with pytest.raises(DataError, match=r"expected a model of OpenNMT-py, .*, nematus, got a file with weights"):
        import_model(ImportOptions(tmp_path / "o.pt", tmp_path / "out"))
    with pytest.raises(ConfigError, match="--output: expected a new or empty folder"):
        import_model(ImportOptions(tmp_path / "o.pt", tmp_path))
