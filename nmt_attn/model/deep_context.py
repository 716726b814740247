"""A context for every layer: the bottom layer looks, and those above it read what it saw beside the layer below.

s^l_t = cell(s^l_{t-1}, W s^{l-1}_t + C c_t), l > 1
bahdanau      c_t = attention(s^1_{t-1})      Wu et al. 2016 (arXiv 1609.08144), section 3; `gnmt` of tensorflow/nmt
luong         c_t = attention(s^1_t)          `gnmt_v2` of tensorflow/nmt; sockeye
conditional   c_t = attention(s'_t)           nematus, for deep models; nmt_attn/model/conditional.py looks there anyway
"""

from torch import Tensor

from nmt_attn.model.bahdanau import BahdanauDecoder
from nmt_attn.model.luong import Looked, LuongDecoder, Noise
from nmt_attn.model.state import DecoderState, Memory, Weights


class BahdanauDeepContext(BahdanauDecoder):
    """Bahdanau's order, asked by the bottom layer."""

    def query(self, state: DecoderState) -> Tensor:
        return state.layers[0].hidden


class LuongDeepContext(LuongDecoder):
    """Luong's order: the bottom layer updates and looks, then those above update."""

    def look_all(self, gates: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, Tensor, Weights]:
        hidden, _ = self.bottom.sequence(gates, state.layers[0])
        context, weights = self.attend_all(hidden, state, memory)
        return self.upper_layers(hidden, context, state.layers[1:]), context, weights

    def look(self, word_gates: Tensor, state: DecoderState, memory: Memory, noise: Noise) -> Looked:
        bottom = self.bottom_step(word_gates, state.feed, state.layers[0])
        context, weights = self.attend(bottom.hidden, state, memory)
        top, above = self.upper_layers_step(bottom.hidden, context, state.layers[1:], noise.layers)
        return Looked((bottom, *above), top, context, weights)
