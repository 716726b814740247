"""Hard attention in less work and memory: W_c [h_j ; s_t] as a sum of two products, output layer block by block.

    W_c [h_j ; s_t] + b = (W_h h_j + b) + W_s s_t          S + T products in place of S x T
    log p(y_t | a_t = j)                                   without [B, T, S, V], which is computed again on the way back

Equal to the plain form: tests/fast/test_fast_hard_attention.py.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from nmt_attn.fast.products import matmul
from nmt_attn.fast.views import Fast
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.state import Memory
from nmt_attn.runtime import at_least_float32

BLOCK_NUMBERS = 1 << 20
"""Scores of words in one block."""


class FastHardSeq2Seq(Fast, HardSeq2Seq):
    """The hard model."""

    def attentional_states(self, top: Tensor, memory: Memory) -> Tensor:
        part = self.luong.attentional_state
        of_context, of_state = part.projection.weight.split([memory.encoder_states.shape[2], top.shape[2]], 1)
        contexts = linear(memory.encoder_states, of_context, part.projection.bias)
        total = contexts.unsqueeze(1) + linear(top, of_state).unsqueeze(2)  # [B, T, S, H]
        return torch.tanh(total) if part.has_tanh else total

    def given_emissions(self, top: Tensor, embedded: Tensor, memory: Memory, words: Tensor) -> Tensor:
        readouts = at_least_float32(self.position_readouts(top, embedded, memory))
        rows = words.unsqueeze(2).expand(readouts.shape[:3])
        weight, bias = at_least_float32(self.output.weight), at_least_float32(self.output.bias)
        with torch.autocast(top.device.type, enabled=False):
            log_probs: Tensor = _GivenLogProbs.apply(  # type: ignore[no-untyped-call]
                readouts.flatten(0, 2), weight, bias, rows.reshape(-1)
            )
        return log_probs.view(rows.shape)


class _GivenLogProbs(Function):
    """readouts [n, R], W [V, R], b [V], words [n] int64 -> log p of each word [n]."""

    @staticmethod
    def forward(ctx: Any, readouts: Tensor, weight: Tensor, bias: Tensor, words: Tensor) -> Tensor:
        ctx.save_for_backward(readouts, weight, bias, words)
        found = [
            torch.log_softmax(_scores(each, weight, bias), 1).gather(1, chosen.unsqueeze(1)).squeeze(1)
            for each, chosen in _blocks(readouts, words, len(weight))
        ]
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grads: Tensor) -> tuple[Tensor | None, ...]:
        """d log p / d scores = onehot - softmax."""
        readouts, weight, bias, words = ctx.saved_tensors
        of_weight, of_bias, of_readouts = torch.zeros_like(weight), torch.zeros_like(bias), []
        parts = zip(_blocks(readouts, words, len(weight)), grads.split(_rows(len(weight))), strict=True)
        for (each, chosen), grad in parts:
            of_scores = torch.softmax(_scores(each, weight, bias), 1).mul_(-grad.unsqueeze(1))
            of_scores.scatter_add_(1, chosen.unsqueeze(1), grad.unsqueeze(1))
            of_readouts.append(matmul(of_scores, weight))
            of_weight += matmul(of_scores.T, each)
            of_bias += of_scores.sum(0)
        return torch.cat(of_readouts), of_weight, of_bias, None


def _scores(readouts: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return matmul(readouts, weight.T).add_(bias)


def _rows(words: int) -> int:
    return max(1, BLOCK_NUMBERS // words)


def _blocks(readouts: Tensor, words: Tensor, vocabulary: int) -> "zip[tuple[Tensor, Tensor]]":
    rows = _rows(vocabulary)
    return zip(readouts.split(rows), words.split(rows), strict=True)
