"""Freezing (training.freeze): parts of the model that keep the weights that they start with."""

from collections.abc import Callable, Sequence

from nmt_attn.config.messages import did_you_mean, show
from nmt_attn.errors import ConfigError
from nmt_attn.model.seq2seq import Seq2Seq

KEY = "training.freeze"


def freeze(parts: Sequence[str], model: Seq2Seq, note: Callable[[str], None]) -> None:
    """Lets the parameters whose names begin with one of `parts` (`encoder`, `decoder.attention`) learn nothing.

    `note` gets a line about them. Raises ConfigError for a part that the model lacks, for one of two names of a shared
    matrix, and if nothing is left to learn.
    """
    if not parts:
        return
    named = list(model.named_parameters(remove_duplicate=False))
    names = [name for name, _ in named]
    for part in parts:
        if not any(_is_in(name, [part]) for name in names):
            raise ConfigError(_unknown(part, names))
    frozen = {id(parameter) for name, parameter in named if _is_in(name, parts)}
    for name, parameter in named:
        if id(parameter) in frozen and not _is_in(name, parts):
            expected = f"{show(name.partition('.')[0])} too, which shares its weights with another part (model.tie)"
            raise ConfigError(f"{KEY}: expected {expected}, got {show(list(parts))}")
    if all(id(parameter) in frozen for parameter in model.parameters()):
        raise ConfigError(f"{KEY}: expected a part that is left to learn, got {show(list(parts))}, which is all")
    count = 0
    for parameter in model.parameters():
        if id(parameter) in frozen:
            parameter.requires_grad_(False)
            count += parameter.numel()
    total = sum(parameter.numel() for parameter in model.parameters())
    note(f"frozen: {', '.join(parts)}, {count:,} of {total:,} parameters")


def _is_in(name: str, parts: Sequence[str]) -> bool:
    """Whether a parameter belongs to one of the parts."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _unknown(part: str, names: Sequence[str]) -> str:
    """A message with the part that was meant, or the largest parts there are."""
    pieces = [name.split(".") for name in names]
    known = dict.fromkeys(".".join(piece[:depth]) for piece in pieces for depth in range(1, len(piece) + 1))
    meant = did_you_mean(part, known)
    largest = ", ".join(dict.fromkeys(piece[0] for piece in pieces))
    hint = f"did you mean {show(meant)}?" if meant else f"the largest are {largest}"
    return f"{KEY}: expected the beginning of a parameter's name, got {show(part)} ({hint})"
