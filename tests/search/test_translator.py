"""Tiny models with random weights behind the translator: what they write makes no sense, yet it must be right."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_translators import LINES, MODELS, SEARCH, forced, make_codecs, make_model, make_translator, save, texts
from torch import Tensor, nn

from nmt_attn.config.schema import SearchConfig
from nmt_attn.data.copying import source_rows, target_rows
from nmt_attn.errors import CheckpointError, ConfigError, DataError
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.runtime import cpu_has_int8
from nmt_attn.search.request import Demand, Request, greatest_lengths
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, UNK

needs_int8 = pytest.mark.skipif(not cpu_has_int8(), reason="a CPU without fast products of 8 bits")


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_a_file_is_translated_as_its_lines_are_whatever_the_batch(model: str, tokenizer: str) -> None:
    translator = make_translator(model, tokenizer)
    one_by_one = [next(translator.stream([line], with_alignments=True)) for line in LINES]
    for batch_sentences, window_lines in [(2, 4), (64, 100)]:
        together = list(
            translator.translate(LINES, batch_size=batch_sentences, window_lines=window_lines, with_alignments=True)
        )
        assert [translation.source for translation in together] == LINES
        for alone, other in zip(one_by_one, together, strict=True):
            [expected], [found] = alone.hypotheses, other.hypotheses
            assert found.text == expected.text
            assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-4)
            assert found.alignment is not None
            assert expected.alignment is not None
            torch.testing.assert_close(found.alignment.weights, expected.alignment.weights, atol=1e-5, rtol=0)
    assert len(set(texts(one_by_one))) > 4


@pytest.mark.parametrize("precision", ["bf16", pytest.param("int8", marks=needs_int8)])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_in_other_number_formats_too(model: str, precision: str) -> None:
    translator = make_translator(model, search=SEARCH.model_copy(update={"precision": precision}))
    one_by_one = [next(translator.stream([line])) for line in LINES]
    together = list(translator.translate(LINES, batch_size=64))
    assert texts(together) == texts(one_by_one)
    log_probs = [each.log_prob for each in one_by_one]
    assert [each.log_prob for each in together] == pytest.approx(log_probs, abs=1e-4)
    exact = [each.log_prob for each in make_translator(model).translate(LINES)]
    assert log_probs != exact


@pytest.mark.parametrize("model", sorted(MODELS))
def test_log_probabilities_and_weights_are_those_of_forced_decoding(model: str) -> None:
    """Word tokens: a piece is a word, so the weights are the attention's own."""
    translator = make_translator(model)
    for translation in translator.translate([line for line in LINES if line.strip()], nbest=3, with_alignments=True):
        codecs = translator.codecs
        source, own = codecs.source.encode(translation.source), codecs.source.pieces(translation.source)
        rows = source_rows(own, codecs.target.vocabulary) if translator.copies else None
        for hypothesis in translation.hypotheses:
            target = target_rows(hypothesis.pieces, own, codecs.target.vocabulary)
            log_probs, weights = forced(translator.model, source, target, rows)
            torch.testing.assert_close(torch.tensor(hypothesis.token_log_probs), log_probs, atol=1e-5, rtol=1e-5)
            assert hypothesis.log_prob == pytest.approx(float(log_probs.double().sum()), abs=1e-5 * len(log_probs))
            assert hypothesis.rank == pytest.approx(hypothesis.log_prob / len(log_probs))
            assert hypothesis.alignment is not None
            torch.testing.assert_close(hypothesis.alignment.weights, weights, atol=1e-5, rtol=0)


def test_some_translations_end_by_themselves_and_some_are_cut() -> None:
    found = {translation.hypotheses[0].is_finished for translation in make_translator().translate(LINES, beam=1)}
    assert found == {True, False}


def test_the_best_do_not_depend_on_how_many_are_asked_for_and_all_differ() -> None:
    translator = make_translator()
    lists = [list(translator.translate(LINES, beam=5, nbest=nbest, with_alignments=False)) for nbest in (1, 2, 5)]
    for one, two, five in zip(*lists, strict=True):
        assert one.hypotheses == five.hypotheses[:1]
        assert two.hypotheses == five.hypotheses[:2]
        assert len({hypothesis.text for hypothesis in five.hypotheses}) == len(five.hypotheses)
    assert len(lists[2][0].hypotheses) == 5


