"""Models of joeynmt with random weights, as checkpoints, and what it makes of them. Runs in its environment.

python -m parity.peer_joeynmt FOLDER, inside scripts/
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
import yaml
from joeynmt.model import build_model
from joeynmt.search import beam_search, greedy
from joeynmt.vocabulary import Vocabulary

from parity.cases import (
    BEAM,
    EMBEDDING,
    LONGEST,
    SIZE,
    SOURCE,
    TARGET,
    WORDS,
    Case,
    cases,
    ids_of,
    learn,
    padded,
    random_weights,
    text,
    write_stages,
)

VARIANTS = ("luong", "bahdanau", "no-feed", "last", "zero")
PAD, BOS, EOS = 1, 2, 3
SPECIALS = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}
TOKENS = [*SPECIALS.values(), *WORDS]


def settings(case: Case) -> dict[str, Any]:
    """The section `model` of its configuration."""
    side = {"type": "recurrent", "rnn_type": case.cell, "num_layers": case.layers, "dropout": 0.0}
    embeddings = {"embedding_dim": EMBEDDING, "scale": case.variant == "bahdanau"}
    encoder = {**side, "embeddings": embeddings, "hidden_size": SIZE, "bidirectional": True}
    decoder = {
        **side,
        "embeddings": embeddings,
        "hidden_size": SIZE if case.variant == "last" else SIZE + 1,
        "attention": "bahdanau" if case.variant == "bahdanau" else "luong",
        "input_feeding": case.variant != "no-feed",
        "init_hidden": case.variant if case.variant in ("last", "zero") else "bridge",
        "hidden_dropout": 0.0,
    }
    return {"initializer": "xavier_uniform", "tied_softmax": False, "encoder": encoder, "decoder": decoder}


def build(case: Case) -> Any:
    """A model that has learned a little."""
    special = {f"{name}_token": token for name, token in SPECIALS.items()}
    places = {f"{name}_id": i for i, name in enumerate(SPECIALS)}
    words = SimpleNamespace(**special, **places, sep_token=None, sep_id=None, lang_tags=[])
    vocabulary = Vocabulary(list(WORDS), words)
    model = build_model(settings(case), vocabulary, vocabulary)
    random_weights(model, 2)
    learn(model, lambda sources, targets: read(model, sources, targets).logits, TOKENS, EOS)
    return model


def save(case: Case, model: Any, folder: Path) -> None:
    """A folder as its training leaves it."""
    folder.mkdir(exist_ok=True)
    torch.save({"model_state": model.state_dict()}, folder / "latest.ckpt")
    data = {side: {"lang": side, "level": "word"} for side in ("src", "trg")}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data, "model": settings(case)}), encoding="utf-8")
    for side in ("src", "trg"):
        (folder / f"{side}_vocab.txt").write_text("".join(f"{token}\n" for token in TOKENS), encoding="utf-8")


class Read(NamedTuple):
    """What a model makes of sources and targets."""

    mask: torch.Tensor  # [B, 1, S]
    states: torch.Tensor  # [B, S, M]
    last: Any  # final states of the encoder
    weights: torch.Tensor  # [B, T, S]
    logits: torch.Tensor  # [B, T, V]


def read(model: Any, sources: Sequence[str], targets: Sequence[str]) -> Read:
    """Encodes sources, the longest first, and decodes given targets."""
    ids = ids_of(sources, TOKENS, after=[EOS])
    source, written = padded(ids, PAD), padded(ids_of(targets, TOKENS, [BOS]), PAD)
    mask = (source != PAD).unsqueeze(1)
    states, last = model.encoder(model.src_embed(source), torch.tensor([*map(len, ids)]), mask)[:2]
    logits, _, weights, _ = model.decoder(
        trg_embed=model.trg_embed(written),
        encoder_output=states,
        encoder_hidden=last,
        src_mask=mask,
        unroll_steps=written.shape[1],
    )
    return Read(mask, states, last, weights, logits)


def stages(model: Any) -> dict[str, Any]:
    """Every stage of the batch in float64."""
    found = read(model, SOURCE, TARGET)
    first = model.decoder._init_hidden(found.last)
    best = greedy(found.mask, LONGEST, model, found.states, found.last)[0].tolist()
    limits = {"max_output_length": LONGEST, "alpha": -1, "return_prob": "hyp"}
    beam, log_probs, _ = beam_search(model, BEAM, found.states, found.last, found.mask, **limits)
    return {
        "encoder_states": found.states,
        **dict(zip(("first_hidden", "first_cell"), first if isinstance(first, tuple) else (first,), strict=False)),
        "weights": found.weights,
        "logits": found.logits,
        "greedy": [text(row, TOKENS, EOS) for row in best],
        "beam": [text(row, TOKENS, EOS) for row in beam.tolist()],
        "beam_log_probs": log_probs.flatten(),
        "beam_ended": [EOS in row for row in beam.tolist()],
        "least_length": 1,
    }


def main(folder: Path) -> None:
    """Writes NAME/latest.ckpt with its configuration and vocabularies, and NAME.npz, for each case."""
    for case in cases(VARIANTS, folder):
        model = build(case)
        save(case, model, folder / case.name)
        model = model.double().eval()
        with torch.no_grad():
            write_stages(folder / f"{case.name}.npz", tokens=TOKENS, **stages(model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
