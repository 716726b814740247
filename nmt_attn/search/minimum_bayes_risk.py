"""Minimum Bayes risk decoding: of several translations the one that is most like all of them, by a sentence metric.

    best = argmax over h of sum over r of p(r) U(h, r)          Kumar and Byrne 2004 (N04-1022), eq. 2

h and r are the hypotheses of the beam, p(r) their probabilities divided by the sum of all of these; or samples, each of
which counts alike (Eikema and Aziz 2020, arXiv 2005.10283). U is a metric of `evaluate.metrics`, negated where less is
better.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.registries import METRICS

NO_METRIC = "none"
"""The value of `search.mbr` that leaves the best rank first."""


def expected_metrics(
    texts: Sequence[str], log_probs: Sequence[float], metric: str, config: EvaluateConfig
) -> dict[str, float]:
    """The expected metric of each distinct text: the more, the better. A text that occurs twice has both shares."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    weights = np.zeros(len(places))
    logs = np.array(log_probs)
    np.add.at(weights, [places[text] for text in texts], np.exp(logs - logs.max()))
    values = pairwise_metric(list(places), metric, config) @ (weights / weights.sum())
    return dict(zip(places, values.tolist(), strict=True))


def pairwise_metric(texts: Sequence[str], metric: str, config: EvaluateConfig) -> NDArray[np.float64]:
    """U [n, n] of each text (rows) with each as its reference."""
    pairs = [(text, other) for text in texts for other in texts]
    measure = METRICS[metric]([text for text, _ in pairs], [other for _, other in pairs], config)
    values: NDArray[np.float64] = measure.of_each().reshape(len(texts), len(texts))
    return -values if measure.is_error else values