def test_translations_of_the_same_text_are_given_once() -> None:
    """Blanks at the end are not seen in the text; this model writes little else, whatever it reads."""
    translator = make_translator(tokenizer="char")
    nn.init.zeros_(translator.model.output.weight)
    nn.init.zeros_(translator.model.output.bias)
    with torch.no_grad():
        translator.model.output.bias[[EOS, translator.codecs.target.vocabulary.tokens.index("▁")]] = 4.0
    [translation] = translator.translate(["das Haus"], beam=5, nbest=5, with_alignments=False)
    spelled = [hypothesis.text for hypothesis in translation.hypotheses]
    assert len(spelled) == len(set(spelled)) < 5
    best = next(translator.stream(["das Haus"], beam=5, with_alignments=False))
    assert translation.hypotheses[0] == best.hypotheses[0]


def test_a_blank_line_is_not_shown_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    translator = make_translator()
    monkeypatch.delattr(Seq2Seq, "encode")
    for translation in translator.translate(["", " \u2028\t"], nbest=3, with_alignments=True):
        [hypothesis] = translation.hypotheses
        assert (hypothesis.text, hypothesis.log_prob, hypothesis.token_log_probs) == ("", 0.0, ())
        assert hypothesis.alignment is not None
        assert hypothesis.alignment.weights.shape == (0, 0)


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_every_hypothesis_has_a_row_for_each_of_its_words(model: str, tokenizer: str) -> None:
    translator = make_translator(model, tokenizer)
    for translation in translator.translate(["die Katze sieht", "das  Haus"], nbest=3, with_alignments=True):
        for hypothesis in translation.hypotheses:
            assert hypothesis.alignment is not None
            assert hypothesis.alignment.source == tuple(translation.source.split())
            assert hypothesis.alignment.target == tuple(hypothesis.text.split())
            words = len(hypothesis.alignment.target), len(hypothesis.alignment.source)
            assert hypothesis.alignment.weights.shape == (words[0] + 1, words[1] + 1)
            assert len(hypothesis.token_log_probs) == len(hypothesis.pieces) + 1
            if model != "local":  # not renormalised
                torch.testing.assert_close(hypothesis.alignment.weights.sum(1), torch.ones(words[0] + 1))


@pytest.mark.parametrize("model", ["bahdanau", "luong"])
@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_unknown_words_come_from_where_the_alignment_looks(model: str, tokenizer: str) -> None:
    """The second model reads the source from right to left. Raw words: no `<unk>` of the source's vocabulary."""
    translator = make_translator(model, tokenizer, SEARCH.model_copy(update={"max_length": 9}))
    with torch.no_grad():
        translator.model.output.bias[UNK] += 12.0
    lines = ["Die Xanthippe SIEHT", "das Haus"]
    plain = list(translator.translate(lines, nbest=3))
    mended = list(translator.translate(lines, nbest=3, replace_unknown=True))
    changed = 0
    for before, after in zip(plain, mended, strict=True):
        source = before.source.split()
        assert "<unk>" not in after.text
        by_log_prob = {hypothesis.log_prob: hypothesis for hypothesis in before.hypotheses}
        assert after.log_prob == before.log_prob
        for hypothesis in after.hypotheses:
            old = by_log_prob.get(hypothesis.log_prob)
            if old is None:  # others have become equal
                continue
            assert old.alignment is not None
            assert hypothesis.alignment is not None
            looks = old.alignment.weights[:-1, :-1].argmax(1).tolist()
            expected = [
                source[place] if "<unk>" in word else word
                for word, place in zip(old.alignment.target, looks, strict=True)
            ]
            assert hypothesis.text.split() == list(hypothesis.alignment.target) == expected
            changed += expected != old.text.split()
    assert changed > 1


@pytest.mark.parametrize("tokenizer", ["word", "char"])
def test_every_hypothesis_begins_with_the_prefix_as_it_was_written(tokenizer: str) -> None:
    """`zebra` is no word of the vocabulary; it has a row in the alignment all the same."""
    translator = make_translator(tokenizer=tokenizer, search=SEARCH.model_copy(update={"max_length": 3}))
    lines, prefixes = ["die Katze", "", "das Haus"], ["the  zebra", "the", ""]
    free = list(translator.translate(lines, nbest=3))
    found = list(translator.translate(lines, nbest=3, prefixes=prefixes, window_lines=2, replace_unknown=True))
    for hypothesis in found[0].hypotheses:
        assert hypothesis.text.startswith("the zebra")
        assert hypothesis.alignment is not None
        assert hypothesis.alignment.target == tuple(hypothesis.text.split())
        assert len(hypothesis.alignment.weights) == len(hypothesis.alignment.target) + 1
    assert found[1].text == ""
    assert found[2].log_prob == pytest.approx(free[2].log_prob, abs=1e-5)


def test_a_prefix_that_search_writes_itself_changes_nothing() -> None:
    translator = make_translator()
    lines = [line for line in LINES if line.strip()]
    free = list(translator.translate(lines, beam=1))
    prefixes = [" ".join(one.text.split()[:2]) for one in free]
    assert texts(list(translator.translate(lines, beam=1, prefixes=prefixes))) == texts(free)


