"""A device that is not the CPU, on the CPU: real numbers, tensors that say they lie elsewhere.

As on a GPU, a CPU tensor and one of the device may not meet in an operation, but for a number without axes. What makes
a host wait for a GPU is noted: a number read, a copy back, a shape or a check that depends on values, an index from
the CPU.

Importing this registers a backend with torch for the whole process, so tests run it in one of their own
(tests/test_pretended_gpu.py).
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

import nmt_attn

NAME = "pretended"
PACKAGE = str(Path(nmt_attn.__file__).parent)
aten = torch.ops.aten
# Their shape or an error in them depends on values. aten::multinomial reads whether its input is sound.
CHECKED = {aten.nonzero.default, aten.masked_select.default, aten.equal.default, aten.multinomial.default}
INDEXING = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
DEVICE = torch.device(NAME, 0)

LOWERED = ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "addmv", "mv")
RAISED = ("softmax.int", "log_softmax.int", "exp", "log", "pow.Tensor_Scalar")
"""Operations that autocast runs in its own number format, and in float32, as on a GPU; those of this package alone."""

_casts: dict[int, tuple[Tensor, Tensor]] = {}
_clear_casts = torch.clear_autocast_cache


def _clear_all_casts() -> None:
    _casts.clear()
    _clear_casts()


def _cast(tensor: Any, dtype: torch.dtype) -> Any:
    """As on a GPU, weights are cast once in an autocast block."""
    if not isinstance(tensor, Tensor) or tensor.dtype not in (torch.float32, torch.bfloat16) or tensor.dtype == dtype:
        return tensor
    if not (tensor.is_leaf and tensor.requires_grad and torch.is_autocast_cache_enabled()):
        return tensor.to(dtype)
    if id(tensor) not in _casts:
        _casts[id(tensor)] = tensor, tensor.to(dtype)
    return _casts[id(tensor)][1]


def _autocast(name: str, *, is_lowered: bool) -> Any:
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(aten, packet), overload or "default")
    own = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def run(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(own):
            dtype = torch.get_autocast_dtype(NAME) if is_lowered else torch.float32
            return operation(*(_cast(each, dtype) for each in args), **kwargs)

    return run


_fallback = torch.library.Library("_", "IMPL")
_fallback.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
_library = torch.library.Library("aten", "IMPL")
for _name in (*LOWERED, *RAISED):
    _library.impl(_name, _autocast(_name, is_lowered=_name in LOWERED), "AutocastPrivateUse1")
torch.clear_autocast_cache = _clear_all_casts


class Elsewhere(Tensor):
    """A tensor of the device; its numbers are those of a CPU tensor."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "Elsewhere":
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            numbers.size(),
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=DEVICE,
        )
        made.numbers = numbers
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        return self.cpu().tolist()  # torch refuses it for classes that are not its own

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of the block")


