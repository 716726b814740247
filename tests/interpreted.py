"""Triton's interpreter, where there is no GPU: import this before any kernel. Skips the importing test without Triton.

NumPy 2.4 refuses to make an int of an array of one number, as the interpreter of Triton 3.6 does for `range`.
"""

import os
from typing import Any

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are imported
pytest.importorskip("triton", reason="needs Triton")

from triton.runtime import interpreter

_patch = interpreter._patch_lang_tensor


def _patched(tensor: Any, scope: Any) -> None:
    _patch(tensor, scope)
    scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())


interpreter._patch_lang_tensor = _patched
