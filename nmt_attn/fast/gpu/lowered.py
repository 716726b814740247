"""Search in bf16 on a GPU: matrices are kept in bf16, so that a step casts none; states and scores stay float32.

The output layer multiplies in bf16 and sums in float32, so that scores of words do not tie by rounding.
"""

import copy
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from nmt_attn.fast.gpu.forms import GPU
from nmt_attn.fast.gpu.loss import COLUMNS
from nmt_attn.fast.views import Fast, view
from nmt_attn.model.seq2seq import Seq2Seq, StepReadout
from nmt_attn.model.state import DecoderState, Memory


def lowered(model: Seq2Seq) -> Seq2Seq:
    """A view of a copy of the model for inference, whose matrices are in bf16; some unused words are added."""
    copied = copy.deepcopy(model)
    made: dict[nn.Parameter, nn.Parameter] = {}  # tied matrices stay tied
    for module in copied.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            for name, weight in list(module.named_parameters(recurse=False)):
                made.setdefault(weight, nn.Parameter(weight.detach().bfloat16(), requires_grad=False))
                setattr(module, name, made[weight])
    copied.output = _padded(copied.output, model.output.bias)
    return view(copied, {**GPU, nn.Linear: LowOutput, Seq2Seq: LowSeq2Seq})


def _padded(output: nn.Linear, bias: Tensor) -> nn.Linear:
    """With words of probability 0 up to whole blocks: products are several times as fast on such sizes."""
    unused = -output.out_features % COLUMNS
    made = nn.Linear(output.in_features, output.out_features + unused, device="meta")
    made.weight = nn.Parameter(pad(output.weight.detach(), (0, 0, 0, unused)), requires_grad=False)
    made.bias = nn.Parameter(pad(bias.detach(), (0, unused), value=-torch.inf), requires_grad=False)  # not in bf16
    return made


class LowSeq2Seq(Fast, Seq2Seq):
    """The model with products in bf16."""

    def encode(self, src_ids: Tensor, src_lengths: Tensor) -> Memory:
        with _products(src_ids.device):
            return super().encode(src_ids, src_lengths)

    def start(self, memory: Memory) -> DecoderState:
        with _products(memory.mask.device):
            return super().start(memory)

    def step_readout(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepReadout:
        with _products(last_ids.device):
            return super().step_readout(last_ids, state, memory)


class LowOutput(Fast, nn.Linear):
    """W in bf16, b in float32."""

    def product(self, readout: Tensor) -> Tensor:
        """readout [N, R] -> W x [N, V] in float32, without b."""
        inputs = readout.to(self.weight.dtype)
        if inputs.device.type == "cpu":
            return inputs.float() @ self.weight.float().T
        return torch.mm(inputs, self.weight.T, out_dtype=torch.float32)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.product(inputs) + self.bias


def scores_of(output: nn.Module, readout: Tensor) -> tuple[Tensor, Tensor | None]:
    """readout [N, R] -> scores [N, V], and what is still to be added to them [V]."""
    if isinstance(output, LowOutput):
        return output.product(readout), output.bias
    return output(readout), None


def _products(device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)
