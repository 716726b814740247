"""Reference: the pointer-generator for one sentence, by spellings, in plain NumPy.

See et al. 2017 (arXiv 1704.04368), eq. 8 and 9. Parameters beside those of the
decoder: "copying" with w_h, w_s, w_x, b.
"""

from collections.abc import Sequence

import numpy as np
from reference.cells import Vector
from reference.decoder import DecoderSettings, Parameters, Step


def generation(p: Parameters, settings: DecoderSettings, step: Step, y: Vector) -> Vector:
    """p_gen of a step that has read the word vector y."""
    layers = [state[0] for state in step.states]
    s = sum(layers) if settings.residual else layers[-1]
    g = p["copying"]
    return 1 / (1 + np.exp(-(g["w_h"] @ step.attended.context + g["w_s"] @ s + g["w_x"] @ y + g["b"])))


def mixture(p_gen: Vector, step: Step, source: Sequence[str], vocabulary: Sequence[str]) -> dict[str, Vector]:
    """P of every word of the vocabulary and of the source; `source` has one word for each position."""
    of_vocabulary = np.exp(step.logits - np.max(step.logits.real))
    of_vocabulary = of_vocabulary / of_vocabulary.sum()
    found = {word: p_gen * p for word, p in zip(vocabulary, of_vocabulary, strict=True)}
    for word, weight in zip(source, step.attended.weights, strict=True):
        found[word] = found.get(word, 0) + (1 - p_gen) * weight
    return found
