"""Windows: which source positions the query may see.

    global    all of them
    local-m   [p_t - D, p_t + D] with p_t = t                                   Luong et al. 2015, 3.2
    local-p   the same around p_t = S sigmoid(v_p . tanh(W_p s_t)), a real number; the weights are multiplied by
              exp(-(j - p_t)^2 / (2 sigma^2)), sigma = D / 2                     eq. 9, 10

Positions j and t count from 1 here; the paper says neither where they begin, nor whether S counts `</s>`. Here S is the
number of positions that can be attended to. Eq. 9 so never reaches beyond S and comes below 1, the first position.
Luong's own code, nmt.matlab, has p_t = S sigmoid(...) + 1, a window from floor(p_t) - D to floor(p_t) + D, and S
without `</s>`: `attention.position: nmt.matlab` with `attention.attend_eos: false`.
A local window is gathered, never masked out of the whole row: one step costs the same whatever S is.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection, Scheme
from nmt_attn.model.state import Memory
from nmt_attn.registry import Exclusion, Registry
from nmt_attn.runtime import at_least_float32


class WindowView(NamedTuple):
    """What a window shows of a source. A local window sees each query as a sentence of its own: B is B x T, T is 1."""

    query: Tensor  # [B, T, H]
    keys: Tensor  # [B, W, A]
    encoder_states: Tensor  # [B, W, M]
    mask: Tensor  # [B, W] bool, True = can be attended to
    positions: Tensor  # [B, W] int64, columns of the source, from 0
    centre: Tensor  # [B] real p_t, from 1; zeros for a global window


class WindowSizes(NamedTuple):
    """What a window is built from."""

    decoder: int  # H, of the query
    hidden: int  # inside the prediction of p_t
    half_width: int  # D
    sigma: float  # of the Gaussian
    renormalise: bool  # weights sum to 1 after the Gaussian


class Window(nn.Module):
    """Contract. A window selects positions and re-weights them; `Attention` scores and normalises."""

    is_local: bool = True

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.attention` that it reads, beside `window` and those of the score."""

    exclusions: ClassVar[tuple[Exclusion, ...]] = ()
    """Values of other keys that it does not go with, such as a score."""

    tanh_vectors: ClassVar[tuple[str, ...]] = ()
    """Its parameters that are the v of v . tanh(...)."""

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers, beyond those that the scheme sets by the number of axes."""
        scheme.vectors(self, self.tanh_vectors)

    def select(self, query: Tensor, memory: Memory, steps: Tensor) -> WindowView:
        """query [B, T, H], memory, steps [B, T] int64 (index of each target position, from 0) -> what can be seen."""
        raise NotImplementedError

    def reweight(self, weights: Tensor, view: WindowView) -> Tensor:
        """weights [B, T, W] after the softmax -> the weights that are used; by default the same."""
        return weights


class Global(Window):
    """Every position of the source."""

    is_local = False

    def __init__(self, sizes: WindowSizes) -> None:
        super().__init__()

    def select(self, query: Tensor, memory: Memory, steps: Tensor) -> WindowView:
        positions = torch.arange(memory.mask.shape[1], device=query.device).expand_as(memory.mask)
        centre = query.new_zeros(query.shape[0])
        return WindowView(query, memory.keys, memory.encoder_states, memory.mask, positions, centre)


class LocalM(Window):
    """p_t = t: source and target are assumed to be roughly monotonically aligned.

    Differs: beyond the end of the source, p_t stays on the last position (the paper leaves it open).
    """

    options = ("half_width",)

    def __init__(self, sizes: WindowSizes) -> None:
        super().__init__()
        self.half_width = sizes.half_width  # D

    def select(self, query: Tensor, memory: Memory, steps: Tensor) -> WindowView:
        centre = torch.minimum(steps + 1, memory.lengths.unsqueeze(1))  # [B, T] int64
        return gather_window(query, memory, centre, self.half_width)


class LocalP(Window):
    """p_t is predicted from the query; positions count for less the farther they lie from it."""

    options = ("half_width", "sigma", "renormalise", "hidden", "position")
    tanh_vectors = ("vector",)

    def __init__(self, sizes: WindowSizes) -> None:
        super().__init__()
        self.half_width = sizes.half_width  # D
        self.sigma = sizes.sigma
        self.renormalise = sizes.renormalise
        self.projection = Projection(sizes.decoder, sizes.hidden, bias=False)  # W_p
        self.vector = nn.Parameter(torch.empty(sizes.hidden))  # v_p

    def predict(self, query: Tensor, lengths: Tensor) -> Tensor:
        """query [B, T, H], lengths [B] -> p_t [B, T], between 0 and S. bfloat16 could not tell far positions apart."""
        relative = torch.sigmoid(at_least_float32(torch.tanh(self.projection(query)) @ self.vector))
        return lengths.unsqueeze(1) * relative

    def select(self, query: Tensor, memory: Memory, steps: Tensor) -> WindowView:
        return gather_window(query, memory, self.predict(query, memory.lengths), self.half_width)

    def reweight(self, weights: Tensor, view: WindowView) -> Tensor:
        distance = view.positions + 1 - view.centre.unsqueeze(1)  # [B x T, W]
        gaussian = torch.exp(-0.5 * (distance / self.sigma) ** 2)
        weights = weights * gaussian.unsqueeze(1)
        if self.renormalise:
            weights = weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        return weights


class LocalPMatlab(LocalP):
    """The same in Luong's own code: p_t = S sigmoid(v_p . tanh(W_p s_t)) + 1, and a window around floor(p_t).

    The Gaussian's centre is p_t itself. If sigmoid rounds to 1, p_t is S + 1 and the window still shows the last words.
    """

    def predict(self, query: Tensor, lengths: Tensor) -> Tensor:
        """query [B, T, H], lengths [B] -> p_t [B, T], between 1 and S + 1."""
        return super().predict(query, lengths) + 1

    def select(self, query: Tensor, memory: Memory, steps: Tensor) -> WindowView:
        centre = self.predict(query, memory.lengths)
        view = gather_window(query, memory, centre.detach().floor(), self.half_width)
        return view._replace(centre=centre.flatten())


def gather_window(query: Tensor, memory: Memory, centre: Tensor, half_width: int) -> WindowView:
    """query [B, T, H], real centre [B, T] from 1 -> the positions j with |j - centre| <= D, at most 2D + 1 of them."""
    first = torch.ceil(centre.detach() - half_width).long() - 1  # [B, T], a column, perhaps before the source
    columns = first.unsqueeze(2) + torch.arange(2 * half_width + 1, device=query.device)  # [B, T, W]
    is_inside = (columns >= 0) & (columns < memory.lengths[:, None, None])
    is_near = columns + 1 <= centre.detach().unsqueeze(2) + half_width
    columns = columns.clamp(0, memory.mask.shape[1] - 1)
    sentences = torch.arange(query.shape[0], device=query.device)[:, None, None]
    return WindowView(
        query.flatten(0, 1).unsqueeze(1),  # [B x T, 1, H]
        memory.keys[sentences, columns].flatten(0, 1),  # [B x T, W, A]
        memory.encoder_states[sentences, columns].flatten(0, 1),  # [B x T, W, M]
        (is_inside & is_near).flatten(0, 1),
        columns.flatten(0, 1),
        centre.flatten(),
    )


WINDOWS: Registry[type[Window]] = registries.WINDOWS
