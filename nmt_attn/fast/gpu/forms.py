"""The forms of a model's parts on a GPU: what nmt_attn/fast/training.py and search.py take there."""

from nmt_attn.fast.gpu.attention import GpuAttention
from nmt_attn.fast.gpu.cells import GpuChoGRU, GpuGRU, GpuLSTM
from nmt_attn.fast.gpu.decoders import GpuBahdanau, GpuConditional, GpuLuong
from nmt_attn.fast.gpu.encoder import GpuDirection, GpuEncoderLayer, GpuRecurrentLayer
from nmt_attn.fast.views import Forms
from nmt_attn.model.attention import Attention
from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.cells import GRU, LSTM, ChoGRU, RecurrentLayer
from nmt_attn.model.conditional import ConditionalDecoder
from nmt_attn.model.encoder import Direction, EncoderLayer
from nmt_attn.model.luong import LuongDecoder

GPU: Forms = {
    GRU: GpuGRU,
    ChoGRU: GpuChoGRU,
    LSTM: GpuLSTM,
    RecurrentLayer: GpuRecurrentLayer,
    Direction: GpuDirection,
    EncoderLayer: GpuEncoderLayer,
    Attention: GpuAttention,
    BahdanauDecoder: GpuBahdanau,
    ConditionalDecoder: GpuConditional,
    LuongDecoder: GpuLuong,
}
