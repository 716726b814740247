"""For all tests: what a command sets for its whole process does not outlive the test that ran it."""

import signal
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> None:
    """Under `nohup`, or behind a script's `&`, a suite ignores SIGHUP and SIGINT, and so would all that it starts."""
    for number, default in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(autouse=True)
def _keep_denormals() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)
