"""Shortlists of tiny models: search over few words is search over all of them with the others left out."""

from pathlib import Path

import pytest
import torch
from tiny_translators import LINES, MODELS, SEARCH, make_codecs, make_model, make_translator, texts

from nmt_attn.config.schema import SearchConfig
from nmt_attn.errors import CheckpointError, ConfigError
from nmt_attn.model.store import SHORTLIST
from nmt_attn.runtime import cpu_has_int8
from nmt_attn.search.ensemble import Combination, EnsembleTranslator
from nmt_attn.search.shortlist import AlignmentCounts, Shortlist, merge, read_shortlist
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS, PAD

needs_int8 = pytest.mark.skipif(not cpu_has_int8(), reason="a CPU without fast products of 8 bits")
FORMATS = [
    *((model, "fp32") for model in sorted(set(MODELS) - {"monotonic"})),
    ("luong", "bf16"),
    pytest.param("luong", "int8", marks=needs_int8),
]
FIRST_WORD = 4


def everything(translator: Translator) -> Shortlist:
    """All words for every line."""
    size = translator.codecs.target.size
    nothing = torch.empty(translator.codecs.source.size, 0, dtype=torch.int64)
    return Shortlist(torch.arange(FIRST_WORD, size), nothing, size)


def few(translator: Translator, columns: int = 2) -> Shortlist:
    """One word for every line, and others by the words of the source."""
    source, target = translator.codecs.source.size, translator.codecs.target.size
    words = torch.arange(source * columns).view(source, columns) * 5 % (target - FIRST_WORD) + FIRST_WORD
    return Shortlist(torch.tensor([target - 1]), words, target)


@pytest.mark.parametrize(("model", "precision"), FORMATS)
def test_with_all_words_nothing_changes(model: str, precision: str) -> None:
    translator = make_translator(model, search=SEARCH.model_copy(update={"precision": precision}))
    plain = translator.translate(LINES, nbest=3)
    short = translator.translate(LINES, nbest=3, shortlist=everything(translator))
    for expected, found in zip(plain, short, strict=True):
        for ours, theirs in zip(found.hypotheses, expected.hypotheses, strict=True):
            assert ours.text == theirs.text
            assert ours.token_log_probs == pytest.approx(theirs.token_log_probs, abs=1e-5)


@pytest.mark.parametrize(("model", "precision"), FORMATS)
def test_a_file_is_translated_as_its_lines_are_whatever_the_batch(model: str, precision: str) -> None:
    translator = make_translator(model, search=SEARCH.model_copy(update={"precision": precision}))
    shortlist = few(translator)
    one_by_one = [next(translator.stream([line], nbest=2, shortlist=shortlist)) for line in LINES]
    assert texts(one_by_one) != texts(list(translator.translate(LINES)))
    for batch_sentences in (2, 64):
        together = translator.translate(LINES, nbest=2, shortlist=shortlist, batch_size=batch_sentences)
        for alone, other in zip(one_by_one, together, strict=True):
            for ours, theirs in zip(other.hypotheses, alone.hypotheses, strict=True):
                assert ours.pieces == theirs.pieces
                assert ours.log_prob == pytest.approx(theirs.log_prob, abs=1e-4)


@pytest.mark.parametrize(
    "search",
    [
        {"beam": 1},
        {"beam": 4, "groups": 2},
        {"forbid_unknown": True, "no_repeat_ngram": 2},
        {"repetition_penalty": 1.5, "coverage_penalty": 0.2, "min_length": 3},
    ],
)
def test_a_word_outside_is_never_written(search: dict[str, object]) -> None:
    translator = make_translator(search=SearchConfig.model_validate({"max_length_factor": 1.5, **search}))
    shortlist = few(translator)
    source, target = translator.codecs
    tokens = target.vocabulary.tokens
    for translation in translator.translate(LINES, shortlist=shortlist):
        rows = shortlist.candidates[[*source.encode(translation.source), EOS]].flatten().tolist()
        allowed = {tokens[i] for i in [1, *rows, *shortlist.frequent.tolist()]}
        assert set(translation.hypotheses[0].pieces) <= allowed
        assert len(allowed) < len(tokens)


def test_log_p_is_that_of_the_words_a_line_may_have() -> None:
    """One step by hand: the model's p of the first token, divided by the sum of p of all allowed tokens."""
    translator = make_translator()
    shortlist = few(translator)
    ids = torch.tensor([[*translator.codecs.source.encode("die Katze"), EOS]])
    with torch.inference_mode():
        lengths = torch.tensor([ids.size(1)])
        words = shortlist.choose(ids, [[]])
        every, short = (translator.searcher.steps(ids, lengths, each) for each in (None, words))
        first = torch.tensor([2])
        p = every.step(first, every.start()).log_probs.exp()[0, words.ids]
        found = short.step(first, short.start()).log_probs[0]
    torch.testing.assert_close(found.exp(), p / p.sum())


def test_samples_prefixes_and_phrases_are_kept() -> None:
    translator = make_translator()
    shortlist = few(translator)
    lines = ["das Haus", "die Katze sieht"]
    options = {"prefixes": ["the dog", ""], "constraints": [["house"], ["see the"]], "shortlist": shortlist}
    for translation, needed in zip(translator.translate(lines, **options), ["house", "see the"], strict=True):
        assert f" {needed} " in f" {translation.text} "
    [first, _] = translator.translate(lines, **options)
    assert first.text.startswith("the dog")
    drawn = [
        list(translator.translate(lines, nbest=4, sample=True, shortlist=each))
        for each in (None, everything(translator), shortlist)
    ]
    written = [[each.text for translation in one for each in translation.hypotheses] for one in drawn]
    assert written[0] == written[1] != written[2]


