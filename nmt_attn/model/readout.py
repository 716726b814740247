"""Readout: what the output layer sees of the state s, the previous word y and the context c.

    t = U s + V y + C c + b, then
    linear   t
    deep     tanh(t)
    maxout   the larger of each pair of a t of twice the size       Bahdanau et al. 2015, A.2.2 (t~ and eq. 4)

p(y_t) = softmax(W_o of this). It feeds nothing back, so a whole target goes through at once.
"""

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.registry import Registry


class Readout(nn.Module):
    """`linear`: the sum as it is. Its size is `size`."""

    width = 1  # columns of t for each column of the result

    def __init__(self, state: int, embedding: int, context: int, size: int) -> None:
        super().__init__()
        self.state_projection = Projection(state, self.width * size)  # U_o, b
        self.embedding_projection = Projection(embedding, self.width * size, bias=False)  # V_o
        self.context_projection = Projection(context, self.width * size, bias=False)  # C_o

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """[..., H], [..., E], [..., M] -> [..., size]."""
        total = self.state_projection(state) + self.embedding_projection(embedded) + self.context_projection(context)
        return self.activate(total)

    def activate(self, total: Tensor) -> Tensor:
        """t [..., width x size] -> [..., size]."""
        return total


class Deep(Readout):
    """tanh(t)."""

    def activate(self, total: Tensor) -> Tensor:
        return total.tanh()


class Maxout(Readout):
    """max(t_{2i-1}, t_{2i}) for each i."""

    width = 2

    def activate(self, total: Tensor) -> Tensor:
        return total.unflatten(-1, (-1, 2)).amax(-1)


class UnbiasedOutput(nn.Linear):
    """An output layer W_o without b: the bias that others read is 0, is not learned and is in no file."""

    def __init__(self, inputs: int, words: int) -> None:
        super().__init__(inputs, words, bias=False)
        del self.bias
        self.register_buffer("bias", torch.zeros(words), persistent=False)


READOUTS: Registry[type[Readout]] = registries.READOUTS
