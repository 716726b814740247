"""For all tests: what a command sets for its whole process does not outlive the test that ran it."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _keep_denormals() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)
