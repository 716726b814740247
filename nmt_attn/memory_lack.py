"""Lack of memory, of the machine or of a GPU: known in whatever Python, torch and CUDA raise, and met by halving.

Where the operating system promises more memory than there is, as Linux does, it ends the process instead, and nothing
here comes to act.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import typer

from nmt_attn.errors import ConfigError, UserError

_SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
_LIBRARIES = ("cublas_status_alloc_failed", "cudnn_status_alloc_failed", "could not create a primitive")
_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


def lacks_memory(error: BaseException) -> bool:
    """Whether the error says that there was no memory left."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower() if isinstance(error, RuntimeError | OSError) else ""
    return any(sign in text for sign in (*_SIGNS, *_LIBRARIES))


@contextmanager
def explained(describe: Callable[[], str]) -> Iterator[None]:
    """A block in which a lack of memory is a ConfigError with what `describe` says."""
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if isinstance(error, UserError) or not lacks_memory(error):
            raise
        raise ConfigError(describe()) from error


class Halving:
    """Does work on rows together; on half as many where the memory is too small, from then on, which it says once."""

    def __init__(self, unit: str, hint: str) -> None:
        self._unit, self._hint = unit, hint
        self._most: int | None = None

    def each(
        self,
        rows: Sequence[_Row],
        work: Callable[[Sequence[_Row]], Sequence[_Result]],
        free: Callable[[], object],
        describe: Callable[[_Row], str],
    ) -> Iterator[tuple[Sequence[_Row], Sequence[_Result]]]:
        """Groups of the rows in order, and what the work makes of each; `free` gives memory back before a new try.

        Raises ConfigError with what `describe` says of a row for which the memory is too small alone.
        """
        start = 0
        while start < len(rows):
            together = rows[start : start + (self._most or len(rows))]
            found = _tried(together, work)
            if found is not None:
                yield together, found
                start += len(together)
                continue
            if len(together) == 1:
                raise ConfigError(describe(together[0]))
            free()
            self._halve(len(together))

    def _halve(self, count: int) -> None:
        if self._most is None:
            typer.echo(
                f"note: too little memory for {count} {self._unit} together, so batches are halved until they fit "
                f"({self._hint})",
                err=True,
            )
        self._most = count // 2


def free_cache() -> None:
    """Gives back what torch keeps of a GPU's memory for later."""
    import torch  # not before a command runs

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _tried(rows: Sequence[_Row], work: Callable[[Sequence[_Row]], Sequence[_Result]]) -> Sequence[_Result] | None:
    """What the work makes of the rows; None where the memory is too small. What it held is free when this returns."""
    try:
        return work(rows)
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
    return None
