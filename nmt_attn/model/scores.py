"""Scores: how well each source position matches the decoder's query.

    additive   v_a . tanh(W_a s + U_a h)         Bahdanau et al. 2015 (arXiv 1409.0473v7), A.1.2
    dot        s . h                             Luong et al. 2015 (arXiv 1508.04025), between eq. 7 and 8
    general    s . W_a h
    concat     v_a . tanh(W_a [s ; h])
    location   the j-th number of W_a s          Luong et al. 2015, eq. 8
    scaled-dot, scaled-general, normed-additive: dot / sqrt(H); g (s . W_a h); g v / |v| . tanh(W_a s + U_a h + b)
                                                 (the last two as in tensorflow/nmt)

They are the a(s, h) of Bahdanau's eq. 6 and the score(h_t, h_s) of Luong's eq. 7. Letters of shapes: nmt_attn/types.py.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection, Scheme
from nmt_attn.registry import Exclusion, Registry


class ScoreSizes(NamedTuple):
    """What a score is built from; each takes what it needs."""

    decoder: int  # H, of the query
    encoder: int  # M, of an encoder state
    hidden: int  # A, inside additive and concat
    positions: int  # source positions that `location` can score
    use_bias: bool  # a bias inside the tanh
    project: bool  # dot: a learned projection of the keys where M and H differ


class Score(nn.Module):
    """Contract. A score never masks and never normalises: `Attention` does both."""

    options: ClassVar[tuple[str, ...]] = ()
    """The keys of `model.attention` that it reads, beside `score` and those of the window."""

    needs_equal_sizes: ClassVar[bool] = False
    """Whether it takes the product of query and encoder state as they are, so that H = M (or `project`)."""

    has_tanh: ClassVar[bool] = False
    """Whether it is a `TanhScore`, which coverage can enter."""

    exclusions: ClassVar[tuple[Exclusion, ...]] = ()
    """Values of other keys that it does not go with, such as a window."""

    tanh_vectors: ClassVar[tuple[str, ...]] = ()
    """Its parameters that are the v of v . tanh(...)."""

    def initialise(self, scheme: Scheme) -> None:
        """Its first numbers, beyond those that the scheme sets by the number of axes."""
        scheme.score_matrices(self)
        scheme.vectors(self, self.tanh_vectors)

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        """[B, S, M] -> [B, S, A]. Called once per sentence; by default the identity."""
        return encoder_states

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        """[B, T, H], [B, S, A], positions of the keys [B, S] int64 -> scores [B, T, S], any real numbers."""
        raise NotImplementedError


class TanhScore(Score):
    """v . tanh(query + key [+ coverage]). The concrete class says what query, key and v are."""

    has_tanh = True

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor, covered: Tensor | None = None) -> Tensor:
        total = self.project_query(query).unsqueeze(2) + keys.unsqueeze(1)  # [B, T, S, A]
        if covered is not None:
            total = total + covered
        return torch.tanh(total) @ self.output_vector()

    def project_query(self, query: Tensor) -> Tensor:
        """[B, T, H] -> [B, T, A]."""
        raise NotImplementedError

    def output_vector(self) -> Tensor:
        """v [A]."""
        raise NotImplementedError


class Additive(TanhScore):
    """v_a . tanh(W_a s + U_a h [+ b]). U_a h is the key."""

    options = ("hidden", "bias")
    tanh_vectors = ("vector",)

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.query_projection = Projection(sizes.decoder, sizes.hidden, bias=sizes.use_bias)  # W_a
        self.key_projection = Projection(sizes.encoder, sizes.hidden, bias=False)  # U_a
        self.vector = nn.Parameter(torch.empty(sizes.hidden))  # v_a

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        return self.key_projection(encoder_states)

    def project_query(self, query: Tensor) -> Tensor:
        return self.query_projection(query)

    def output_vector(self) -> Tensor:
        return self.vector


class NormedAdditive(Additive):
    """g v / |v| . tanh(W_a s + U_a h + b), with a learned gain g (Salimans and Kingma 2016)."""

    exclusions = (Exclusion("model.initialisation", "bahdanau", "whose v_a would begin at 0 and have no direction"),)

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__(sizes)
        self.gain = nn.Parameter(torch.tensor(sizes.hidden**-0.5))  # g

    def output_vector(self) -> Tensor:
        return self.gain * self.vector / self.vector.norm()


class Dot(Score):
    """s . h. Sizes that differ need `project`: s . P h with a learned P."""

    options = ("project",)
    needs_equal_sizes = True

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.key_projection: nn.Module = nn.Identity()
        if sizes.project and sizes.encoder != sizes.decoder:
            self.key_projection = Projection(sizes.encoder, sizes.decoder, bias=False)  # P

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        keys: Tensor = self.key_projection(encoder_states)
        return keys

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class ScaledDot(Dot):
    """s . h / sqrt(H), which keeps the spread of the scores free of the size."""

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return super().forward(query, keys, positions) * query.shape[-1] ** -0.5


class General(Score):
    """s . W_a h. Here A = H: the keys are brought to the size of the query."""

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.key_projection = Projection(sizes.encoder, sizes.decoder, bias=False)  # W_a

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        return self.key_projection(encoder_states)

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class ScaledGeneral(General):
    """g (s . W_a h), with a learned gain g that starts at 1."""

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__(sizes)
        self.gain = nn.Parameter(torch.tensor(1.0))  # g

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return self.gain * super().forward(query, keys, positions)


class Concat(TanhScore):
    """v_a . tanh(W_a [s ; h] [+ b]), the product with h taken once per sentence."""

    options = ("hidden", "bias", "concat_keys")
    tanh_vectors = ("vector",)

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.decoder_size = sizes.decoder
        self.projection = Projection(sizes.decoder + sizes.encoder, sizes.hidden, bias=sizes.use_bias)  # W_a
        self.vector = nn.Parameter(torch.empty(sizes.hidden))  # v_a

    def project_keys(self, encoder_states: Tensor) -> Tensor:
        return encoder_states @ self.projection.weight[:, self.decoder_size :].T

    def project_query(self, query: Tensor) -> Tensor:
        return nn.functional.linear(query, self.query_weight(), self.projection.bias)

    def query_weight(self) -> Tensor:
        """The columns of W_a for s [A, H]."""
        return self.projection.weight[:, : self.decoder_size]

    def output_vector(self) -> Tensor:
        return self.vector


class ConcatIdentity(TanhScore):
    """v_a . tanh(W_a s + h [+ b]): the variant of Luong's own code, with no matrix on h (so A = M)."""

    options = ("bias", "concat_keys")
    tanh_vectors = ("vector",)

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.query_projection = Projection(sizes.decoder, sizes.encoder, bias=sizes.use_bias)  # W_a
        self.vector = nn.Parameter(torch.empty(sizes.encoder))  # v_a

    def project_query(self, query: Tensor) -> Tensor:
        return self.query_projection(query)

    def output_vector(self) -> Tensor:
        return self.vector


class Location(Score):
    """The j-th number of W_a s; the content of h_j plays no part.

    Differs: a position that W_a has no row for gets so low a score that it has no weight beside one that has.
    """

    options = ("max_positions",)

    def __init__(self, sizes: ScoreSizes) -> None:
        super().__init__()
        self.projection = Projection(sizes.decoder, sizes.positions, bias=False)  # W_a

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        known = self.projection.out_features
        per_position = self.projection(query)  # [B, T, positions]
        index = positions.clamp(max=known - 1).unsqueeze(1).expand(-1, query.shape[1], -1)
        scores = per_position.gather(2, index)  # [B, T, S]
        return scores.masked_fill((positions >= known).unsqueeze(1), torch.finfo(scores.dtype).min / 2)


SCORES: Registry[type[Score]] = registries.SCORES