class Pretending(TorchDispatchMode):
    """A block in which there is the device.

    `waits` counts what a host would wait for, by place in the package; `sent` what is copied to the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to keep away from it would import it, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = list(_tensors((args, kwargs)))
        of_device = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
        wanted = kwargs.get("device")
        if not of_device and (wanted is None or torch.device(wanted).type != NAME):
            return func(*args, **kwargs)
        is_copy = func in (aten._to_copy.default, aten.copy_.default)
        if of_device and not is_copy:
            self._check(func, tensors)
        self._note(func, args, kwargs, of_device)
        goes_home = wanted is not None and torch.device(wanted).type == "cpu"
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if func is aten.mm.dtype:  # which a CPU does not have: factors in bf16, sums in float32
            result = aten.mm(*(factor.to(args[2]) for factor in _numbers(args[:2])))
        else:
            result = func(*_numbers(args), **_numbers(kwargs))
        if func is aten.copy_.default and not isinstance(args[0], Elsewhere):
            return result
        if func.overloadpacket is aten._local_scalar_dense or goes_home:
            return result
        given = {id(tensor.numbers): tensor for tensor in of_device}
        return _wrapped(result, given)

    def _check(self, func: Any, tensors: list[Tensor]) -> None:
        """Raises where a CPU tensor meets one of the device. As on a GPU, one without axes may, and an index."""
        strangers = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim() > 0]
        if strangers and func not in INDEXING:
            raise RuntimeError(f"{func}: expected tensors on one device, got one on the CPU{_place()}")

    def _note(self, func: Any, args: Any, kwargs: Any, of_device: list[Elsewhere]) -> None:
        wanted = kwargs.get("device")
        is_read = func is aten._local_scalar_dense.default
        goes_home = bool(of_device) and wanted is not None and torch.device(wanted).type == "cpu"
        goes_home |= func is aten.copy_.default and not isinstance(args[0], Elsewhere)
        is_checked = func in CHECKED
        if func in INDEXING:
            indices = [index for index in args[1] if index is not None]
            is_checked = any(index.dtype == torch.bool or not isinstance(index, Elsewhere) for index in indices)
        is_sent = wanted is not None and torch.device(wanted).type == NAME and not of_device
        is_sent |= func is aten.copy_.default and not isinstance(args[1], Elsewhere)
        if is_sent and any(True for _ in _tensors(args)):
            self.sent[f"{func.overloadpacket.__name__}{_place()}"] += 1
        if of_device and (is_read or goes_home or is_checked):
            self.waits[f"{func.overloadpacket.__name__}{_place()}"] += 1


CUDNN: list[Any] = []
"""Who wants to hear the name of each call that is cuDNN's on a GPU."""
_plain = {"lstm": torch.lstm, "gru": torch.gru}


class _OneCall(Function):
    """torch's LSTM or GRU over whole sequences, on the numbers."""

    @staticmethod
    def forward(ctx: Any, name: str, options: Any, inputs: Elsewhere, *rest: Elsewhere) -> tuple[Tensor, ...]:
        given = [part.numbers.detach().requires_grad_() for part in (inputs, *rest)]
        states = given[1:3] if name == "lstm" else given[1]
        with torch.enable_grad():
            made = _plain[name](given[0], states, given[3 if name == "lstm" else 2 :], *options)  # type: ignore[operator]
        ctx.given, ctx.made = given, made
        _tell("cudnn")
        return tuple(Elsewhere(part.detach()) for part in made)

    @staticmethod
    def backward(ctx: Any, *grads: Elsewhere) -> tuple[Any, ...]:
        found = torch.autograd.grad(ctx.made, ctx.given, [grad.numbers for grad in grads])
        _tell("cudnn, back")
        _tell("cudnn, weights")
        return None, None, *(Elsewhere(part) for part in found)


def _tell(name: str) -> None:
    for observer in CUDNN:
        observer(name)


def _lstm(inputs: Tensor, states: tuple[Tensor, Tensor], weights: list[Tensor], *options: Any) -> Any:
    if isinstance(inputs, Elsewhere):
        return _OneCall.apply("lstm", options, inputs, *states, *weights)
    return _plain["lstm"](inputs, states, weights, *options)


def _gru(inputs: Tensor, state: Tensor, weights: list[Tensor], *options: Any) -> Any:
    if isinstance(inputs, Elsewhere):
        return _OneCall.apply("gru", options, inputs, state, *weights)
    return _plain["gru"](inputs, state, weights, *options)


torch.lstm, torch.gru = _lstm, _gru


def _tensors(part: Any) -> Any:
    if isinstance(part, Tensor):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from _tensors(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _tensors(value)


def _numbers(part: Any) -> Any:
    """The same on the CPU."""
    if isinstance(part, Elsewhere):
        return part.numbers
    if isinstance(part, list | tuple):
        return type(part)(_numbers(each) for each in part)
    return {key: _numbers(value) for key, value in part.items()} if isinstance(part, dict) else part


def _wrapped(part: Any, given: dict[int, Elsewhere]) -> Any:
    """The same on the device: what was given is given back."""
    if isinstance(part, Tensor):
        return given[id(part)] if id(part) in given else Elsewhere(part)
    return type(part)(_wrapped(each, given) for each in part) if isinstance(part, list | tuple) else part


def _place() -> str:
    """Where in the package: the innermost function of it."""
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return ""
    return f" in {Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