def test_alignments_need_not_be_asked_for_to_replace_unknown_words() -> None:
    translator = make_translator()
    with torch.no_grad():
        translator.model.output.bias[UNK] += 50.0
    [translation] = translator.translate(["Xaver"], replace_unknown=True, with_alignments=False)
    assert set(translation.text.split()) == {"Xaver"}
    assert translation.alignment is None


def test_alignments_are_left_out_on_demand() -> None:
    [translation, empty] = make_translator().translate(["das Haus", ""], with_alignments=False)
    assert [translation.alignment, empty.alignment] == [None, None]


def test_only_a_window_of_lines_is_read_ahead() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "das Haus"

    translations = make_translator().stream(endless(), window_lines=3)
    assert [next(translations).source for _ in range(4)] == ["das Haus"] * 4
    assert taken == 6


def test_sentences_of_similar_length_share_batches_and_long_ones_come_in_smaller_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes: list[tuple[int, ...]] = []
    encode = Seq2Seq.encode

    def spy(self: Seq2Seq, src_ids: Tensor, src_lengths: Tensor) -> object:
        shapes.append(tuple(src_ids.shape))
        return encode(self, src_ids, src_lengths)

    monkeypatch.setattr(Seq2Seq, "encode", spy)
    lines = ["Haus " * words for words in (2, 150, 1, 99, 3, 2, 101)]
    list(make_translator(search=SearchConfig(beam=1, max_length=2)).translate(lines, batch_size=2))
    assert shapes == [(2, 3), (2, 4), (1, 100), (1, 102), (1, 151)]  # 2 x 101 is more than 2 x 100; `</s>` included


def test_the_greatest_length_depends_on_the_source() -> None:
    sources = torch.tensor([1, 5, 20])
    factor = SearchConfig(max_length_factor=1.5)
    assert greatest_lengths(sources, factor).tolist() == [11, 17, 40]  # 1.5 x + 10
    assert greatest_lengths(sources, factor.model_copy(update={"max_length": 15})).tolist() == [11, 15, 15]


def test_the_least_length_depends_on_the_source_and_gives_way_to_the_greatest() -> None:
    config = SearchConfig(min_length=3, min_length_factor=0.5, max_length_factor=0.5, max_length=12)
    limits = Request(search=config).limits(torch.tensor([1, 9, 50]), [Demand(line, []) for line in (1, 2, 3)])
    assert limits.longest.tolist() == [10, 12, 12]  # 0.5 x + 10
    assert limits.shortest.tolist() == [3, 4, 12]  # 25, but for the greatest


def test_search_keys_change_what_is_written(tmp_path: Path) -> None:
    save(tmp_path, make_codecs("word"))
    overrides = ["search.min_length=4", "search.max_length=6", "search.no_repeat_ngram=1", "search.forbid_unknown=true"]
    for translation in Translator.load(tmp_path, overrides=overrides).translate(["die Katze", "Haus"], nbest=3):
        for hypothesis in translation.hypotheses:
            assert 4 <= len(hypothesis.pieces) <= 6
            assert len(set(hypothesis.pieces)) == len(hypothesis.pieces)
            assert "<unk>" not in hypothesis.pieces


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.tie=all", r"--set: expected a key of search, such as search\.min_length=3, got 'model\.tie=all'"),
        ("search.beem=2", r"search\.beem: .*did you mean 'beam'"),
        ("search.repetition_penalty=0.5", r"search\.repetition_penalty: .* got 0\.5"),
    ],
)
def test_wrong_keys_of_search_are_refused(tmp_path: Path, override: str, message: str) -> None:
    save(tmp_path, make_codecs("word"))
    with pytest.raises(ConfigError, match=message):
        Translator.load(tmp_path, overrides=[override])


def test_coverage_ranks_by_the_alignment(tmp_path: Path) -> None:
    """Word tokens: the weights are the attention's own."""
    search = SearchConfig(beam=4, coverage_penalty=0.7, length_penalty="none", max_length=5)
    for translation in make_translator(search=search).translate(["die Katze sieht", "das Haus"], nbest=4):
        for hypothesis in translation.hypotheses:
            assert hypothesis.alignment is not None
            sums = hypothesis.alignment.weights[:, :-1].sum(0)
            expected = hypothesis.log_prob + 0.7 * float(sums.clamp(max=1).log().sum())
            assert hypothesis.rank == pytest.approx(expected, abs=1e-4)


