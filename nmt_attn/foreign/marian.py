"""Models of Marian, `--type s2s` and `nematus` (`.npz`), and of nematus, under Marian's names.

The conditional order of nmt_attn/model/conditional.py. Marian writes matrices from left to right, x W, so that each is
transposed here. Before the first word there is 0 in place of a word vector. Cells: nmt_attn/foreign/marian_cells.py.

The encoder has two stacks, which meet at the top. In an alternating stack every second layer reads the other way; its
top is named by the way in which its bottom layer reads, while our states have the forward direction first.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nmt_attn.foreign.foreign_model import Reasons, Taken
from nmt_attn.foreign.marian_cells import CELLS, CellReader

_FIXED = {
    "layer-normalization": False,
    "factors-dim-emb": 0,
    "lemma-dim-emb": 0,
    "input-types": [],
    "right-left": False,
    "dec-attention-hops": 1,
    "dec-attention-heads": 1,
    "dec-attention-projection-dim": -1,
    "ulr": False,
    "output-omit-bias": False,
}
"""Options that are taken at one value alone."""
NEMATUS_FIXED = {
    "encoder": "gru",
    "decoder": "gru_cond",
    "decoder_deep": "gru",
    "enc_depth_bidirectional": None,
    "output_hidden_activation": "tanh",
    "old_dropout": False,
}
"""Those of nematus: `enc_depth_bidirectional` of another depth than the encoder's, old dropout of `model_version` 0."""
DEEP_CONTEXT = "dec_deep_context"
"""Whether the context enters every layer of the decoder; no option of Marian's."""
FORWARD_FIRST = "forward-first"
"""Whether the encoder's states have what the top layer read forward first, as in nematus; no option of Marian's."""
_STACKS = {"bidirectional": "separate", "alternating": "alternating", "bi-unidirectional": "bottom"}
"""Of several layers, what `encoder.bidirectional` says here."""


def check_options(options: Mapping[str, Any], reasons: Reasons) -> None:
    """Adds what cannot be expressed."""
    for name, plain in {**_FIXED, **NEMATUS_FIXED}.items():
        value = options.get(name, plain)
        reasons.unless(value == plain, f"{name} {value}")
    for side in ("enc", "dec"):
        cell = options.get(f"{side}-cell", "gru")
        reasons.unless(cell in CELLS, f"{side}-cell {cell}")
    base = options.get("dec-cell-base-depth", 2)
    reasons.unless(base >= 2, f"dec-cell-base-depth {base}")
    kind = options.get("enc-type", "bidirectional")
    reasons.unless(kind in _STACKS, f"enc-type {kind}")
    if options.get("skip", False):
        is_added = options["dim-emb"] == 2 * options["dim-rnn"]  # ours would add word vectors to the bottom layer
        reasons.unless(options["enc-depth"] == 1 or not is_added, "skip with dim-emb of twice dim-rnn")


