"""Hard attention against a reference that goes through every alignment, and the laws of all models, in float64."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch
from model_letters import to_letters
from reference.encoder import encode
from reference.hard_attention import Alignment, Summed, every_alignment
from reference_runs import TINY_STEP, numbers, parameter_gradients
from tiny_models import Overrides, accepted, overridden, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.config.messages import show
from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import ModelConfig, TrainingConfig
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.state import select_rows
from nmt_attn.registries import CELLS, SCORES, TRANSITIONS
from nmt_attn.registry import options_of
from nmt_attn.training.objective import Objective
from nmt_attn.types import BOS, PAD, UNK, Batch

SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [3, 4, 2]
JUMP = 2
NAMES = pytest.mark.parametrize("name", TRANSITIONS)


def keys_of(name: str, score: str = "general", **others: object) -> Overrides:
    """Luong's order with this alignment."""
    keys: Overrides = {
        "attention.alignment": name,
        "attention.score": score,
        "decoder.style": "luong",
        "decoder.hidden": 6 if SCORES[score].needs_equal_sizes else 5,
    }
    if "jump" in options_of(TRANSITIONS[name]):
        keys["attention.jump"] = JUMP
    return keys | {key.replace("__", "."): value for key, value in others.items()}


def combinations() -> Iterator[Overrides]:
    """Every alignment with every score, and every cell and readout with some."""
    for name, score in product(TRANSITIONS, SCORES):
        yield keys_of(name, score)
    for name, cell in product(TRANSITIONS, CELLS):
        yield keys_of(name, decoder__cell=cell, encoder__cell=cell, decoder__layers=2)
    for name, readout in product(TRANSITIONS, ("deep", "maxout")):
        yield keys_of(name, "dot", decoder__readout=readout, decoder__readout_hidden=4)
    for name in TRANSITIONS:
        yield keys_of(name, attention__attend_eos=False, decoder__attentional_activation="none")
        yield keys_of(name, attention__attend_eos=False, encoder__reads_eos=False, decoder__attentional_bias=True)
        yield keys_of(name, decoder__residual=True, decoder__layers=3, decoder__init="mean")


def label(keys: Overrides) -> str:
    return "-".join(str(value) for key, value in keys.items() if key != "decoder.style")


EVERY = pytest.mark.parametrize("keys", list(combinations()), ids=label)


def model_of(keys: Overrides) -> HardSeq2Seq:
    model = tiny_model(accepted(keys))
    assert isinstance(model, HardSeq2Seq)
    return model


def batch() -> Batch:
    return tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)


def loss_of(model: HardSeq2Seq, given: Batch) -> Tensor:
    log_probs, _ = model(given)
    return -log_probs.masked_fill(given.tgt_out == PAD, 0.0).sum()


