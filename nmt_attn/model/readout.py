"""Readout: what the output layer sees of the state s, the previous word y and the context c.

    linear         t
    deep           tanh(t)
    maxout         the larger of each pair of a t of twice the size       Bahdanau et al. 2015, A.2.2 (t~ and eq. 4)
                   t = U s + V y + C c + b

    state          s
    state-linear   U s + b                                                fairseq, for another size of the output layer
    state-deep     tanh(U s + b)                                          nmtpytorch, `out_logic: simple`

p(y_t) = softmax(W_o of this). It feeds nothing back, so a whole target goes through at once. In Luong's order h~ stands
for s, and `linear` is h~ as it is.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.registry import Registry


class Readout(nn.Module):
    """Contract."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.decoder` that it reads."""

    sees_word: ClassVar[bool] = False
    """Whether y and c are in it, beside s; y by the map `embedding_projection` alone."""

    def __init__(self, state: int, embedding: int, context: int, size: int) -> None:
        super().__init__()

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """[..., H], [..., E], [..., M] -> [..., size]."""
        raise NotImplementedError


class Linear(Readout):
    """The sum U s + V y + C c + b as it is. Its size is `readout_hidden`."""

    options = ("readout_hidden",)
    sees_word = True
    width: ClassVar[int] = 1  # columns of t for each column of the result

    def __init__(self, state: int, embedding: int, context: int, size: int) -> None:
        super().__init__(state, embedding, context, size)
        self.state_projection = Projection(state, self.width * size)  # U_o, b
        self.embedding_projection = Projection(embedding, self.width * size, bias=False)  # V_o
        self.context_projection = Projection(context, self.width * size, bias=False)  # C_o

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        total = self.state_projection(state) + self.embedding_projection(embedded) + self.context_projection(context)
        return self.activate(total)

    def activate(self, total: Tensor) -> Tensor:
        """t [..., width x size] -> [..., size]."""
        return total


class Deep(Linear):
    """tanh(t)."""

    def activate(self, total: Tensor) -> Tensor:
        return total.tanh()


class Maxout(Linear):
    """max(t_{2i-1}, t_{2i}) for each i."""

    width = 2

    def activate(self, total: Tensor) -> Tensor:
        return total.unflatten(-1, (-1, 2)).amax(-1)


class State(Readout):
    """The state s as it is."""

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        return state


class StateLinear(Readout):
    """One more matrix over the state alone, U s + b."""

    options = ("readout_hidden",)

    def __init__(self, state: int, embedding: int, context: int, size: int) -> None:
        super().__init__(state, embedding, context, size)
        self.state_projection = Projection(state, size)  # U_o, b

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        total: Tensor = self.state_projection(state)
        return total


class StateDeep(StateLinear):
    """Its tanh, tanh(U s + b)."""

    def forward(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        return super().forward(state, embedded, context).tanh()


class UnbiasedOutput(nn.Linear):
    """An output layer W_o without b: the bias that others read is 0, is not learned and is in no file."""

    def __init__(self, inputs: int, words: int) -> None:
        super().__init__(inputs, words, bias=False)
        del self.bias
        self.register_buffer("bias", torch.zeros(words), persistent=False)


READOUTS: Registry[type[Readout]] = registries.READOUTS
