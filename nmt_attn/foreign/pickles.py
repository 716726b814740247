"""Pickles of other toolkits, read without running anything that they name.

A pickle names functions and classes, and asks to call them. Here a name that rebuilds a tensor, an array or a plain
container is what it says; any other name is a stand-in that keeps what it is called with and does nothing.
"""

import argparse
import collections
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
import torch
import torch._utils
from numpy._core import multiarray
from safetensors import SafetensorError

from nmt_attn.errors import DataError
from nmt_attn.files import reason


class Inert:
    """Stands for an object of a class that is not read."""

    args: tuple[object, ...]
    items: list[object]
    entries: dict[object, object]

    def __new__(cls, *args: object, **named: object) -> "Inert":
        """Without __init__, which newer pickles never call."""
        made = super().__new__(cls)
        made.args, made.items, made.entries = args, [], {}
        return made

    def __setstate__(self, state: object) -> None:
        self.entries.update(state if isinstance(state, dict) else {"state": state})

    def __setitem__(self, key: object, value: object) -> None:
        self.entries[key] = value

    def append(self, item: object) -> None:
        """A further item of a list."""
        self.items.append(item)

    def extend(self, items: list[object]) -> None:
        """Further items of a list."""
        self.items.extend(items)


_PLAIN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "Counter"): collections.Counter,
    ("argparse", "Namespace"): argparse.Namespace,
    ("types", "SimpleNamespace"): SimpleNamespace,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{("builtins", kind.__name__): kind for kind in (set, frozenset, dict, list, tuple, int, float, str, bytes)},
}
_ARRAYS = {name: getattr(multiarray, name) for name in ("_reconstruct", "scalar")}
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class Unpickler(pickle.Unpickler):
    """Knows the names of `_PLAIN`, arrays and the number formats of torch; makes `Inert` of all others."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for."""
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module in _ARRAY_MODULES and name in _ARRAYS:
            return _ARRAYS[name]
        if module == "torch" and isinstance(found := getattr(torch, name, None), torch.dtype):
            return found
        return Inert


class _PickleModule:
    """What torch.load asks a module of pickles for."""

    __name__ = "nmt_attn.foreign.pickles"
    Unpickler = Unpickler

    @staticmethod
    def load(stream: IO[bytes], **named: Any) -> Any:
        """One object of an older file."""
        return Unpickler(stream, **named).load()


_UNREADABLE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    SafetensorError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A file of torch.save, on the CPU. Raises DataError unless it holds a dictionary."""
    try:
        found = torch.load(path, map_location="cpu", pickle_module=_PickleModule, weights_only=False)
    except _UNREADABLE as error:
        raise DataError(f"{path}: expected a checkpoint of PyTorch, got {reason(error)}") from error
    except (AttributeError, IndexError, ImportError, AssertionError) as error:
        raise DataError(f"{path}: expected a checkpoint of PyTorch, got a damaged one: {error!r:.200}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a checkpoint with a dictionary, got {type(found).__name__}")
    return found
