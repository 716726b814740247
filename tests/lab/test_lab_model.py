"""The lab's Python interface: traces, changed looks, forced words, beam trees; and the models that ship."""

import itertools
from pathlib import Path

import pytest
import torch
from tiny_runs import make_run
from tiny_translators import MODELS, make_translator

from nmt_attn.config.schema import Config
from nmt_attn.errors import DataError
from nmt_attn.lab.examples import SHIPPED, shipped_examples, shipped_models
from nmt_attn.lab.lab_model import LabModel, even, only
from nmt_attn.search.translator import Translator

TEXT = "die Katze sieht das Haus nicht"


def make(model: str = "bahdanau") -> LabModel:
    """A model with random weights."""
    config = Config.model_validate({"model": MODELS[model]})
    return LabModel(model, make_translator(model), config)


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> LabModel:
    """Each of the models that ship with the package."""
    with shipped_models() as folders:
        [folder] = [folder for folder in folders if folder.name == request.param]
        return LabModel.load(folder)


def test_the_shipped_models_know_the_sentence_of_the_lecture(shipped: LabModel) -> None:
    trace = shipped.trace("Turn off the lights")
    assert trace.text == "लाइट बंद करो"
    assert trace.steps[0].look is not None
    assert trace.source[int(trace.steps[0].look.weights.argmax())] == "lights"


def test_the_shipped_models_are_small() -> None:
    with shipped_models() as folders:
        assert sum(path.stat().st_size for path in folders[0].parent.rglob("*") if path.is_file()) <= 3_000_000


def test_the_shipped_models_translate_the_examples(shipped: LabModel) -> None:
    right = [shipped.trace(example.source).text == example.target for example in shipped_examples()]
    # The small local window gets genders wrong: a word's noun may lie outside of it.
    assert sum(right) >= (1 if shipped.name == "luong-local" else len(right) - 1)


def test_hard_attention_sums_over_the_words_of_its_positions() -> None:
    model = make("monotonic")
    free = model.trace(TEXT)
    size = len(free.source)
    assert all(step.look is not None and step.look.context is None and step.readout is None for step in free.steps)
    changed = model.trace(TEXT, given={0: only(2, size)}).steps
    assert changed[0].look is not None
    assert changed[0].look.weights[0].tolist() == only(2, size)
    assert changed[1].look is not None
    assert float(changed[1].look.own_weights[0, :2].sum()) < 1e-6  # monotonic: there is no way back


def test_coverage_counts_a_look_that_is_given() -> None:
    trace = make("covered").trace(TEXT, given={0: only(1, 7)})
    look, after = trace.steps[0].look, trace.steps[0].coverage
    assert look is not None and look.coverage is not None and after is not None
    assert float(look.coverage.abs().sum()) == 0
    assert [place for place, number in enumerate(after[:, 0].tolist()) if number > 0] == [1]
    assert float(after[1]) > 0.5  # at most two words come of one: 1 / fertility


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_trace_is_what_the_translator_finds(model: str, beam: int) -> None:
    lab = make(model)
    [translation] = lab.translator.translate([TEXT], beam=beam)
    trace = lab.trace(TEXT, beam=beam)
    best = translation.hypotheses[0]
    assert (trace.text, trace.target, trace.is_finished) == (best.text, best.pieces, best.is_finished)
    assert trace.log_prob == pytest.approx(best.log_prob, abs=1e-4)
    assert [step.log_prob for step in trace.steps] == pytest.approx(best.token_log_probs, abs=1e-4)
    assert best.alignment is not None
    if model == "monotonic":  # a step's weights are prior_t; the translation's are the most likely alignment
        torch.testing.assert_close(trace.weights.sum(1), torch.ones(len(trace.steps)))
    else:
        torch.testing.assert_close(trace.weights, best.alignment.weights, atol=1e-4, rtol=0)


def test_a_step_shows_the_likeliest_words() -> None:
    step = make().trace(TEXT).steps[0]
    assert step.top[0][0] == step.word  # greedy
    chances = [p for _, p in step.top]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) <= 1 + 1e-6


