"""`training.risk`: samples of the model itself, judged by metrics of whole translations."""

from typing import Annotated

from pydantic import Field

from nmt_attn.bounds import WIDEST
from nmt_attn.config.base import MetricName, RiskName, Section


class RiskConfig(Section):
    """Training by metrics: from a converged model, by samples of its own (Shen et al. 2016; Ranzato et al. 2016)."""

    method: RiskName = Field(
        "none", description="mrt: minimum risk training; reinforce: with the mean of the other samples as its baseline"
    )
    metrics: tuple[MetricName, ...] = Field(
        ("bleu",), min_length=1, description="of one translation, names of evaluate.metrics; several are mixed"
    )
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None, description="share of each of the metrics; by default all have the same"
    )
    samples: Annotated[int, Field(ge=2, le=WIDEST)] = Field(8, description="translations drawn for each sentence")
    temperature: float = Field(1.0, gt=0, description="of the samples: below 1, closer to the likeliest")
    alpha: float = Field(
        5e-3, gt=0, description="mrt: exponent of the samples' probabilities, which makes them more alike below 1"
    )
    likelihood: float = Field(0.0, ge=0, le=1000, description="weight of the reference's own loss beside the risk")