def close(ours: object, theirs: object, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def reference(named: dict[str, np.ndarray], config: ModelConfig, given: Batch) -> list[Summed]:
    """Sentence by sentence."""
    letters = to_letters(named, config)
    root = "decoder.attention.transition"
    if f"{root}.query_projection.weight" in named:
        letters.decoder["transition"] = {
            "Q": named[f"{root}.query_projection.weight"],
            "b": named[f"{root}.query_projection.bias"],
            "H": named[f"{root}.state_projection.weight"],
        }
    runs = []
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        encoded = encode(
            letters.encoder,
            config.encoder.cell,
            given.src_ids[row, :s].tolist(),
            reverse_source=config.encoder.reverse_source,
            reads_eos=config.encoder.reads_eos,
            residual=config.encoder.residual,
        )
        alignment = Alignment(config.attention.alignment, config.attention.jump)
        targets = given.tgt_in[row, :t].tolist(), given.tgt_out[row, :t].tolist()
        runs.append(every_alignment(letters.decoder, letters.settings, alignment, encoded, *targets))
    return runs


@EVERY
def test_sum_and_best_of_all_alignments_equal_the_reference(keys: Overrides) -> None:
    model, given = model_of(keys), batch()
    log_probs, weights = model(given)
    scored, links = model.score_target(given)
    close(scored, log_probs)
    for row, theirs in enumerate(reference(numbers(model), accepted(keys).model, given)):
        s, t = SOURCE_LENGTHS[row], TARGET_LENGTHS[row]
        close(log_probs[row, :t].detach(), torch.from_numpy(theirs.log_probs.real))
        close(weights.dense()[row, :t, :s].detach(), torch.from_numpy(theirs.weights.real))
        assert weights.dense()[row, :, s:].eq(0).all()
        assert links.dense()[row, :t].argmax(1).tolist() == list(theirs.best)
        assert links.dense()[row, :t].sum(1).eq(1).all()


@EVERY
def test_gradient_along_a_random_direction_equals_the_reference(keys: Overrides) -> None:
    model, given = model_of(keys), batch()
    gradients = parameter_gradients(model, loss_of(model, given))
    generator = torch.Generator().manual_seed(5)
    directions = {p: torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in gradients}
    named = {
        name: p.detach().numpy() + 1j * TINY_STEP * directions[p].numpy()
        for name, p in model.named_parameters(remove_duplicate=False)
    }
    slope = -sum(run.log_probs.sum().imag for run in reference(named, accepted(keys).model, given)) / TINY_STEP
    close(sum(float((gradients[p] * directions[p]).sum()) for p in gradients), float(slope), 1e-9)


@EVERY
def test_forward_is_the_looped_step(keys: Overrides) -> None:
    model, given = model_of(keys), batch()
    memory = model.encode(given.src_ids, given.src_lengths)
    state, log_probs, weights = model.start(memory), [], []
    for last_ids, words in zip(given.tgt_in.unbind(1), given.tgt_out.unbind(1), strict=True):
        step = model.step(last_ids, state, memory)
        close(step.log_probs.logsumexp(1), torch.zeros(3, dtype=torch.float64))
        log_probs.append(step.log_probs.gather(1, words.unsqueeze(1)))
        weights.append(step.weights)
        state = step.state
    ours, ours_weights = model(given)
    is_real = given.tgt_out != PAD
    close(torch.cat(log_probs, 1)[is_real], ours[is_real])
    close(torch.stack(weights, 1)[is_real], ours_weights.dense()[is_real])


@EVERY
def test_padding_changes_nothing_and_gets_no_gradient(keys: Overrides) -> None:
    model, clean = model_of(keys), batch()
    garbage = clean._replace(
        src_ids=clean.src_ids.masked_fill(clean.src_ids == PAD, UNK),
        tgt_in=clean.tgt_in.masked_fill(clean.tgt_in == PAD, UNK),
    )
    loss = loss_of(model, garbage)
    close(loss, loss_of(model, clean))
    gradients = parameter_gradients(model, loss)
    for embedding in (model.source_embedding, model.target_embedding):
        assert gradients[embedding.weight][UNK].eq(0).all()


@EVERY
def test_a_batch_is_its_sentences_one_by_one(keys: Overrides) -> None:
    model, whole = model_of(keys), batch()
    together, links = model.score_target(whole)
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        sides = (whole.src_ids[row : row + 1, :s], whole.src_lengths[row : row + 1])
        targets = (whole.tgt_in[row : row + 1, :t], whole.tgt_out[row : row + 1, :t], whole.tgt_lengths[row : row + 1])
        alone, alone_links = model.score_target(Batch(*sides, *targets))
        close(alone[0], together[row, :t])
        close(alone_links.dense()[0], links.dense()[row, :t, :s])


@EVERY
def test_hypotheses_of_a_sentence_share_its_memory(keys: Overrides) -> None:
    model, whole = model_of(keys), batch()
    memory = model.encode(whole.src_ids, whole.src_lengths)
    rows = torch.arange(3).repeat_interleave(2)
    state, tiled = select_rows(model.start(memory), rows), select_rows(memory, rows)
    one_by_one = state
    for words in ([BOS] * 6, [4, 5, 6, 7, 8, 9], [9, 4, 8, 5, 7, 6]):
        shared = model.step(torch.tensor(words), state, memory)
        alone = model.step(torch.tensor(words), one_by_one, tiled)
        close(shared, alone)
        state, one_by_one = shared.state, alone.state


@NAMES
def test_alignments_keep_to_what_the_transition_allows(name: str) -> None:
    model = model_of(keys_of(name))
    given = tiny_batch([8, 8, 8, 8], [7, 7, 7, 7])
    paths = model.score_target(given)[1].dense().argmax(2)
    jumps = torch.diff(torch.cat([torch.zeros(4, 1, dtype=torch.int64), paths], 1))
    if TRANSITIONS[name].is_monotonic:
        assert jumps.ge(0).all()
    if "jump" in options_of(TRANSITIONS[name]):
        assert jumps.abs().le(JUMP).all()
    assert len(set(jumps.flatten().tolist())) > 1


def test_where_no_word_depends_on_the_position_hard_is_soft() -> None:
    """With W_c = [0 W'] the sum over alignments of p(y_t) is p(y_t) itself."""
    hard, soft = (
        model_of(keys_of("hard")),
        tiny_model(accepted({"attention.score": "general", "decoder.style": "luong"})),
    )
    soft.load_state_dict(hard.state_dict())
    with torch.no_grad():
        for model in (hard, soft):
            model.decoder.attentional_state.projection.weight[:, :6] = 0
    ours, our_weights = hard(batch())
    theirs, their_weights = soft.score_target(batch())
    mask = batch().tgt_out != PAD
    close(ours[mask], theirs[mask])
    close(our_weights.dense(), their_weights.dense())


@NAMES
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decoder.style", "bahdanau"),
        ("decoder.style", "conditional"),
        ("decoder.input_feeding", "attentional"),
        ("decoder.input_feeding", "context"),
        ("decoder.deep_context", True),
        ("decoder.attentional_state", False),
        ("decoder.context_gate", "both"),
        ("attention.window", "local-m"),
        ("attention.window", "local-p"),
        ("attention.normalise", "sparsemax"),
        ("attention.coverage", "sum"),
        ("decoder.normalise", "entmax-1.5"),
    ],
)
def test_refused_where_states_or_positions_would_not_do(name: str, key: str, value: str | bool) -> None:
    found = contradictions(overridden(keys_of(name) | {key: value}))
    got = f"got {show(value)}"
    assert any(f"model.{key}: expected " in line and got in line and name in line for line in found), found


