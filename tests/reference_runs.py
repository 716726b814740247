"""One configuration, run by the package and by the NumPy reference, side by side."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from model_letters import to_letters
from reference.cells import State
from reference.decoder import Step, decode, start, summarise, summed_loss
from reference.encoder import Encoded, encode
from torch import Tensor, nn

from nmt_attn.config.model_section import ModelConfig
from nmt_attn.model.normalise import Softmax
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.state import DecoderState, Memory
from nmt_attn.training.loss import token_loss
from nmt_attn.types import PAD, Batch

TINY_STEP = 1e-30


class SentenceRun(NamedTuple):
    """What the reference has to say on one sentence pair."""

    encoded: Encoded
    first_states: list[State]
    steps: list[Step]
    loss: np.ndarray  # nats, summed over the target's words


class ModelRun(NamedTuple):
    """The whole target at once."""

    memory: Memory
    first: DecoderState
    readouts: Tensor  # [B, T, R]
    logits: Tensor  # [B, T, V]
    weights: Tensor  # [B, T, S]
    loss: Tensor  # nats, summed over all words


class StepRun(NamedTuple):
    """One step of search."""

    context: Tensor  # [B, M]
    weights: Tensor  # [B, S]
    log_probs: Tensor  # [B, V]
    state: DecoderState


def numbers(model: nn.Module) -> dict[str, np.ndarray]:
    """Every parameter by every name that it has."""
    named = model.named_parameters(remove_duplicate=False)
    return {name: parameter.detach().numpy() for name, parameter in named}


def run_reference(named: Mapping[str, np.ndarray], config: ModelConfig, batch: Batch) -> list[SentenceRun]:
    """Sentence by sentence, without padding."""
    letters = to_letters(named, config)
    runs = []
    for row in range(len(batch.src_ids)):
        source = batch.src_ids[row, : batch.src_lengths[row]].tolist()
        target_length = int(batch.tgt_lengths[row])
        encoded = encode(
            letters.encoder,
            config.encoder.cell,
            source,
            reverse_source=config.encoder.reverse_source,
            reads_eos=config.encoder.reads_eos,
            residual=config.encoder.residual,
            bidirectional=config.encoder.bidirectional,
        )
        encoded = summarise(letters.decoder, letters.settings, encoded)
        steps = decode(letters.decoder, letters.settings, encoded, batch.tgt_in[row, :target_length].tolist())
        loss = summed_loss(letters.settings, steps, batch.tgt_out[row, :target_length].tolist())
        runs.append(SentenceRun(encoded, start(letters.decoder, letters.settings, encoded), steps, loss))
    return runs


def run_model(model: Seq2Seq, batch: Batch) -> ModelRun:
    """Teacher forcing over the padded batch."""
    memory = model.encode(batch.src_ids, batch.src_lengths)
    readouts, weights = model(batch)
    logits = model.output(readouts)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.tgt_out.flatten(), ignore_index=PAD, reduction="sum")
    if type(model.normaliser) is not Softmax:
        loss = token_loss(readouts, model.output, batch.tgt_out, 0.0, normaliser=model.normaliser).total
    return ModelRun(memory, model.start(memory), readouts, logits, weights.dense(), loss)


def run_steps(model: Seq2Seq, batch: Batch) -> list[StepRun]:
    """The same target, one `step` at a time, as search does."""
    contexts: list[Tensor] = []
    hook = model.decoder.attention.register_forward_hook(lambda module, args, result: contexts.append(result[0]))
    memory = model.encode(batch.src_ids, batch.src_lengths)
    state = model.start(memory)
    runs = []
    for last_ids in batch.tgt_in.unbind(1):
        log_probs, weights, state = model.step(last_ids, state, memory)
        runs.append(StepRun(contexts[-1].flatten(0, 1), weights, log_probs, state))
    hook.remove()
    return runs


def parameter_gradients(model: Seq2Seq, loss: Tensor) -> dict[nn.Parameter, Tensor]:
    """The package's gradient of each parameter; zeros where the loss does not depend on it."""
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {p: torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)}


def reference_slope(
    model: Seq2Seq, config: ModelConfig, batch: Batch, directions: Mapping[nn.Parameter, Tensor]
) -> float:
    """Derivative of the reference's loss when the parameters move in these directions, by a complex step.

    For an analytic f, f(x + i e) = f(x) + i e f'(x) + O(e^2): no difference is taken and no digit is lost.
    """
    named = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        named[name] = parameter.detach().numpy().astype(complex)
        if parameter in directions:
            named[name] += 1j * TINY_STEP * directions[parameter].numpy()
    losses = [run.loss for run in run_reference(named, config, batch)]
    return float(sum(losses).imag / TINY_STEP)
