"""Which keys contradict `training.risk`, or would have no effect beside it."""

from collections.abc import Iterator

from nmt_attn.config.key_paths import is_default
from nmt_attn.config.messages import complain, complain_idle, with_value
from nmt_attn.config.risk_section import RiskConfig
from nmt_attn.config.schema import Config

WHERE = "training.risk"
OF_THE_LIKELIHOOD = (
    "training.word_dropout.source",
    "training.word_dropout.target",
    "training.scheduled_sampling.rate",
    "training.coverage_loss",
    "data.alignments",
)
"""Keys that are for the reference's own loss alone."""


def risk_contradictions(config: Config) -> Iterator[str]:
    """One message for each key that would have no effect, or cannot be, with what else is chosen."""
    risk, reason = config.training.risk, with_value(config, f"{WHERE}.method")
    if risk.method == "none":
        names = (name for name in RiskConfig.model_fields if name not in ("method", "alpha"))
        for key in (f"{WHERE}.{name}" for name in names):
            if not is_default(config, key):
                yield complain_idle(config, key, reason)
        return
    if risk.weights is not None and len(risk.weights) != len(risk.metrics):
        yield complain(config, f"{WHERE}.weights", f"one for each of {with_value(config, f'{WHERE}.metrics')}")
    if config.training.init_from is None:
        expected = f"a run or model folder with {reason}, as samples of a model that knows nothing teach nothing"
        yield complain(config, "training.init_from", expected)
    if config.training.loss_per != "sentence":
        yield complain(config, "training.loss_per", f"'sentence' with {reason}, as a metric judges a whole sentence")
    if config.training.cuda_graphs is True:
        yield complain(config, "training.cuda_graphs", f"auto with {reason}, whose work differs from update to update")
    if risk.likelihood == 0:
        for key in OF_THE_LIKELIHOOD:
            if not is_default(config, key):
                yield complain_idle(config, key, with_value(config, f"{WHERE}.likelihood"))
