"""Attention on a GPU: score, softmax and context in one operation, forward and backward, for any number of queries.

Covers a global window, the scores of `LOOP_FORMS` (nmt_attn/fast/attention.py) and the softmax, in every number format;
the [B, T, S, A] of all tanh never exists. Everything else takes the plain path.

Equal to nmt_attn/model/attention.py: tests/fast/test_gpu_forms.py.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from nmt_attn.fast.attention import LOOP_FORMS, LoopForm
from nmt_attn.fast.gpu.loop_parts import score_gradients
from nmt_attn.fast.gpu.steps import attend, attend_back
from nmt_attn.fast.products import product_dtype
from nmt_attn.fast.views import Fast
from nmt_attn.model.attention import Attention
from nmt_attn.model.normalise import Softmax
from nmt_attn.model.state import Memory, Weights
from nmt_attn.model.windows import Global


class GpuAttention(Fast, Attention):
    """Attention in one operation where window and score are known here."""

    def loop_form(self, memory: Memory) -> LoopForm | None:
        """The score for a loop; None where it has no such form."""
        form = LOOP_FORMS.get(type(self.score)) if type(self.normaliser) is Softmax else None
        return None if form is None or type(self.window) is not Global else form(self.score, memory.keys)

    def forward(self, query: Tensor, memory: Memory, steps: Tensor) -> tuple[Tensor, Weights]:
        form = self.loop_form(memory)
        if form is None:
            return super().forward(query, memory, steps)
        low = product_dtype(query)
        weight, bias, keys, vector = form
        projected = query if weight is None else torch.nn.functional.linear(query, weight)
        with torch.autocast(query.device.type, enabled=False):
            operands = projected.to(low), bias, keys.to(low), vector, memory.encoder_states.to(low), memory.mask
            context, weights = _Attend.apply(*operands)  # type: ignore[no-untyped-call]
        return context, Weights(weights, None, memory.mask.shape[1])


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        bias: Tensor | None,
        keys: Tensor,
        vector: Tensor | None,
        states: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """W q [B, T, A] -> contexts [B, T, M] in the format of products, weights [B, T, S] exact."""
        rows, steps, _ = queries.shape
        exact = torch.promote_types(queries.dtype, torch.float32)
        flat, keys, states = queries.flatten(0, 1).contiguous(), keys.contiguous(), states.contiguous()
        weights = flat.new_empty(rows * steps, keys.shape[1], dtype=exact)
        contexts = flat.new_empty(rows * steps, states.shape[2])
        attend(weights, contexts, flat, bias, keys, vector, states, mask.contiguous())
        ctx.save_for_backward(flat, bias, keys, vector, states, weights)
        return contexts.unflatten(0, (rows, steps)), weights.unflatten(0, (rows, steps))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_contexts: Tensor, grad_weights: Tensor) -> tuple[Tensor | None, ...]:
        queries, bias, keys, vector, states, weights = ctx.saved_tensors
        rows = len(keys)
        slopes, grad_queries = torch.empty_like(weights), torch.empty_like(queries)
        contexts = queries.new_empty(len(queries), states.shape[2])
        outer = grad_contexts.flatten(0, 1).contiguous(), None, grad_weights.flatten(0, 1).contiguous()
        attend_back(slopes, grad_queries, contexts, weights, queries, bias, keys, vector, states, *outer)
        by_step = [part.unflatten(0, (rows, -1)).transpose(0, 1) for part in (queries, slopes, weights, contexts)]
        of_keys, of_vector, of_states = score_gradients(LoopForm(None, bias, keys, vector), *by_step)
        of_bias = None if bias is None else grad_queries.sum(0, dtype=weights.dtype)
        return grad_queries.unflatten(0, (rows, -1)), of_bias, of_keys, of_vector, of_states, None
