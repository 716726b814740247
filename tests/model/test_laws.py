"""Laws that every model keeps, over all scores, windows and decoder orders. Float64 throughout."""

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from reference_runs import parameter_gradients, run_model, run_steps
from tiny_models import Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor, nn

from nmt_attn.model.attention import Attention
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import Memory, select_rows
from nmt_attn.registries import COVERAGES, DECODERS, NORMALISERS, SCORES, WINDOWS
from nmt_attn.registry import exclusions_of
from nmt_attn.types import PAD, UNK, Batch, length_mask

SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [3, 4, 2]
SCORED = list(SCORES)
MATLAB = "local-p of nmt.matlab"
LOCAL_P = ("local-p", MATLAB)


def names() -> Iterator[tuple[str, str, str]]:
    for score, window, style in product(SCORED, [*WINDOWS, MATLAB], DECODERS):
        if window not in {excluded.value for excluded in exclusions_of(SCORES[score])}:
            yield score, window, style
    yield from (("none", "global", style) for style in DECODERS)
    yield from product(["additive", "general"], WINDOWS, (f"{style}+above" for style in DECODERS))
    yield from ((f"additive+{coverage}", *names) for coverage in COVERAGES for names in product(WINDOWS, DECODERS))


def window_keys(window: str) -> Overrides:
    """The keys of a window's name, or of `MATLAB`."""
    if window == MATLAB:
        return {"attention.window": "local-p", "attention.position": "nmt.matlab"}
    return {"attention.window": window}


def keys_of(score: str, window: str, style: str) -> Overrides:
    """The keys of one combination, and those that let as much as possible happen in it. `score+coverage` is both, and
    `style+above` is an order of two layers that both read the context."""
    score, _, coverage = score.partition("+")
    style, _, above = style.partition("+")
    keys: Overrides = {
        "attention.score": score,
        "attention.coverage": coverage or "none",
        "decoder.style": style,
        **window_keys(window),
    }
    keys["decoder.hidden"] = 6 if score != "none" and SCORES[score].needs_equal_sizes else 5
    if above:
        keys |= {"decoder.layers": 2, "decoder.deep_context": True}
    if style == "luong" and score != "none":
        keys["decoder.input_feeding"] = "attentional"
    return keys


EVERY = pytest.mark.parametrize(("score", "window", "style"), list(names()))


def close(ours: object, theirs: object, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def batch() -> Batch:
    return tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)


def with_garbage(clean: Batch) -> Batch:
    """The same sentences; <unk>, which is none of their words, wherever there was padding. tgt_out keeps its <pad>."""
    assert UNK not in clean.src_ids and UNK not in clean.tgt_in
    return clean._replace(
        src_ids=clean.src_ids.masked_fill(clean.src_ids == PAD, UNK),
        tgt_in=clean.tgt_in.masked_fill(clean.tgt_in == PAD, UNK),
    )


@EVERY
def test_padding_changes_nothing_and_gets_no_gradient(score: str, window: str, style: str) -> None:
    model, clean = tiny_model(accepted(keys_of(score, window, style))), batch()
    garbage = with_garbage(clean)
    ours, theirs = run_model(model, clean), run_model(model, garbage)
    close(theirs.loss, ours.loss)
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        close(theirs.weights[row, :t], ours.weights[row, :t])
        assert theirs.weights[row, :, s:].eq(0).all()
    gradients = parameter_gradients(model, theirs.loss)
    for embedding in (model.source_embedding, model.target_embedding):
        assert gradients[embedding.weight][UNK].eq(0).all()


@EVERY
def test_a_batch_is_its_sentences_one_by_one(score: str, window: str, style: str) -> None:
    model, whole = tiny_model(accepted(keys_of(score, window, style))), batch()
    together = run_model(model, whole)
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        one = Batch(
            whole.src_ids[row : row + 1, :s],
            whole.src_lengths[row : row + 1],
            whole.tgt_in[row : row + 1, :t],
            whole.tgt_out[row : row + 1, :t],
            whole.tgt_lengths[row : row + 1],
        )
        alone = run_model(model, one)
        close(alone.logits[0], together.logits[row, :t])
        close(alone.weights[0], together.weights[row, :t, :s])


@EVERY
def test_forward_is_the_looped_step(score: str, window: str, style: str) -> None:
    """With two layers of LSTM; the other cells: test_cells.py."""
    keys = {**keys_of(score, window, style), "decoder.cell": "lstm", "decoder.layers": 2}
    model, whole = tiny_model(accepted(keys)), batch()
    forward, steps = run_model(model, whole), run_steps(model, whole)
    log_probs = torch.stack([step.log_probs for step in steps], 1)
    looped = nn.functional.nll_loss(log_probs.flatten(0, 1), whole.tgt_out.flatten(), ignore_index=PAD, reduction="sum")
    close(torch.stack([step.weights for step in steps], 1), forward.weights)
    close(looped, forward.loss)
    ours, theirs = parameter_gradients(model, forward.loss), parameter_gradients(model, looped)
    close(list(ours.values()), list(theirs.values()))


