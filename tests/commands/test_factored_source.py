"""A model whose source words have factors, from the command line and from Python."""

import json
from pathlib import Path

import pytest
import torch

from nmt_attn.commands.explain import explain
from nmt_attn.commands.translate import translate
from nmt_attn.config.file import load_config
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.errors import DataError
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.model.store import model_from_config, save_model
from nmt_attn.options.translation import ExplainOptions, TranslateOptions
from nmt_attn.search.forced import force_decode, plain_texts
from nmt_attn.search.shortlist import AlignmentCounts
from nmt_attn.search.translator import Translator
from nmt_attn.training.warm_start import warm_start

SOURCES = ["das|DET haus|NOUN", "ein|DET hund|NOUN"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Random weights; the target's vocabulary is the word `a` alone."""
    return make(tmp_path, "m", SOURCES)


def make(folder: Path, name: str, sources: list[str]) -> Path:
    corpora = {part: {"source": "f", "target": "f"} for part in ("train", "valid", "test")}
    sizes = {"encoder": {"hidden": 5, "embedding": 7, "factors": [3]}, "decoder": {"hidden": 11, "embedding": 3}}
    tree = {"data": corpora, "tokenizer": {"factors": {"names": ["pos"]}}, "model": sizes}
    (folder / "c.yaml").write_text(json.dumps(tree))
    config = load_config(folder / "c.yaml", [])
    codecs = Codecs(
        learn_codec(sources, config.tokenizer.side("source"), "source"),
        learn_codec(["a"], config.tokenizer.side("target"), "target"),
    )
    torch.manual_seed(3)
    made = model_from_config(config, codecs.source.size, codecs.target.size, codecs.source.vocabulary.factor_sizes)
    save_model(made, config, folder / name, vocabulary=codecs.digest())
    codecs.save(folder / name / "vocab")
    return folder / name


def run(model: Path, text: str, folder: Path, *, replace_unknown: bool = False) -> list[str]:
    (folder / "in.txt").write_text(text)
    options = TranslateOptions(
        model=(model,),
        input=folder / "in.txt",
        output=folder / "out.txt",
        device="cpu",
        replace_unknown=replace_unknown,
    )
    translate(options)
    return (folder / "out.txt").read_text().split("\n")[:-1]


def test_python_and_the_command_read_the_same(model: Path, tmp_path: Path) -> None:
    translator = Translator.load(model, torch.device("cpu"))
    assert run(model, "".join(f"{line}\n" for line in SOURCES), tmp_path) == [
        translation.text for translation in translator.translate(SOURCES, beam=translator.search.beam)
    ]


def test_a_word_without_its_factor_is_refused_by_line(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: expected WORD\|pos \(tokenizer.factors\), got 'haus'"):
        run(model, "das|DET\nhaus\n", tmp_path)
    with pytest.raises(DataError, match=r"text: expected WORD\|pos .*, got 'haus'"):
        LabModel.load(model, "m").trace("haus")


def test_unknown_values_are_said(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(model, "das|DET hund|VERB\nhaus|VERB\n", tmp_path)
    note = "note: factors that training has not seen, read as <unk>: pos VERB (2 in all)"
    assert note in capsys.readouterr().err
    explain(ExplainOptions("das|DET katze|VERB", model=model, device="cpu"))
    assert "not in the vocabulary, all the same to the model: katze|VERB, pos VERB" in capsys.readouterr().err


def test_a_factor_changes_what_the_model_reads(model: Path) -> None:
    translator = Translator.load(model, torch.device("cpu"))
    texts = ["das|DET haus|NOUN", "das|DET haus|DET"]
    first, second = force_decode(translator, texts, ["a", "a"], with_alignments=True)
    assert first.log_prob != second.log_prob
    assert first.alignment(0).source == ("das|DET", "haus|NOUN")
    assert plain_texts(translator, texts) == ["das haus"] * 2


def test_an_unknown_word_is_replaced_by_the_word_alone(model: Path, tmp_path: Path) -> None:
    written = run(model, "katze|NOUN\n", tmp_path, replace_unknown=True)
    assert set(written[0].split()) <= {"katze", "a"}


def test_a_shortlist_knows_words_whatever_their_factors() -> None:
    counts = AlignmentCounts(8, 9)
    packed = 5 + 8 * 6
    counts.add([packed], [7], torch.tensor([[0.9, 0.1], [0.1, 0.9]]))
    shortlist = counts.shortlist(0, 1)
    assert shortlist.candidates[5].tolist() == [7]
    for source in (packed, 5, 5 + 8 * 2):
        assert 7 in shortlist.choose(torch.tensor([[source, 3]]), [[]]).ids.tolist()


def test_a_warm_start_matches_values_of_factors(model: Path, tmp_path: Path) -> None:
    make(tmp_path, "other", ["das|X haus|NOUN", "das|X haus|NOUN"])
    there = Translator.load(tmp_path / "other", torch.device("cpu"))
    here = Translator.load(model, torch.device("cpu"))
    config = load_config(tmp_path / "c.yaml", [f"training.init_from={tmp_path / 'other'}", "run.name=new"])
    first = here.model.source_embedding.get_parameter("pos_factor.weight").detach().clone()
    lines: list[str] = []
    warm_start(config, here.codecs, here.model, lines.append)
    assert "pos: 1 kept, 1 new, 1 dropped" in "\n".join(lines)
    own, other = (
        translator.model.source_embedding.get_parameter("pos_factor.weight").detach() for translator in (here, there)
    )
    rows, others = (each.codecs.source.vocabulary.factors[0].tokens for each in (here, there))
    assert torch.equal(own[rows.index("NOUN")], other[others.index("NOUN")])
    assert torch.equal(own[rows.index("DET")], first[rows.index("DET")])
