"""Rewards: metrics of single translations as numbers that training by risk makes greater."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nmt_attn.config.risk_section import RiskConfig
from nmt_attn.config.schema import EvaluateConfig
from nmt_attn.data.codec import TextCodec
from nmt_attn.evaluation.metrics import METRICS


class Rewards:
    """The weighted mean of `training.risk.metrics`, each from 0 to 1; of an error rate 1 less the rate."""

    def __init__(self, codec: TextCodec, risk: RiskConfig, evaluate: EvaluateConfig) -> None:
        self._codec = codec
        weights = np.ones(len(risk.metrics)) if risk.weights is None else np.array(risk.weights)
        self._shares = dict(zip(risk.metrics, weights / weights.sum(), strict=True))
        self._evaluate = evaluate

    def __call__(self, found: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Ids of translations and of their references, without `</s>` -> [n], judged as texts."""
        texts = [self._codec.decode(ids) for ids in found]
        wanted = [self._codec.decode(ids) for ids in references]
        total = np.zeros(len(texts))
        for name, share in self._shares.items():
            measure = METRICS[name](texts, wanted, self._evaluate)
            values = measure.of_each() / 100
            total += share * (1 - values if measure.is_error else values)
        return total