@EVERY
def test_hypotheses_of_a_sentence_share_its_memory(score: str, window: str, style: str) -> None:
    model, whole = tiny_model(accepted(keys_of(score, window, style))), batch()
    memory = model.encode(whole.src_ids, whole.src_lengths)
    rows = torch.arange(3).repeat_interleave(2)  # K = 2 hypotheses for each of B = 3 sentences
    state, tiled = select_rows(model.start(memory), rows), select_rows(memory, rows)
    one_by_one = state
    for words in ([4, 5, 6, 7, 8, 9], [9, 4, 8, 5, 7, 6]):
        shared = model.step(torch.tensor(words), state, memory)
        alone = model.step(torch.tensor(words), one_by_one, tiled)
        close(shared, alone)
        state, one_by_one = shared.state, alone.state


def same_but(model: Seq2Seq, other: Seq2Seq) -> list[str]:
    """Copies all numbers that both have; gives back the names of those that only `model` has."""
    result = model.load_state_dict(other.state_dict(), strict=False)
    return result.missing_keys


def same_run(model: Seq2Seq, other: Seq2Seq) -> None:
    ours, theirs = run_model(model, batch()), run_model(other, batch())
    close(ours.weights, theirs.weights)
    close(ours.logits, theirs.logits)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("style", DECODERS)
@pytest.mark.parametrize(("general", "dot"), [("general", "dot"), ("scaled-general", "scaled-dot")])
def test_general_with_the_identity_is_dot(general: str, dot: str, window: str, style: str) -> None:
    keys = {"attention.window": window, "decoder.style": style, "decoder.hidden": 6}
    ours, theirs = (tiny_model(accepted({**keys, "attention.score": score})) for score in (general, dot))
    new = same_but(ours, theirs)
    assert "decoder.attention.score.key_projection.weight" in new
    with torch.no_grad():
        score = ours.decoder.attention.score
        score.key_projection.weight.copy_(torch.eye(6))
        if general == "scaled-general":
            score.gain.fill_(6**-0.5)
    same_run(ours, theirs)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("style", DECODERS)
def test_additive_with_both_matrices_side_by_side_is_concat(style: str, window: str, bias: bool) -> None:
    keys = {"attention.window": window, "decoder.style": style, "attention.hidden": 8, "attention.bias": bias}
    ours, theirs = (tiny_model(accepted({**keys, "attention.score": score})) for score in ("concat", "additive"))
    same_but(ours, theirs)
    concat, additive = ours.decoder.attention.score, theirs.decoder.attention.score
    with torch.no_grad():
        both = torch.cat([additive.query_projection.weight, additive.key_projection.weight], 1)
        concat.projection.weight.copy_(both)
        if bias:
            concat.projection.bias.copy_(additive.query_projection.bias)
    same_run(ours, theirs)


def test_normed_additive_with_the_gain_of_its_vector_is_additive() -> None:
    ours, theirs = (tiny_model(accepted({"attention.score": score})) for score in ("normed-additive", "additive"))
    same_but(ours, theirs)
    with torch.no_grad():
        score = ours.decoder.attention.score
        score.gain.copy_(score.vector.norm())
    same_run(ours, theirs)


@pytest.mark.parametrize("score", SCORED)
@pytest.mark.parametrize("style", DECODERS)
@pytest.mark.parametrize("window", ["local-m", *LOCAL_P])
def test_a_window_over_everything_is_global(score: str, style: str, window: str) -> None:
    keys = keys_of(score, "global", style)
    local: Overrides = {**keys, **window_keys(window), "attention.half_width": max(SOURCE_LENGTHS)}
    if window in LOCAL_P:
        local["attention.sigma"] = 1e9  # the Gaussian is 1 to 17 digits
    ours, theirs = tiny_model(accepted(local)), tiny_model(accepted(keys))
    assert all(name.startswith("decoder.attention.window") for name in same_but(ours, theirs))
    same_run(ours, theirs)


def tiny_attention(score: str, window: str, normalise: str) -> tuple[Attention, Tensor, Memory, Tensor]:
    """Attention with queries [2, 3, 6], a memory of lengths 4 and 2, and the three steps."""
    keys = {**keys_of(score, window, "luong"), "decoder.hidden": 6, "attention.normalise": normalise}
    model = tiny_model(accepted(keys))
    generator = torch.Generator().manual_seed(3)
    states, query = (torch.randn(2, size, 6, dtype=torch.float64, generator=generator) for size in (4, 3))
    lengths = torch.tensor([4, 2])
    memory = Memory(states, states, length_mask(lengths, 4), lengths, lengths, lengths, (states[:, 0],), ())
    return model.decoder.attention, query, memory, torch.arange(3).expand(2, 3)


@pytest.mark.parametrize("window", [*WINDOWS, MATLAB])
@pytest.mark.parametrize(
    ("score", "normalise"), [*product(SCORED, ["softmax"]), *product(["additive", "location"], NORMALISERS)]
)
def test_gradcheck(score: str, normalise: str, window: str) -> None:
    attention, query, memory, steps = tiny_attention(score, window, normalise)
    parameters = [parameter for parameter in attention.parameters() if parameter.requires_grad]

    def look(query: Tensor, states: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        seen = memory._replace(encoder_states=states, keys=attention.project_keys(states))
        context, weights = attention(query, seen, steps)
        return context, weights.dense()

    inputs = (query.requires_grad_(), memory.encoder_states.clone().requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(look, inputs)
