"""Models of Marian, `--type s2s` and `nematus` (`.npz`), and of nematus, under Marian's names.

The conditional order of nmt_attn/model/conditional.py. Marian writes matrices from left to right, x W, so that each is
transposed here, and keeps the gates of a GRU apart from its candidate: U [H, 2H] and Ux [H, H]. Its gates r, z are in
our order; those of an LSTM are f, i, g, o. Before the first word there is 0 in place of a word vector.

The encoder has two stacks, which meet at the top. In an alternating stack every second layer reads the other way; its
top is named by the way in which its bottom layer reads, while our states have the forward direction first.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nmt_attn.foreign.foreign_model import Reasons, Taken

CELLS = {"gru": "gru", "gru-nematus": "gru", "lstm": "lstm", "tanh": "rnn"}
_FIXED = {
    "layer-normalization": False,
    "factors-dim-emb": 0,
    "lemma-dim-emb": 0,
    "input-types": [],
    "right-left": False,
    "enc-cell-depth": 1,
    "dec-cell-base-depth": 2,
    "dec-cell-high-depth": 1,
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
    "dec_deep_context": False,
    "enc_depth_bidirectional": None,
    "output_hidden_activation": "tanh",
    "old_dropout": False,
}
"""Those of nematus: `enc_depth_bidirectional` of another depth than the encoder's, old dropout of `model_version` 0."""
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
        self.cells = {side: CELLS[options.get(f"{side}-cell", "gru")] for side in ("enc", "dec")}
        self.kind: str = options.get("enc-type", "bidirectional")

    def keys(self) -> dict[str, Any]:
        """Of the configuration, below `model`, without what the vocabularies say."""
        layers, embedding = self.depths, self.options["dim-emb"]
        stacks = _STACKS[self.kind] if layers["enc"] > 1 else True
        found: dict[str, Any] = {
            "encoder.cell": self.cells["enc"],
            "encoder.layers": layers["enc"],
            "encoder.hidden": self.size,
            "encoder.bidirectional": stacks,
            "encoder.embedding": embedding,
            "attention.score": "additive",
            "attention.bias": True,
            "attention.hidden": self.size if stacks == "bottom" else 2 * self.size,
            "decoder.style": "conditional",
            "decoder.cell": self.cells["dec"],
            "decoder.layers": layers["dec"],
            "decoder.hidden": self.size,
            "decoder.embedding": embedding,
            "decoder.init": "mean",
            "decoder.readout": "deep",
            "decoder.readout_hidden": embedding,
        }
        found |= {"decoder.init_shared": True} if layers["dec"] > 1 else {}
        found |= {"decoder.init_cell": "copy"} if self.cells["dec"] == "lstm" else {}
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

    def cell(self, name: str, inputs: str, ours: str, *, side: str, is_final: bool = False) -> dict[str, Tensor]:
        """A cell with inputs; `is_final`: the bias of a GRU's candidate stands beside U h."""
        kind = self.cells[side]
        weight, recurrent = (self._gates(f"{name}_{part}", kind) for part in "WU")
        bias = torch.cat([self.vector(f"{name}_b"), self.vector(f"{name}_bx")]) if kind == "gru" else None
        found = {f"{inputs}.weight": weight, f"{ours}.recurrent.weight": recurrent}
        if bias is None:
            return {**found, f"{inputs}.bias": _our_gates(self.vector(f"{name}_b"), kind)}
        beside = torch.zeros_like(bias)
        if is_final:
            beside[2 * self.size :] = bias[2 * self.size :]
        return {**found, f"{inputs}.bias": bias - beside, f"{ours}.recurrent.bias": beside}

    def _gates(self, name: str, kind: str) -> Tensor:
        """[G x H, inputs]."""
        if kind == "gru":
            return torch.cat([self.matrix(name), self.matrix(f"{name}x")])
        return _our_gates(self.matrix(name), kind)

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
                name = f"{root}_l{depth + 1}_cell1" if depth else root
                direction = self.direction(stack, depth)
                ours = f"encoder.layers.{depth}.directions.{direction}.layer"
                found |= self.cell(name, f"{ours}.input_to_gates", f"{ours}.cell", side="enc")
        for depth in range(1, self.depths["enc"] if is_bottom else 1):
            ours = f"encoder.layers.{depth}.directions.0.layer"
            name = f"encoder_l{depth + 1}_cell1"
            found |= self.cell(name, f"{ours}.input_to_gates", f"{ours}.cell", side="enc")
        return found

    def direction(self, stack: int, depth: int) -> int:
        """Which way a layer of one of the two stacks reads: 1 is backward."""
        return (stack + depth) % 2 if self.kind == "alternating" else stack

    def _of_context(self, weight: Tensor) -> Tensor:
        """A matrix over the encoder's states: the first half of Marian's comes from the stack that began forward."""
        is_swapped = self.direction(0, self.depths["enc"] - 1) == 1 and not self.options.get(FORWARD_FIRST, False)
        return torch.cat(weight.chunk(2, 1)[::-1], 1) if is_swapped else weight

    def _decoder(self) -> dict[str, Tensor]:
        root = "decoder"
        found = self.cell(f"{root}_cell1", f"{root}.embedding_to_gates", f"{root}.bottom", side="dec")
        inputs = f"{root}.second.input_to_gates"
        second = self.cell(f"{root}_cell2", inputs, f"{root}.second.cell", side="dec", is_final=True)
        found |= second | {f"{inputs}.weight": self._of_context(second[f"{inputs}.weight"])}
        for depth in range(1, self.depths["dec"]):
            ours = f"{root}.upper.{depth - 1}"
            name = f"{root}_l{depth + 1}_cell1"
            found |= self.cell(name, f"{ours}.input_to_gates", f"{ours}.cell", side="dec")
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


def _our_gates(rows: Tensor, kind: str) -> Tensor:
    """Gates of an LSTM in our order; of others as they are."""
    if kind != "lstm":
        return rows
    forget, insert, candidate, output = rows.chunk(4)
    return torch.cat([insert, forget, candidate, output])
