"""Context gate: how much of what Luong's decoder hands on comes from the source, and how much from the target.

    z = sigmoid(W_z [y ; f ; s ; h~] + b_z)       S = W_S h~ + b_S       T = W_T [y ; f ; s] + b_T
    source    tanh(T + z * S)
    target    tanh(z * T + S)
    both      tanh((1 - z) * T + z * S)

Tu et al. 2017 (arXiv 1608.06043), section 3; y is the last word, f what is fed back, s the new state. The result takes
h~'s place in output and feeding. Differs: there the source side is c_t and the result is the next state; over h~, as
here, the gate stands in OpenNMT-py (`context_gate`).
"""

import torch
from torch import Tensor, nn

from nmt_attn import registries
from nmt_attn.model.initialise import Projection
from nmt_attn.registry import Registry


class ContextGate(nn.Module):
    """Contract: where the gate z stands."""

    def __init__(self, target: int, hidden: int) -> None:
        super().__init__()
        self.gate = Projection(target + hidden, hidden)  # W_z, b_z
        self.source_projection = Projection(hidden, hidden)  # W_S, b_S
        self.target_projection = Projection(target, hidden)  # W_T, b_T

    def forward(self, attentional: Tensor, target: Tensor) -> Tensor:
        """h~ [..., H], [y ; f ; s] [..., E + F + H] -> [..., H]."""
        gate = torch.sigmoid(self.gate(torch.cat([target, attentional], -1)))
        return self.mix(gate, self.source_projection(attentional), self.target_projection(target)).tanh()

    def mix(self, gate: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """z, S, T [..., H] -> what goes through tanh."""
        raise NotImplementedError


class Source(ContextGate):
    """The gate is on the source side."""

    def mix(self, gate: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return target + gate * source


class Target(ContextGate):
    """The gate is on the target side."""

    def mix(self, gate: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return gate * target + source


class Both(ContextGate):
    """The gate shares out between the two."""

    def mix(self, gate: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return torch.lerp(target, source, gate)


CONTEXT_GATES: Registry[type[ContextGate]] = registries.CONTEXT_GATES