@pytest.mark.parametrize("kind", ["linear", "log-linear"])
def test_an_ensemble_of_a_model_with_itself_is_that_model(kind: Combination) -> None:
    codecs = make_codecs("word")
    alone = Translator(make_model(MODELS["luong"], codecs), codecs, SEARCH)
    shortlist = few(alone)
    both = EnsembleTranslator([alone, alone], kind)
    found = texts(list(both.translate(LINES, shortlist=merge([shortlist, shortlist]))))
    assert found == texts(list(alone.translate(LINES, shortlist=shortlist)))


def test_counts_by_hand() -> None:
    """Source 4 is linked twice with 7, once with 6 and 5; `</s>` of the source once with 6. Words 5 1, 6 2, 7 2."""
    counts = AlignmentCounts(source_size=6, target_size=9)
    #        looks at   4    5   </s>
    counts.add([4, 5], [7, 6], torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.9, 0.1, 0.0]]))
    counts.add([4], [7, 6, 5, 1], torch.tensor([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]))
    found = counts.shortlist(frequent=2, candidates=2)
    assert found.frequent.tolist() == [6, 7]
    expected = {EOS: [6, PAD], 4: [7, 5]}  # 5 and 6 come equally often: the lower id
    assert found.candidates.tolist() == [expected.get(source, [PAD, PAD]) for source in range(6)]
    assert counts.shortlist(0, 3).candidates[4].tolist() == [7, 5, 6]


def test_two_shortlists_are_merged() -> None:
    one = Shortlist(torch.tensor([4, 7]), torch.tensor([[8], [5], [PAD]]), 9)
    other = Shortlist(torch.tensor([4, 8]), torch.tensor([[8, 8], [6, 5], [7, PAD]]), 9)
    words = merge([one, other]).choose(torch.tensor([[1, PAD], [2, 2]]), [[], []])
    assert [words.ids[own].tolist() for own in words.is_own] == [[0, 1, 2, 3, 4, 7, 8, 5, 6], [0, 1, 2, 3, 4, 7, 8]]


def test_padding_adds_no_word_whatever_stands_in_its_row() -> None:
    one = Shortlist(torch.tensor([4]), torch.tensor([[8], [5], [6]]), 9)
    words = one.choose(torch.tensor([[1, PAD], [2, 2]]), [[], [7]])
    assert [words.ids[own].tolist() for own in words.is_own] == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 6, 7]]


def test_a_file_says_what_was_saved(tmp_path: Path) -> None:
    saved = Shortlist(torch.tensor([], dtype=torch.int64), torch.tensor([[PAD, PAD], [8, 5], [6, PAD]]), 9)
    saved.save(tmp_path / SHORTLIST)
    assert (tmp_path / SHORTLIST).read_text() == "shortlist 3 9\n\n\n8 5\n6\n"
    found = read_shortlist(tmp_path)
    assert found.frequent.tolist() == []
    assert found.candidates.tolist() == saved.candidates.tolist()
    assert found.target_size == 9


def test_frequent_words_may_stand_in_any_order_and_twice(tmp_path: Path) -> None:
    (tmp_path / SHORTLIST).write_text("shortlist 1 9\n7 5 7\n\n")
    assert read_shortlist(tmp_path).frequent.tolist() == [5, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"shortlist.txt: expected a shortlist, got no readable text"),
        ("\xff", r"shortlist.txt: expected a shortlist, got no readable text"),
        ("4 5\n", r"shortlist.txt:1: expected 'shortlist SOURCE_SIZE TARGET_SIZE', got '4 5'"),
        (
            f"shortlist 1 {'9' * 5000}\n4\n",
            r"shortlist.txt:1: expected 'shortlist SOURCE_SIZE TARGET_SIZE', got 'short",
        ),
        (f"shortlist 1 9\n{'9' * 5000}\n5\n", r"shortlist.txt:2: expected ids of words, 4 to 8, got '9{80}'$"),
        ("shortlist \xb2 9\n", r"shortlist.txt: expected a shortlist, got no readable text"),
        ("shortlist 2 9\n\n4\n", r"shortlist.txt: expected 4 lines, got 3"),
        ("shortlist 1 9\n4 3\n5\n", r"shortlist.txt:2: expected ids of words, 4 to 8, got '3'"),
        ("shortlist 1 9\n4\n5 9\n", r"shortlist.txt:3: expected ids of words, 4 to 8, got '9'"),
        ("shortlist 1 9\n4\n-5\n", r"shortlist.txt:3: expected ids of words, 4 to 8, got '-5'"),
    ],
)
def test_a_damaged_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / SHORTLIST).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match=message):
        read_shortlist(tmp_path)


def test_a_folder_without_one_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"expected shortlist.txt in it, got none \(make it: .* {tmp_path}\)"):
        read_shortlist(tmp_path)


def test_one_of_another_vocabulary_is_refused() -> None:
    translator = make_translator()
    sizes = [codec.size for codec in translator.codecs]
    other = Shortlist(torch.tensor([4]), torch.zeros(5, 1, dtype=torch.int64), 7)
    with pytest.raises(ConfigError, match=f"for vocabularies of {sizes[0]} and {sizes[1]} tokens, got one for 5 and 7"):
        translator.translate(LINES, shortlist=other)


def test_hard_attention_has_no_shortlist() -> None:
    translator = make_translator("monotonic")
    sizes = translator.codecs.source.size, translator.codecs.target.size
    shortlist = AlignmentCounts(*sizes).shortlist(1, 1)
    with pytest.raises(ConfigError, match=r"shortlist: expected none with hard attention, .* got one"):
        translator.translate(LINES, shortlist=shortlist)