@NAMES
def test_without_a_score_there_is_no_alignment(name: str) -> None:
    keys = {"attention.alignment": name, "attention.score": "none", "decoder.style": "luong"}
    found = contradictions(overridden(keys))
    assert any("model.attention.alignment: expected 'soft'" in line and f"got '{name}'" in line for line in found), (
        found
    )


@NAMES
def test_label_smoothing_takes_the_mean_over_all_words_of_each_step(name: str) -> None:
    model, given = model_of(keys_of(name)), batch()
    memory, means = model.encode(given.src_ids, given.src_lengths), []
    state = model.start(memory)
    for last_ids in given.tgt_in.unbind(1):
        step = model.step(last_ids, state, memory)
        means.append(step.log_probs.mean(1))
        state = step.state
    objective = Objective(model, TrainingConfig(label_smoothing=0.3), torch.float32)
    is_real = given.tgt_out != PAD
    loss = objective.training(given, 0)
    expected = 0.7 * loss_of(model, given) - 0.3 * torch.stack(means, 1)[is_real].sum()
    close(loss.total, expected)
    close(loss.negative_log_likelihood, loss_of(model, given).detach())
    close(objective.plain(given).total, loss.total)
    without = Objective(model, TrainingConfig(label_smoothing=0.0), torch.float32)
    close(without.training(given, 0).total, loss_of(model, given))
