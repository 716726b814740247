"""An LSTM over whole sentences in one call, for encoding in search on a CPU: torch's own, which oneDNN runs.

It gives back the states of every step but only the last cell state, which must be that of each sentence's own last
token. So padding is marked by one more input, whose weights close the input gate and open the forget gate: the cell
state then stays as it is. Values equal the loop's (tests/model/test_packed.py).
"""

import torch
from torch import Tensor, nn

from nmt_attn.model.encoder import Direction, reverse
from nmt_attn.model.state import gather_last
from nmt_attn.types import length_mask

SHUT = 1000.0
"""What shuts or opens a gate whatever else reaches it: the sigmoid is 0 or 1 exactly."""


class FusedDirection(nn.Module):
    """Stands for one direction of an encoder's LSTM layer, float32."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        layer = direction.layer
        self.is_backward = direction.is_backward
        self.hidden = layer.cell.hidden
        entering, recurrent = layer.input_to_gates.weight.detach(), layer.cell.recurrent.weight.detach()
        of_padding = entering.new_zeros(4, self.hidden, 1)  # i, f, g, o
        of_padding[0], of_padding[1] = -SHUT, SHUT
        bias = layer.input_to_gates.bias.detach()
        self.weights = [torch.cat([entering, of_padding.flatten(0, 1)], 1), recurrent, bias, torch.zeros_like(bias)]

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """inputs [B, S, I], lengths [B] -> states [B, S, H], and hidden and cell [B, H] after the last token read."""
        if self.is_backward:
            inputs = reverse(inputs, lengths)
        rows, steps, _ = inputs.shape
        is_padding = ~length_mask(lengths, steps)
        marked = torch.cat([inputs, is_padding.unsqueeze(2).to(inputs.dtype)], -1)
        zeros = inputs.new_zeros(1, rows, self.hidden)
        states, _, cell = torch.lstm(
            marked,
            (zeros, zeros),
            self.weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=False,
            bidirectional=False,
            batch_first=True,
        )
        final = gather_last(states, lengths)
        return (reverse(states, lengths) if self.is_backward else states), final, cell[0]