def test_the_models_own_weights_given_back_change_nothing() -> None:
    lab = make()
    trace = lab.trace(TEXT)
    again = lab.trace(TEXT, given={t: row.tolist() for t, row in enumerate(trace.weights)})
    assert again.text == trace.text
    assert all(step.is_given for step in again.steps)
    assert again.log_prob == pytest.approx(trace.log_prob, abs=1e-4)


def test_a_look_that_is_given_is_the_one_that_is_used() -> None:
    lab = make("luong")
    size = len(lab.tokens(TEXT))
    trace = lab.trace(TEXT, given={0: only(2, size), 1: even(size)})
    assert trace.weights[0].tolist() == only(2, size)
    torch.testing.assert_close(trace.weights[1], torch.full((size,), 1 / size))
    look = trace.steps[0].look
    assert look is not None
    torch.testing.assert_close(look.context[0], trace.encoder_states[2])
    assert not torch.equal(look.own_weights, look.weights)


def test_a_prefix_is_kept_and_may_end_the_translation() -> None:
    lab = make()
    assert lab.trace(TEXT, prefix=["house", "the"]).target[:2] == ("house", "the")
    assert lab.trace(TEXT, prefix=["house", "</s>"]).target == ("house",)
    assert lab.trace(TEXT, prefix=["<unk>"]).target[0] == "<unk>"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (" ", {}, "text: expected words, got none"),
        (TEXT, {"prefix": ["xyz"]}, "got 'xyz'"),
        (TEXT, {"prefix": ["<s>"]}, "got '<s>'"),
        (TEXT, {"given": {2: [1.0]}}, "weights of step 2: expected 7 numbers, .* got 1"),
        (TEXT, {"given": {0: [0.0] * 7}}, "not all 0"),
        (TEXT, {"given": {0: [-1.0] + [1.0] * 6}}, "from 0 on"),
        (TEXT, {"given": {0: [float("nan")] * 7}}, "from 0 on"),
    ],
)
def test_what_cannot_be_is_refused(text: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make().trace(text, **options)  # type: ignore[arg-type]


def test_a_model_without_attention_is_traced_too(tmp_path: Path) -> None:
    lab = LabModel.load(make_run(tmp_path, score="none"))
    trace = lab.trace("un gato negro")
    assert all(step.look is None for step in trace.steps)
    assert trace.weights.eq(0).all()
    with pytest.raises(DataError, match="expected a model with attention"):
        lab.trace("un gato", given={0: [1.0, 1.0, 1.0]})


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("beam", [1, 2, 4])
def test_a_tree_is_the_search(model: str, beam: int) -> None:
    lab = make(model)
    tree = lab.tree(TEXT, beam=beam)
    [translation] = lab.translator.translate([TEXT], beam=beam)
    best = [word for node, word in zip(tree.nodes, tree.words, strict=True) if node.is_best]
    assert tree.text == translation.text
    assert best[: len(translation.hypotheses[0].pieces)] == list(translation.hypotheses[0].pieces)
    for step, group in itertools.groupby(tree.nodes, key=lambda node: node.step):
        nodes = list(group)
        kept = [node for node in nodes if node.fate == "kept"]
        assert len(kept) <= beam
        assert [node.place for node in nodes] == list(range(1, len(nodes) + 1))
        assert [node.total for node in nodes] == sorted((node.total for node in nodes), reverse=True)
        for node in nodes:
            before = 0.0 if step == 0 else tree.nodes[node.parent].total
            assert node.total == pytest.approx(before + node.log_prob, abs=1e-5)
            assert step == 0 or tree.nodes[node.parent].fate == "kept"
            assert sum(node.weights) <= 1 + 1e-5


def test_a_tree_can_be_searched_under_changed_looks() -> None:
    lab = make()
    size = len(lab.tokens(TEXT))
    given = {0: only(1, size)}
    tree = lab.tree(TEXT, beam=3, given=given)
    assert tree.nodes[0].weights == tuple(only(1, size))
    assert tree.text == lab.trace(TEXT, beam=3, given=given).text


def test_a_loaded_model_has_the_name_of_its_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert LabModel.load(run).name == "mine"
    assert isinstance(LabModel.load(run, "other").translator, Translator)
