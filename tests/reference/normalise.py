"""Reference: normalisers of one vector of scores and their losses, in plain NumPy, by the definition of alpha-entmax.

    p_j = [(alpha - 1) z_j - tau]_+^(1 / (alpha - 1)),  sum_j p_j = 1                 Peters et al. 2019, eq. 8 and 9
    loss = p . z + (1 - sum_j p_j^alpha) / (alpha (alpha - 1)) - z_y                               eq. 10

with alpha 2 for sparsemax. Nothing is sorted: tau is found by bisection, which says what is 0, and then by Newton's
method on what is not, so that complex steps go through it.
"""

import numpy as np
from reference.cells import Vector

ALPHAS = {"sparsemax": 2.0, "entmax-1.5": 1.5}


def probabilities(name: str, z: Vector) -> Vector:
    """p of the scores z."""
    if name == "softmax":
        return np.exp(z) / np.sum(np.exp(z))
    alpha = ALPHAS[name]
    scaled, power = (alpha - 1) * z, 1 / (alpha - 1)
    low, high = scaled.real.max() - 1, scaled.real.max()
    for _ in range(80):
        tau = (low + high) / 2
        total = np.sum(np.maximum(scaled.real - tau, 0) ** power)
        low, high = (tau, high) if total > 1 else (low, tau)
    seen = scaled[scaled.real > high]
    tau = high + 0 * scaled[0]
    for _ in range(4):
        tau = tau + (np.sum((seen - tau) ** power) - 1) / (power * np.sum((seen - tau) ** (power - 1)))
    return np.where(scaled.real > high, (np.where(scaled.real > high, scaled, tau) - tau) ** power, 0)


def loss(name: str, z: Vector, word: int) -> Vector:
    """- log p_y of the softmax, else the Fenchel-Young loss."""
    if name == "softmax":
        return np.log(np.sum(np.exp(z))) - z[word]
    alpha, p = ALPHAS[name], probabilities(name, z)
    powers = np.where(p.real > 0, np.where(p.real > 0, p, 1) ** alpha, 0)
    return np.sum(p * z) + (1 - np.sum(powers)) / (alpha * (alpha - 1)) - z[word]
