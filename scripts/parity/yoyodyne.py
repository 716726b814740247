"""Weights of yoyodyne's soft attention model under the names of this package.

Its decoder attends with the last state of the top layer, v . tanh(M [h ; s] + b), and its output layer sees the new
state alone. All layers start from one learned vector.
"""

from pathlib import Path

import torch

from nmt_attn.foreign.foreign_model import ForeignModel, Side, Taken, luong_decoder, torch_encoder


def read_yoyodyne(path: Path, tokens: list[str], cell: str, layers: int) -> ForeignModel:
    """A file with the weights alone, written by peer_yoyodyne.py."""
    taken = Taken(torch.load(path, weights_only=True), path)
    embedding, start = taken("embeddings.weight"), taken("decoder.h0")
    hidden, context = len(start), taken("decoder.attention.M.weight").shape[1] - len(start)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    names = [[f"decoder.module.{kind}_l{layer}" for kind in kinds] for layer in range(layers)]
    decoder = luong_decoder(taken, names, embedding=embedding.shape[1], feed=context, cell=cell)
    of_context, of_query = taken("decoder.attention.M.weight").split([context, hidden], 1)
    weights = {
        "source_embedding.weight": embedding,
        "target_embedding.weight": embedding,
        **torch_encoder(taken, "source_encoder.module", layers=layers, directions=2, cell=cell),
        **{name.replace("feed_to_gates", "context_to_gates"): each for name, each in decoder.items()},
        "decoder.attention.score.projection.weight": torch.cat([of_query, of_context], 1),
        "decoder.attention.score.projection.bias": taken("decoder.attention.M.bias"),
        "decoder.attention.score.vector": taken("decoder.attention.V.weight")[0],
        "output.weight": taken("classifier.weight"),
        "output.bias": taken("classifier.bias"),
    }
    starts = {"hidden": start, **({"cell": taken("decoder.c0")} if cell == "lstm" else {})}
    weights |= {
        f"decoder.start_state.{part}.{layer}.vector": each for part, each in starts.items() for layer in range(layers)
    }
    keys = {
        **{f"{side}.cell": cell for side in ("encoder", "decoder")},
        **{f"{side}.layers": layers for side in ("encoder", "decoder")},
        **{f"{side}.embedding": embedding.shape[1] for side in ("encoder", "decoder")},
        "encoder.hidden": context // 2,
        "decoder.hidden": hidden,
        "attention.score": "concat",
        "attention.bias": True,
        "decoder.init": "learned",
        "decoder.readout": "state",
        **({"decoder.init_cell": "learned"} if cell == "lstm" else {}),
        **({"decoder.init_shared": True} if layers > 1 else {}),
    }
    side = Side(tokens, pad=tokens[0], unk=tokens[1], bos=tokens[2], eos=tokens[3])
    return ForeignModel("yoyodyne", side, side, keys=keys, weights=weights)
