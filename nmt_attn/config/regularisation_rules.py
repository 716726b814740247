"""Which keys of regularisation contradict each other or would change nothing."""

from collections.abc import Callable, Iterator

from nmt_attn.config.sections import Config
from nmt_attn.config.words import complain_idle, is_default, with_value


def _scheduled_sampling(config: Config) -> Iterator[str]:
    where = "training.scheduled_sampling"
    for key in (f"{where}.{name}" for name in ("decay", "updates", "choice")):
        if config.training.scheduled_sampling.rate == 0 and not is_default(config, key):
            yield complain_idle(config, key, with_value(config, f"{where}.rate"))


REGULARISATION_RULES: tuple[Callable[[Config], Iterator[str]], ...] = (_scheduled_sampling,)
