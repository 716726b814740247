"""Interruption: SIGINT ends a command with exit code 130, SIGTERM and SIGHUP with 143 and 129, each with one line.

All three unwind the stack, so that files half written are removed. Light: it is imported before everything else.
"""

import os
import signal
import sys
import time
from _thread import get_ident, interrupt_main, start_new_thread
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

NAMES = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminated, as its terminal was closed"}
"""The signals, and what is said of each; Windows has fewer."""
STANDARD_ERROR = 2
"""As the operating system knows it."""
POSTPONED_SECONDS = 0.05
"""A signal in the middle of an import waits that long, again and again until the import is done."""
IMPORTS = "<frozen importlib._bootstrap>"
_received: list[int] = []
_heeded: list[int] = []
_reminders: list[int] = []
_said: list[int] = []


def catch_signals() -> None:
    """From now on the signals unwind the stack; the second one ends the process at once.

    One that was ignored before (nohup) stays ignored. Where torchrun has started several processes, SIGTERM keeps its
    meaning: a process that waits for the others in a library would not come to unwind.
    """
    for name, number in _numbers():
        is_of_several = name == "SIGTERM" and "WORLD_SIZE" in os.environ
        if signal.getsignal(number) != signal.SIG_IGN and not is_of_several:
            signal.signal(number, _unwind)
    sys.unraisablehook = _unwind_again


def ignore_signals() -> None:
    """From now on none of them has an effect: all is done, or has been said."""
    for _, number in _numbers():
        signal.signal(number, signal.SIG_IGN)


def received() -> int | None:
    """The first signal that came, whatever exception it has become on its way through libraries."""
    return _received[0] if _received else None


def heed(number: int) -> None:
    """Notes a signal that a handler of its own has answered: the command ends because of it, once it has saved."""
    _heeded.append(number)


def end_interrupted() -> NoReturn:
    """Says in one line that a signal ended the command, and ends the process."""
    ignore_signals()
    number = received() or next(iter(_heeded), signal.SIGINT)
    say_received(number)
    sys.exit(128 + number)


def say_received(number: int) -> None:
    """Says once which signal ended the command."""
    if not _said:
        _said.append(number)
        say(next(NAMES[name] for name, each in _numbers() if each == number))


def say(text: str) -> None:
    """One line on standard error, as bytes: the stream may be in the middle of a line, full or closed."""
    with suppress(OSError, ValueError, AttributeError):  # what is said now matters more
        sys.stderr.flush()
    with suppress(OSError):  # there is no other place to say it
        os.write(STANDARD_ERROR, f"nmt-attn: {text}\n".encode("utf-8", "backslashreplace"))


def _numbers() -> list[tuple[str, int]]:
    return [(name, getattr(signal, name)) for name in NAMES if hasattr(signal, name)]


def _unwind_again(unraisable: Any) -> None:
    """Where Python could not unwind, as in a callback of a library, it tries once more a moment later."""
    if _received and isinstance(unraisable.exc_value, KeyboardInterrupt):
        interrupt_main(signal.Signals(_received.pop()))
    else:
        sys.__unraisablehook__(unraisable)


def _unwind(number: int, frame: FrameType | None) -> None:
    if _reminders:
        _reminders.pop()
    else:
        _received.append(number)
        if len(_received) > 1:
            os._exit(128 + number)
    if _is_importing(frame):  # C++ that initialises a library would abort at an exception
        start_new_thread(_remind, (number, get_ident()))
    else:
        raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTS:
            return True
        frame = frame.f_back
    return False


def _remind(number: int, main_thread: int) -> None:
    time.sleep(POSTPONED_SECONDS)
    _reminders.append(number)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, number)  # which ends its waiting in the system, too
    else:
        interrupt_main(signal.Signals(number))
