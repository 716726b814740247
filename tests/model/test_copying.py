"""Copying against a reference that goes by spellings, and the laws of all models, in float64."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
import torch
from model_letters import to_letters
from reference.copying import generation, mixture
from reference.decoder import decode
from reference.encoder import encode
from reference_runs import TINY_STEP, numbers, parameter_gradients
from tiny_models import TARGET_WORDS, Overrides, accepted, tiny_batch, tiny_model
from torch import Tensor

from nmt_attn.config.schema import ModelConfig, TrainingConfig
from nmt_attn.data.copying import source_rows, target_rows
from nmt_attn.data.vocabulary import Vocabulary
from nmt_attn.model.copying import CopyingSeq2Seq
from nmt_attn.model.seq2seq import OwnWords
from nmt_attn.model.state import select_rows
from nmt_attn.registries import CELLS, COPYINGS, COVERAGES, DECODERS, READOUTS, SCORES
from nmt_attn.training.objective import Objective
from nmt_attn.types import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Batch

TARGET = Vocabulary([*SPECIAL_TOKENS, *"abcdefg"])
SOURCES = [["a", "?", "a", "!"], ["?"], ["g", "!", "!"]]  # ? and ! are words that the target does not know
TARGETS = [["a", "!"], ["f", "?", "%"], ["!"]]  # % is known to nobody
SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [3, 4, 2]
assert len(TARGET) == TARGET_WORDS


def combinations() -> Iterator[Overrides]:
    """Every copying with every order, score, cell, readout and coverage."""
    for name, style in product(COPYINGS, DECODERS):
        keys: Overrides = {"decoder.copying": name, "decoder.style": style}
        for score in SCORES:
            yield keys | {"attention.score": score, "decoder.hidden": 6 if SCORES[score].needs_equal_sizes else 5}
        for cell in CELLS:
            yield keys | {"decoder.cell": cell, "encoder.cell": cell, "decoder.layers": 2}
        for readout in READOUTS if style != "luong" else sorted(set(READOUTS) - {"state"}):
            yield keys | {"decoder.readout": readout, "decoder.layers": 3, "decoder.residual": True}
        for coverage in COVERAGES:
            yield keys | {"attention.coverage": coverage}
        yield keys | {"attention.attend_eos": False}
        yield keys | {"attention.attend_eos": False, "encoder.reads_eos": False, "encoder.reverse_source": True}
        yield keys | {"tie": "target-output", "decoder.hidden": 7}
    for feed in ("attentional", "context"):
        yield {"decoder.copying": "pointer-generator", "decoder.style": "luong", "decoder.input_feeding": feed}


EVERY = pytest.mark.parametrize("keys", list(combinations()), ids=lambda keys: "-".join(map(str, keys.values())))
SOME = pytest.mark.parametrize("style", DECODERS)


def model_of(keys: Overrides) -> CopyingSeq2Seq:
    model = tiny_model(accepted(keys))
    assert isinstance(model, CopyingSeq2Seq)
    return model


def model_with(style: str) -> CopyingSeq2Seq:
    return model_of({"decoder.copying": "pointer-generator", "decoder.style": style})


def batch() -> Batch:
    """Random words for the encoder, and rows for the spellings above."""
    given = tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    tgt_in, tgt_out, rows = (torch.full_like(each, PAD) for each in (given.tgt_in, given.tgt_out, given.src_ids))
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        ids = target_rows(target, source, TARGET)
        tgt_in[row, : len(ids) + 1] = torch.tensor([BOS, *ids])
        tgt_out[row, : len(ids) + 1] = torch.tensor([*ids, EOS])
        rows[row, : len(source) + 1] = torch.tensor([*source_rows(source, TARGET), EOS])
    return given._replace(tgt_in=tgt_in, tgt_out=tgt_out, copy_rows=rows)


def loss_of(model: CopyingSeq2Seq, given: Batch) -> Tensor:
    return -model(given)[0].masked_fill(given.tgt_out == PAD, 0.0).sum()


def close(ours: object, theirs: object, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


Mixtures = list[list[dict[str, np.ndarray]]]


def reference(named: dict[str, np.ndarray], config: ModelConfig, given: Batch) -> tuple[Mixtures, list[list[float]]]:
    """Of each sentence and step: P by spelling, and p_gen."""
    letters = to_letters(named, config)
    root = "decoder.copying"
    letters.decoder["copying"] = {
        "w_h": named[f"{root}.context_projection.weight"][0],
        "w_s": named[f"{root}.state_projection.weight"][0],
        "b": named[f"{root}.state_projection.bias"][0],
        "w_x": named[f"{root}.embedding_projection.weight"][0],
    }
    found, gates = [], []
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        encoded = encode(
            letters.encoder,
            config.encoder.cell,
            given.src_ids[row, : len(source) + 1].tolist(),
            reverse_source=config.encoder.reverse_source,
            reads_eos=config.encoder.reads_eos,
            residual=config.encoder.residual,
        )
        read = [BOS, *TARGET.ids_of(target)]
        steps = decode(letters.decoder, letters.settings, encoded, read)
        vectors = [letters.decoder["E"][word] for word in read]
        gate = [generation(letters.decoder, letters.settings, *each) for each in zip(steps, vectors, strict=True)]
        words = [*source, SPECIAL_TOKENS[EOS]]
        found.append([mixture(p, step, words, TARGET.tokens) for p, step in zip(gate, steps, strict=True)])
        gates.append(gate)
    return found, gates


def wanted(target: Sequence[str], source: Sequence[str]) -> list[str]:
    """What the model learns to write: words that nobody knows are `<unk>`."""
    known = {*TARGET.tokens, *source}
    return [*(word if word in known else SPECIAL_TOKENS[UNK] for word in target), SPECIAL_TOKENS[EOS]]


def smoothed_loss(found: Mixtures, smoothing: float) -> np.ndarray:
    """The cross-entropy with (1 - e) on the target and e / V on each word of the vocabulary."""
    total = np.zeros(())
    for mixtures, target, source in zip(found, TARGETS, SOURCES, strict=True):
        for p, word in zip(mixtures, wanted(target, source), strict=True):
            spread = sum(np.log(p[each]) for each in TARGET.tokens) / len(TARGET)
            total = total - (1 - smoothing) * np.log(p[word]) - smoothing * spread
    return total


def test_rows_go_by_spelling() -> None:
    assert source_rows(["a", "?", "a", "!", "?"], TARGET) == [
        4,
        TARGET_WORDS + 1,
        4,
        TARGET_WORDS + 3,
        TARGET_WORDS + 1,
    ]
    assert target_rows(["b", "!", "%"], ["?", "!"], TARGET) == [5, TARGET_WORDS + 1, UNK]


@EVERY
def test_words_have_the_probabilities_of_the_reference(keys: Overrides) -> None:
    model, given = model_of(keys), batch()
    log_probs, weights = model(given)
    found, gates = reference(numbers(model), accepted(keys).model, given)
    assert weights.gate is not None
    for row, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        chosen = [np.log(p[word]) for p, word in zip(found[row], wanted(target, source), strict=True)]
        close(log_probs[row, : len(chosen)].detach(), torch.tensor(chosen))
        close(weights.gate[row, : len(chosen)].sigmoid().detach(), torch.tensor(gates[row]))


@EVERY
def test_each_step_gives_every_word_its_probability(keys: Overrides) -> None:
    model, given = model_of(keys), batch()
    memory = model.encode(given.src_ids, given.src_lengths)._replace(copy_rows=given.copy_rows)
    found, _ = reference(numbers(model), accepted(keys).model, given)
    state = model.start(memory)
    for t, last_ids in enumerate(given.tgt_in.unbind(1)):
        step = model.step(last_ids, state, memory)
        assert step.log_probs.shape == (3, TARGET_WORDS + max(SOURCE_LENGTHS))
        close(step.log_probs.logsumexp(1), torch.zeros(3, dtype=torch.float64))
        for row in (row for row in range(3) if t < TARGET_LENGTHS[row]):
            ours = dict.fromkeys(range(step.log_probs.shape[1]), 0.0)
            tokens = [*SOURCES[row], SPECIAL_TOKENS[EOS]]
            for word, p in found[row][t].items():
                column = TARGET.tokens.index(word) if word in TARGET.tokens else TARGET_WORDS + tokens.index(word)
                ours[column] = float(p)
            close(step.log_probs[row].exp().detach(), torch.tensor(list(ours.values()), dtype=torch.float64))
        state = step.state


@EVERY
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradient_along_a_random_direction_equals_the_reference(keys: Overrides, smoothing: float) -> None:
    model, given = model_of(keys), batch()
    loss = Objective(model, TrainingConfig(label_smoothing=smoothing), torch.float32).plain(given).total
    gradients = parameter_gradients(model, loss)
    generator = torch.Generator().manual_seed(5)
    directions = {p: torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in gradients}
    named = {
        name: p.detach().numpy() + 1j * TINY_STEP * directions[p].numpy()
        for name, p in model.named_parameters(remove_duplicate=False)
    }
    theirs = smoothed_loss(reference(named, accepted(keys).model, given)[0], smoothing)
    close(float(loss.detach()), float(theirs.real), 1e-9)
    ours = sum(float((gradients[p] * directions[p]).sum()) for p in gradients)
    close(ours, float(theirs.imag) / TINY_STEP, 1e-9)


@SOME
def test_padding_changes_nothing_and_gets_no_gradient(style: str) -> None:
    model, clean = model_with(style), batch()
    assert clean.copy_rows is not None
    garbage = clean._replace(
        src_ids=clean.src_ids.masked_fill(clean.src_ids == PAD, UNK),
        copy_rows=clean.copy_rows.masked_fill(clean.src_ids == PAD, TARGET_WORDS),
    )
    loss = loss_of(model, garbage)
    close(loss, loss_of(model, clean))
    assert parameter_gradients(model, loss)[model.source_embedding.weight][UNK].eq(0).all()


@SOME
def test_a_batch_is_its_sentences_one_by_one(style: str) -> None:
    model, whole = model_with(style), batch()
    assert whole.copy_rows is not None
    together = model(whole)[0]
    for row, (s, t) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS, strict=True)):
        one = slice(row, row + 1)
        sides = (whole.src_ids[one, :s], whole.src_lengths[one])
        targets = (whole.tgt_in[one, :t], whole.tgt_out[one, :t], whole.tgt_lengths[one])
        close(model(Batch(*sides, *targets, None, whole.copy_rows[one, :s]))[0][0], together[row, :t])


@SOME
def test_hypotheses_of_a_sentence_share_its_memory(style: str) -> None:
    model, whole = model_with(style), batch()
    memory = model.encode(whole.src_ids, whole.src_lengths)._replace(copy_rows=whole.copy_rows)
    rows = torch.arange(3).repeat_interleave(2)
    state, tiled = select_rows(model.start(memory), rows), select_rows(memory, rows)
    one_by_one = state
    for words in ([BOS] * 6, [4, 12, 6, 7, 8, 14], [9, 4, 8, 12, 7, 6]):
        shared = model.step(torch.tensor(words), state, memory)
        alone = model.step(torch.tensor(words), one_by_one, tiled)
        close(shared, alone)
        state, one_by_one = shared.state, alone.state


@SOME
@pytest.mark.parametrize("drawn", [True, False])
def test_the_models_own_words_may_be_copies(style: str, drawn: bool) -> None:
    """With every previous word its own, what is read never is a row that has no vector."""
    model, given = model_with(style), batch()
    torch.manual_seed(1)
    memory = model.encode(given.src_ids, given.src_lengths)._replace(copy_rows=given.copy_rows)
    mixed = model.mix_own_words(given.tgt_in, model.start(memory), memory, OwnWords(1.0, is_drawn=drawn))
    assert mixed[:, 0].eq(BOS).all()
    assert mixed.max() < TARGET_WORDS
    assert loss_of(model, given).isfinite()


def test_a_weight_too_small_for_floats_still_lets_a_copy_be_learned() -> None:
    """The first position gets all the weight: the others have e^-1000, which is 0 in any float."""
    model, given = model_with("bahdanau"), batch()
    with torch.no_grad():
        for parameter in model.decoder.attention.parameters():
            parameter.mul_(1e4)
    weights = model(given)[1].values
    assert weights[0].min() == 0
    loss = loss_of(model, given)
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in parameter_gradients(model, loss).values())
