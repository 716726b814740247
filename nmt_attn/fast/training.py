"""The accelerated form of a model for whole targets: training, validation and forced decoding."""

import torch

from nmt_attn.fast.attention import FastAttention
from nmt_attn.fast.decoders import FastAttentionalState, FastBahdanau, FastLuong
from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.gpu.operation import has_triton
from nmt_attn.fast.hard_attention import FastHardSeq2Seq
from nmt_attn.fast.products import FastLinear
from nmt_attn.fast.recurrence import FastGRU, FastLSTM, FastRecurrentLayer, FastTanhRNN
from nmt_attn.fast.views import Forms, view
from nmt_attn.model.attention import Attention
from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.cells import GRU, LSTM, RecurrentLayer, TanhRNN
from nmt_attn.model.hard_attention import HardSeq2Seq
from nmt_attn.model.initialise import GateProjection, Projection
from nmt_attn.model.luong import AttentionalState, LuongDecoder
from nmt_attn.model.seq2seq import Seq2Seq

PARTS: Forms = {
    GRU: FastGRU,
    LSTM: FastLSTM,
    TanhRNN: FastTanhRNN,
    RecurrentLayer: FastRecurrentLayer,
    Attention: FastAttention,
    AttentionalState: FastAttentionalState,
    BahdanauDecoder: FastBahdanau,
    LuongDecoder: FastLuong,
    HardSeq2Seq: FastHardSeq2Seq,
}
"""What training and search both use."""
TRAINING: Forms = {**PARTS, Projection: FastLinear, GateProjection: FastLinear}


def for_training(model: Seq2Seq) -> Seq2Seq:
    """A view of the model: the same parameters, `forward` with its gradients by hand where that is faster.

    Dropout is the model's own, so that `model.train()` and `model.eval()` reach it. A module of another package that
    asks for its own mode and has accelerated ones below it needs `train()` of the view as well.
    """
    return view(model, GPU if runs_on_gpu(model.output.weight.device) else TRAINING)


def runs_on_gpu(device: torch.device) -> bool:
    """True if the forms of a GPU are the faster ones there: elsewhere than on a CPU, with Triton if the device has it.

    Without Triton (PyTorch for Windows) each operation of theirs is many, and the loops by hand are faster.
    """
    return device.type not in ("cpu", "meta") and (device.type != "cuda" or has_triton())
