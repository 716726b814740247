"""Number formats inside the model: products may be taken in bfloat16, what is carried over steps may not."""

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """bfloat16 as float32; float32 and float64 as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
