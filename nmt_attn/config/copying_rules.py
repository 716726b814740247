"""What copying (`model.decoder.copying`) does not go with."""

from collections.abc import Iterator

from nmt_attn.config.key_paths import value_at
from nmt_attn.config.messages import complain, show, with_value
from nmt_attn.config.schema import Config

KEY = "model.decoder.copying"

_NEEDED = {
    "model.attention.window": ("global", "as a word outside of the window could not be copied"),
    "model.attention.normalise": ("softmax", "as a word whose weight is 0 could not be copied"),
    "model.attention.alignment": ("soft", "as what is copied is the sum of soft weights"),
    "model.decoder.normalise": ("softmax", "as logarithms are added, which zeros do not have"),
    "training.risk.method": ("none", "as training knows words outside of the vocabulary by their places alone"),
}


def copying(config: Config) -> Iterator[str]:
    """One message for each key that copying needs to have another value."""
    if config.model.decoder.copying == "none" or config.model.attention.score == "none":
        return
    reason = with_value(config, KEY)
    for key, (needed, why) in _NEEDED.items():
        if value_at(config, key) != needed:
            yield complain(config, key, f"{show(needed)} with {reason}, {why}")
    if config.tokenizer.factors.names:
        yield complain(
            config, "tokenizer.factors.names", f"[] with {reason}, as words would be copied with their factors"
        )
    if config.training.cuda_graphs is True:
        yield complain(config, "training.cuda_graphs", f"auto with {reason}, which is not recorded")
