"""Copying in search: the source's own words in translations, prefixes, constraints, ensembles, scores and files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_translators import MODELS, SEARCH, make_codecs, make_model, make_translator, texts

from nmt_attn.alignment.formats import alignment_writer
from nmt_attn.config.schema import Config
from nmt_attn.data.copying import source_rows
from nmt_attn.errors import ConfigError
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.payload import trace_payload
from nmt_attn.search.copied import source_batch
from nmt_attn.search.ensemble import COMBINATIONS, EnsembleTranslator
from nmt_attn.search.forced import force_decode
from nmt_attn.search.jsonl_output import hypothesis_records
from nmt_attn.search.language_model import Fusion
from nmt_attn.search.ngrams import read_arpa
from nmt_attn.search.shortlist import Shortlist
from nmt_attn.search.translator import Translator
from nmt_attn.types import UNK

LINE = "der Quokka sieht Zürich"
"""Two of its words are in neither vocabulary."""


def copier(tokenizer: str = "word", bias: float = -9.0) -> Translator:
    """A translator that hardly ever generates."""
    translator = make_translator("copying", tokenizer)
    with torch.no_grad():
        translator.model.decoder.copying.state_projection.bias.fill_(bias)  # type: ignore[union-attr]
    return translator


@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_a_model_that_only_copies_writes_pieces_of_the_source(tokenizer: str) -> None:
    translator = copier(tokenizer, bias=-50.0)
    pieces = set(translator.codecs.source.pieces(LINE))
    [found] = translator.translate([LINE], beam=3, nbest=3)
    written = [piece for hypothesis in found.hypotheses for piece in hypothesis.pieces]
    assert set(written) <= pieces
    unknown = set(written) - set(translator.codecs.target.vocabulary.tokens)
    assert unknown
    for hypothesis in found.hypotheses:
        assert hypothesis.alignment is not None
        assert hypothesis.alignment.copied is not None
        assert len(hypothesis.alignment.copied) == len(hypothesis.alignment.target) + 1
        assert hypothesis.alignment.copied.min() > 0.99
    drawn = translator.translate([LINE], nbest=50, sample=True, seed=3)[0].hypotheses
    assert {piece for each in drawn for piece in each.pieces} == pieces


def test_a_copied_word_can_be_forbidden_nothing_and_unknown_words_stay_apart() -> None:
    """`search.forbid_unknown` is for `<unk>`; a word of the source is no unknown word."""
    translator = copier()
    translator.search = SEARCH.model_copy(update={"forbid_unknown": True, "no_repeat_ngram": 1})
    text = translator.translate([LINE], beam=5)[0].text
    assert "<unk>" not in text
    assert len(text.split()) == len(set(text.split()))


def test_a_forced_copy_has_the_log_p_of_search() -> None:
    translator = copier(bias=0.0)
    found = translator.translate([LINE], beam=5, nbest=5)[0].hypotheses
    pairs = force_decode(translator, [LINE] * len(found), [each.text for each in found], with_alignments=True)
    for pair, hypothesis in zip(pairs, found, strict=True):
        if "<unk>" not in hypothesis.text:
            assert pair.token_log_probs == pytest.approx(hypothesis.token_log_probs, abs=1e-5)
        assert hypothesis.alignment is not None
        ours, theirs = pair.alignment(0).copied, hypothesis.alignment.copied
        assert ours is not None
        assert theirs is not None
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_prefixes_and_constraints_may_be_words_of_the_source(tokenizer: str) -> None:
    translator = copier(tokenizer, bias=0.0)
    lines = [LINE, "das Haus"]
    for beam in (1, 5):
        [first, _] = translator.translate(lines, beam=beam, prefixes=["Zürich the", ""])
        assert first.text.startswith("Zürich the")
    [first, second] = translator.translate(lines, beam=5, constraints=[["Quokka"], ["house"]])
    assert "Quokka" in first.text.split()
    assert "house" in second.text.split()
    with pytest.raises(Exception, match="Wombat"):
        translator.translate([LINE], constraints=[["Wombat"]])


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_an_ensemble_copies_where_one_of_its_models_does(combination: str) -> None:
    codecs = make_codecs("word")
    models = [make_model(MODELS[name], codecs) for name in ("copying", "bahdanau")]
    members = [Translator(model, codecs, SEARCH, name) for model, name in zip(models, "ab", strict=True)]
    [found] = EnsembleTranslator(members, combination).translate([LINE], beam=5, nbest=5)  # type: ignore[arg-type]
    own = {"Quokka", "Zürich"}
    copied = [each for each in found.hypotheses if own & set(each.text.split())]
    assert all(each.log_prob > -np.inf for each in found.hypotheses)
    if combination == "log-linear":  # the other model gives these words the probability 0
        assert not copied
    twice = EnsembleTranslator([members[0], members[0]], combination)  # type: ignore[arg-type]
    one, two = (each.translate([LINE], beam=5, nbest=3)[0] for each in (members[0], twice))
    assert [each.text for each in one.hypotheses] == [each.text for each in two.hypotheses]
    for alone, both in zip(one.hypotheses, two.hypotheses, strict=True):
        assert both.log_prob == pytest.approx(alone.log_prob, abs=1e-4)
        assert alone.alignment is not None
        assert both.alignment is not None
        torch.testing.assert_close(both.alignment.copied, alone.alignment.copied)


def test_a_linear_ensemble_halves_what_one_of_two_copies() -> None:
    codecs = make_codecs("word")
    members = [Translator(make_model(MODELS[name], codecs), codecs, SEARCH, name) for name in ("copying", "bahdanau")]
    pieces = codecs.source.pieces(LINE)
    sentence = members[0]._encode(1, LINE, "", ())
    batch = source_batch([sentence])
    with torch.inference_mode():
        both = EnsembleTranslator(members, "linear").searcher.steps(batch)
        alone = members[0].searcher.steps(batch)
        last = torch.tensor([2])
        found, own = (each.step(last, each.start()).log_probs[0].exp() for each in (both, alone))
    size = codecs.target.size
    torch.testing.assert_close(found[size:], own[size:] / 2)
    assert own[size:].sum() > 0
    assert source_rows(pieces, codecs.target.vocabulary)[1] == size + 1


def test_a_language_model_takes_copied_words_for_unknown_ones(tmp_path: Path) -> None:
    tokens = make_codecs("word").target.vocabulary.tokens
    entries = "\n".join(f"-1\t{token}" for token in tokens[1:])
    path = tmp_path / "x.arpa"
    path.write_text(f"\\data\\\nngram 1={len(tokens) - 1}\n\n\\1-grams:\n{entries}\n\n\\end\\\n", encoding="utf-8")
    translator = copier(bias=0.0)
    plain = translator.translate([LINE], beam=5)[0]
    translator.search = SEARCH.model_copy(update={"language_model": str(path), "language_model_weight": 0.5})
    fused = translator.translate([LINE], beam=5)[0]
    per_word = 0.5 * np.log(10)  # every word costs the same, copied ones too
    assert Fusion(read_arpa(path, tokens, 0.0), 0.5).model.words == len(tokens)
    assert fused.text == plain.text
    assert fused.log_prob == pytest.approx(
        plain.log_prob - per_word * len(fused.hypotheses[0].token_log_probs), abs=1e-4
    )


def test_a_shortlist_is_refused() -> None:
    translator = copier()
    none = torch.zeros(translator.codecs.source.size, 1, dtype=torch.int64)
    shortlist = Shortlist(none[:0, 0], none, translator.codecs.target.size)
    with pytest.raises(ConfigError, match="shortlist: expected none with copying"):
        translator.translate([LINE], shortlist=shortlist)


def test_files_tell_how_much_was_copied(tmp_path: Path) -> None:
    [translation] = copier().translate([LINE], beam=2)
    [record, *_] = hypothesis_records(1, translation)
    alignment = record["alignment"]
    assert isinstance(alignment, dict)
    assert len(alignment["copied"]) == len(alignment["target"])
    assert translation.alignment is not None
    for name in ("a.jsonl", "a.npz", "a.pharaoh"):
        with alignment_writer(tmp_path / name, "dropped", None) as write:
            write(1, 1, translation.alignment)
    [line] = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    assert len(found["copied"]) == len(found["target"])
    arrays = np.load(tmp_path / "a.npz")
    assert arrays["copied_1_1"].tolist() == pytest.approx(found["copied"], abs=1e-4)


def test_the_lab_shows_copied_words_and_their_share() -> None:
    translator = copier(bias=-50.0)
    lab = LabModel("copier", translator, Config.model_validate({"model": MODELS["copying"]}))
    trace = lab.trace(LINE)
    assert trace.text == translator.translate([LINE], beam=1)[0].text
    assert all(step.copied is not None and step.copied > 0.99 for step in trace.steps)
    payload = trace_payload(trace, 4)
    assert payload["steps"][0]["copied"] == pytest.approx(1.0, abs=1e-4)
    tree = lab.tree(LINE, beam=3)
    assert tree.text == translator.translate([LINE], beam=3)[0].text
    assert {"Quokka", "Zürich"} <= set(tree.words)
    assert lab.trace(LINE, prefix=["Quokka"]).target[0] == "Quokka"


def test_unknown_word_replacement_goes_beside_copying() -> None:
    translator = copier(bias=9.0)
    with torch.no_grad():
        translator.model.output.bias[UNK] += 12.0
    found = translator.translate([LINE], beam=2, replace_unknown=True)
    assert "<unk>" not in texts(found)[0]