class Reader:
    """Takes the weights of one model, by Marian's names."""

    def __init__(self, taken: Taken, options: Mapping[str, Any]) -> None:
        self.taken = taken
        self.options = options
        self.size: int = options["dim-rnn"]  # H
        self.depths: dict[str, int] = {side: options.get(f"{side}-depth", 1) for side in ("enc", "dec")}
        self.cells = {side: CellReader(taken, options.get(f"{side}-cell", "gru"), self.size) for side in ("enc", "dec")}
        self.encoder_row: int = options.get("enc-cell-depth", 1)
        self.base_row: int = options.get("dec-cell-base-depth", 2)  # with the cell before the look
        self.high_row: int = options.get("dec-cell-high-depth", 1)
        self.kind: str = options.get("enc-type", "bidirectional")
        self.has_deep_context: bool = options.get(DEEP_CONTEXT, False) and self.depths["dec"] > 1

    def keys(self) -> dict[str, Any]:
        """Of the configuration, below `model`, without what the vocabularies say."""
        layers, embedding = self.depths, self.options["dim-emb"]
        stacks = _STACKS[self.kind] if layers["enc"] > 1 else True
        found: dict[str, Any] = {
            "encoder.cell": self.cells["enc"].kind,
            "encoder.layers": layers["enc"],
            "encoder.hidden": self.size,
            "encoder.bidirectional": stacks,
            "encoder.embedding": embedding,
            "attention.score": "additive",
            "attention.bias": True,
            "attention.hidden": self.size if stacks == "bottom" else 2 * self.size,
            "decoder.style": "conditional",
            "decoder.cell": self.cells["dec"].kind,
            "decoder.layers": layers["dec"],
            "decoder.hidden": self.size,
            "decoder.embedding": embedding,
            "decoder.init": "mean",
            "decoder.readout": "deep",
            "decoder.readout_hidden": embedding,
        }
        found |= {"decoder.init_shared": True} if layers["dec"] > 1 else {}
        found |= {"decoder.deep_context": True} if self.has_deep_context else {}
        found |= {"decoder.init_cell": "copy"} if self.cells["dec"].kind == "lstm" else {}
        rows = [self.base_row - 1] + [self.high_row] * (layers["dec"] - 1)
        found |= {"encoder.transition_depth": self.encoder_row} if self.encoder_row > 1 else {}
        found |= {"decoder.transition_depth": rows} if max(rows) > 1 else {}
        if self.options.get("skip", False):
            found |= {f"{long}.residual": True for long, side in _SIDES if layers[side] > 1}
        return found

    def weights(self) -> dict[str, Tensor]:
        """All weights by our names."""
        return self._words() | self._encoder() | self._decoder() | self._attention() | self._readout()

    def matrix(self, name: str) -> Tensor:
        """x W -> W x."""
        return self.taken(name).T

    def vector(self, name: str) -> Tensor:
        """[1, N] -> [N]."""
        return self.taken(name).flatten()

    def _words(self) -> dict[str, Tensor]:
        is_one = self.options.get("tied-embeddings-src", False) or self.options.get("tied-embeddings-all", False)
        names = ("Wemb", "Wemb") if is_one else ("encoder_Wemb", "decoder_Wemb")
        source, target = map(self.taken, names)
        return {"source_embedding.weight": source, "target_embedding.weight": target, **self._output(target)}

    def _output(self, target: Tensor) -> dict[str, Tensor]:
        root = "decoder_ff_logit_l2"
        if self.options.get("tied-embeddings", False) or self.options.get("tied-embeddings-all", False):
            weight = target
        elif f"{root}_Wt" in self.taken:
            weight = self.taken(f"{root}_Wt")
        else:
            weight = self.matrix(f"{root}_W")
        return {"output.weight": weight, "output.bias": self.vector(f"{root}_b")}

    def _encoder(self) -> dict[str, Tensor]:
        is_bottom = self.kind == "bi-unidirectional"
        found: dict[str, Tensor] = {}
        for depth in range(1 if is_bottom else self.depths["enc"]):
            for stack, root in enumerate(("encoder_bi", "encoder_bi_r")):
                names = [f"{root}_l{depth + 1}_cell{i + 1}" for i in range(self.encoder_row)]
                if depth == 0:
                    names = [root, *(f"{root}_cell{i + 1}" for i in range(1, self.encoder_row))]
                direction = self.direction(stack, depth)
                ours = f"encoder.layers.{depth}.directions.{direction}.layer"
                found |= self.cells["enc"].row(names, f"{ours}.input_to_gates", f"{ours}.cell")
        for depth in range(1, self.depths["enc"] if is_bottom else 1):
            ours = f"encoder.layers.{depth}.directions.0.layer"
            names = [f"encoder_l{depth + 1}_cell{i + 1}" for i in range(self.encoder_row)]
            found |= self.cells["enc"].row(names, f"{ours}.input_to_gates", f"{ours}.cell")
        return found

    def direction(self, stack: int, depth: int) -> int:
        """Which way a layer of one of the two stacks reads: 1 is backward."""
        return (stack + depth) % 2 if self.kind == "alternating" else stack

    def _of_context(self, weight: Tensor) -> Tensor:
        """A matrix over the encoder's states: the first half of Marian's comes from the stack that began forward."""
        is_swapped = self.direction(0, self.depths["enc"] - 1) == 1 and not self.options.get(FORWARD_FIRST, False)
        return torch.cat(weight.chunk(2, 1)[::-1], 1) if is_swapped else weight

    def _decoder(self) -> dict[str, Tensor]:
        root, row = "decoder", self.cells["dec"].row
        found = row([f"{root}_cell1"], f"{root}.embedding_to_gates", f"{root}.bottom")
        inputs, names = f"{root}.second.input_to_gates", [f"{root}_cell{i + 1}" for i in range(1, self.base_row)]
        second = row(names, inputs, f"{root}.second.cell", is_final=True)
        found |= second | {f"{inputs}.weight": self._of_context(second[f"{inputs}.weight"])}
        for depth in range(1, self.depths["dec"]):
            ours = f"{root}.upper.{depth - 1}"
            names = [f"{root}_l{depth + 1}_cell{i + 1}" for i in range(self.high_row)]
            found |= row(names, f"{ours}.input_to_gates", f"{ours}.cell")
            if self.has_deep_context:
                below, context = found[f"{ours}.input_to_gates.weight"].tensor_split([self.size], 1)
                found[f"{ours}.input_to_gates.weight"] = torch.cat([below, self._of_context(context)], 1)
        for depth in range(self.depths["dec"]):
            ours = f"{root}.start_state.hidden.{depth}.projection"
            found |= {
                f"{ours}.weight": self._of_context(self.matrix(f"{root}_ff_state_W")),
                f"{ours}.bias": self.vector(f"{root}_ff_state_b"),
            }
        return found

    def _attention(self) -> dict[str, Tensor]:
        ours = "decoder.attention.score"
        return {
            f"{ours}.query_projection.weight": self.matrix("decoder_W_comb_att"),
            f"{ours}.query_projection.bias": self.vector("decoder_b_att"),
            f"{ours}.key_projection.weight": self._of_context(self.matrix("decoder_Wc_att")),
            f"{ours}.vector": self.vector("decoder_U_att"),
        }

    def _readout(self) -> dict[str, Tensor]:
        ours, theirs = "decoder.readout", "decoder_ff_logit_l1"
        biases = sum((self.vector(f"{theirs}_b{part}").double() for part in range(3)), torch.zeros(1).double())
        return {
            f"{ours}.embedding_projection.weight": self.matrix(f"{theirs}_W0"),
            f"{ours}.state_projection.weight": self.matrix(f"{theirs}_W1"),
            f"{ours}.state_projection.bias": biases,
            f"{ours}.context_projection.weight": self._of_context(self.matrix(f"{theirs}_W2")),
        }


_SIDES = (("encoder", "enc"), ("decoder", "dec"))
