"""What hard attention (`model.attention.alignment`) does not go with.

Its sum over alignments has a recursion only if no state depends on where the alignment was.
"""

from collections.abc import Iterator

from nmt_attn.config.key_paths import is_default, value_at
from nmt_attn.config.messages import complain, show, with_value
from nmt_attn.config.schema import Config

KEY = "model.attention.alignment"

_NEEDED = {
    "model.decoder.style": ("luong", "as in another order the states would depend on the alignment"),
    "model.decoder.input_feeding": ("none", "as states would depend on the alignment"),
    "model.decoder.deep_context": (False, "as states would depend on the alignment"),
    "model.decoder.attentional_state": (True, "as words depend on the position by it"),
    "model.decoder.context_gate": ("none", "as h~ of each position sees its state and s alone"),
    "model.attention.window": ("global", "as the sum is over all positions"),
    "model.attention.normalise": ("softmax", "as the alignment is a choice of one position"),
    "model.attention.coverage": ("none", "as scores would depend on the alignment"),
    "model.decoder.normalise": ("softmax", "as the sum is over logarithms, which zeros do not have"),
}


def hard_attention(config: Config) -> Iterator[str]:
    """One message for each key that hard attention needs to have another value."""
    if config.model.attention.alignment == "soft" or config.model.attention.score == "none":
        return
    for key, (needed, reason) in _NEEDED.items():
        if value_at(config, key) != needed:
            is_unsaid = key == "model.decoder.style" and is_default(config, key)
            hint = "the default" if is_unsaid else ""
            yield complain(config, key, f"{show(needed)} with {with_value(config, KEY)}, {reason}", hint)
    if config.training.cuda_graphs is True:
        yield complain(config, "training.cuda_graphs", f"auto with {with_value(config, KEY)}, which is not recorded")
