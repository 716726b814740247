"""Reference: attention of one decoder step on one sentence without padding, in plain NumPy.

Scores: Bahdanau et al. 2015 (arXiv 1409.0473v7), A.1.2; Luong et al. 2015 (arXiv 1508.04025), after eq. 7, and eq. 8.
Windows: Luong et al. 2015, 3.2, eq. 9 and 10, and nmt.matlab. Positions count from 1; `states[j - 1]` is position j.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from reference.cells import Parameters, Vector, gru, sigmoid
from reference.normalise import probabilities


@dataclass(frozen=True)
class AttentionSettings:
    """Names as in the configuration."""

    score: str = "additive"
    window: str = "global"
    half_width: int = 10
    sigma: float | None = None
    renormalise: bool = False
    position: str = "paper"
    attend_eos: bool = True
    concat_identity: bool = False
    fixed_context: bool | str = False
    normalise: str = "softmax"
    coverage: str = "none"
    fertility: float = 2.0


class Attended(NamedTuple):
    """Weights over all positions, and the context c_t."""

    weights: Vector
    context: Vector
    coverage: Sequence[Vector] | None = None  # of each position after this step


def additive(p: Parameters, s: Vector, h: Vector, more: Vector) -> Vector:
    """v · tanh(W s + U h + b), with what coverage adds inside."""
    return p["v"] @ np.tanh(p["W"] @ s + p["U"] @ h + p.get("b", 0) + more)


def normed_additive(p: Parameters, s: Vector, h: Vector, more: Vector) -> Vector:
    """g v / |v| · tanh(W s + U h + b)."""
    length = np.sqrt(np.sum(p["v"] * p["v"]))
    return p["g"] * (p["v"] / length) @ np.tanh(p["W"] @ s + p["U"] @ h + p.get("b", 0) + more)


def dot(p: Parameters, s: Vector, h: Vector) -> Vector:
    """s · h, or s · P h with a projection."""
    return s @ (p["P"] @ h if "P" in p else h)


def scaled_dot(p: Parameters, s: Vector, h: Vector) -> Vector:
    """The dot product over the square root of its length."""
    return dot(p, s, h) / math.sqrt(len(s))


def general(p: Parameters, s: Vector, h: Vector) -> Vector:
    """s · W h."""
    return s @ (p["W"] @ h)


def scaled_general(p: Parameters, s: Vector, h: Vector) -> Vector:
    """g (s · W h)."""
    return p["g"] * general(p, s, h)


def concat(p: Parameters, s: Vector, h: Vector, more: Vector) -> Vector:
    """v · tanh(W [s; h] + b)."""
    return p["v"] @ np.tanh(p["W"] @ np.concatenate([s, h]) + p.get("b", 0) + more)


def concat_identity(p: Parameters, s: Vector, h: Vector, more: Vector) -> Vector:
    """v · tanh(W s + h + b)."""
    return p["v"] @ np.tanh(p["W"] @ s + h + p.get("b", 0) + more)


TANH_SCORES = {"additive": additive, "normed-additive": normed_additive, "concat": concat}
CONTENT_SCORES = {
    "dot": dot,
    "scaled-dot": scaled_dot,
    "general": general,
    "scaled-general": scaled_general,
}


def score(p: Parameters, settings: AttentionSettings, s: Vector, h: Vector, j: int, covered: Vector | None) -> Vector:
    """How well position j, with state h and coverage, matches the query s."""
    more = np.zeros(()) if covered is None else p["V"] @ covered
    if settings.score == "location":
        return (p["W"] @ s)[j - 1] if j <= len(p["W"]) else np.zeros(())
    if settings.score == "concat" and settings.concat_identity:
        return concat_identity(p, s, h, more)
    if settings.score in TANH_SCORES:
        return TANH_SCORES[settings.score](p, s, h, more)
    return CONTENT_SCORES[settings.score](p, s, h)


def visible(p: Parameters, settings: AttentionSettings, s: Vector, t: int, length: int) -> Mapping[int, Vector]:
    """The positions that step t can see, with what their weights are multiplied by after the softmax."""
    if length == 0:
        return {}
    positions = range(1, length + 1)
    if settings.window == "global":
        return {j: np.ones(()) for j in positions}
    if settings.window == "local-m":
        p_t = min(t, length)
        return {j: np.ones(()) for j in positions if abs(j - p_t) <= settings.half_width}
    p_t = length * sigmoid(p["v_p"] @ np.tanh(p["W_p"] @ s))
    middle = p_t.real
    if settings.position == "nmt.matlab":
        p_t = p_t + 1
        middle = math.floor(p_t.real)
    sigma = settings.half_width / 2 if settings.sigma is None else settings.sigma
    near = [j for j in positions if abs(j - middle) <= settings.half_width]
    return {j: np.exp(-((j - p_t) ** 2) / (2 * sigma**2)) for j in near}


def cover(p: Parameters, settings: AttentionSettings, before: Vector, weight: Vector, s: Vector, h: Vector) -> Vector:
    """Of a position after a step that gave it this weight: Tu et al. 2016, 3.1; See et al. 2017, eq. 10."""
    if settings.coverage == "neural":
        (after,) = gru(p["coverage"], {"a": np.array([weight]), "h": h, "s": s}, (before,))
        return after
    if settings.coverage == "linguistic":
        fertility = settings.fertility * sigmoid(p["U_f"] @ h)
        return before + weight / fertility
    return before + weight


def attend(
    p: Parameters,
    settings: AttentionSettings,
    s: Vector,
    states: Sequence[Vector],
    t: int,
    coverage: Sequence[Vector] | None = None,
) -> Attended:
    """a_t and c_t = sum of a_t(j) h_j at step t, from 1. The last of `states` belongs to </s>.

    `coverage` is that of each position after the step before; None at the first step, or where there is none.
    """
    if coverage is None and settings.coverage != "none":
        coverage = [np.zeros(p["V"].shape[1])] * len(states)
    length = len(states) if settings.attend_eos else len(states) - 1
    factors = visible(p, settings, s, t, length)
    if settings.score == "location":  # the matrix has rows for the first positions only
        known = {j: factor for j, factor in factors.items() if j <= len(p["W"])}
        factors = known or factors  # a window beyond all of them: nothing sets its positions apart
    covered = [None] * len(states) if coverage is None else coverage
    scores = np.array([score(p, settings, s, states[j - 1], j, covered[j - 1]) for j in factors])
    shares = probabilities(settings.normalise, scores) if factors else scores
    weights = {j: share * factors[j] for j, share in zip(factors, shares, strict=True)}
    if settings.renormalise:
        weights = {j: weight / sum(weights.values()) for j, weight in weights.items()}
    context = sum((weight * states[j - 1] for j, weight in weights.items()), start=np.zeros_like(states[0]))
    every = np.array([weights.get(j, 0.0) for j in range(1, len(states) + 1)])
    if coverage is not None:
        coverage = [cover(p, settings, *each, s, h) for *each, h in zip(coverage, every, states, strict=True)]
    return Attended(every, context, coverage)


def fixed_vector(settings: AttentionSettings, last: Vector, positions: int) -> Attended:
    """No attention: the encoder's last state at every step, or no context at all (a vector of size 0)."""
    return Attended(np.zeros(positions), last if settings.fixed_context else last[:0])