def test_alignments_of_a_model_without_attention_are_refused() -> None:
    codecs = make_codecs("word")
    translator = Translator(make_model({"attention": {"score": "none"}}, codecs), codecs, SEARCH, "runs/x/best")
    assert len(list(translator.translate(LINES))) == len(LINES)
    with pytest.raises(ConfigError, match=r"alignments: expected a model with attention, got runs/x/best"):
        translator.translate(LINES, with_alignments=True)


@pytest.mark.parametrize(
    ("beam", "nbest", "message"),
    [
        (3, 4, r"nbest: expected 1 to the beam's width, 3, got 4"),
        (3, 0, r"nbest: expected at least 1, got 0"),
        (0, 1, r"beam: expected at least 1, got 0"),
    ],
)
def test_impossible_numbers_are_refused_before_the_first_line(beam: int, nbest: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_translator().translate([], beam=beam, nbest=nbest)


def test_one_string_is_no_list_of_lines() -> None:
    """Its letters would be translated, each as a line."""
    with pytest.raises(ConfigError, match=r"lines: expected several, as in \['das Haus'\], got one string"):
        make_translator().translate("das Haus")
    with pytest.raises(ConfigError, match=r"prefixes: expected several, as in \['the'\], got one string"):
        make_translator().translate(["das Haus"], prefixes="the")


@pytest.mark.parametrize(
    ("companions", "message"),
    [
        ({"prefixes": ["the", "the"]}, r"prefixes: expected one for each line, got none for line 3"),
        ({"prefixes": ["the"] * 4}, r"prefixes: expected one for each line, got more than 3"),
        ({"constraints": [[], []]}, r"constraints: expected one for each line, got none for line 3"),
        ({"constraints": [["the"]] * 4}, r"constraints: expected one for each line, got more than 3"),
    ],
)
def test_companions_are_as_many_as_lines(companions: dict[str, list[str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(make_translator().stream(["das Haus"] * 3, window_lines=2, **companions))  # type: ignore[arg-type]
    name, given = next(iter(companions.items()))
    with pytest.raises(DataError, match=f"{name}: expected 3 of them, one for each line, got {len(given)}"):
        make_translator().translate(["das Haus"] * 3, **companions)  # type: ignore[arg-type]


def test_a_model_that_gives_no_numbers_is_refused() -> None:
    translator = make_translator()
    nn.init.constant_(translator.model.output.weight, torch.nan)
    with pytest.raises(CheckpointError, match="the model: expected probabilities, got none for 'das Haus'"):
        list(translator.translate(["das Haus"]))


@pytest.mark.parametrize("sample", [False, True])
def test_lengths_without_words_enough_are_refused(sample: bool) -> None:
    """No word may come twice, and there are not fifty."""
    search = SearchConfig(beam=1, min_length=50, max_length=60, max_length_factor=60.0, no_repeat_ngram=1)
    message = (
        r"search\.no_repeat_ngram: expected a translation of 'das Haus' as long as search\.min_length .* no 1 tokens"
    )
    with pytest.raises(ConfigError, match=message):
        list(make_translator(search=search).translate(["das Haus"], sample=sample))


@pytest.mark.parametrize("inside", ["", "best"])
def test_a_run_and_a_model_folder_are_loaded_alike(tmp_path: Path, inside: str) -> None:
    saved = save(tmp_path / inside, make_codecs("word"))
    loaded = Translator.load(str(tmp_path))
    assert loaded.name == str(tmp_path / inside)
    assert texts(list(loaded.translate(LINES))) == texts(list(saved.translate(LINES)))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere: expected a run or a model folder .*, got nothing there"):
        Translator.load(tmp_path / "nowhere", torch.device("cpu"))
    with pytest.raises(CheckpointError, match=r"got a folder without a model"):
        Translator.load(tmp_path, torch.device("cpu"))
    save(tmp_path / "demo" / "best", make_codecs("word"))
    with pytest.raises(CheckpointError, match=r"got a folder without a model \(did you mean .*demo\?\)"):
        Translator.load(tmp_path, torch.device("cpu"))


def test_an_early_stop_is_asked_for_by_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """By log p / |Y| a longer translation may still win, for which only the exact search goes on."""
    step, steps = ModelSteps.step, []
    monkeypatch.setattr(ModelSteps, "step", lambda *given: steps.append(1) or step(*given))
    counts = {}
    for stop in ("exact", "near", "early"):
        steps.clear()
        search = SearchConfig.model_validate({"beam": 3, "stop": stop, "max_length": 40})
        assert list(make_translator(search=search).translate(LINES, batch_size=1))
        counts[stop] = len(steps)
    assert counts["early"] <= counts["near"] <= counts["exact"]
    assert counts["early"] < counts["exact"]
