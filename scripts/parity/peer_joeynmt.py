"""Models of joeynmt with random weights, as checkpoints, and what it makes of them. Runs in its environment.

python scripts/parity/peer_joeynmt.py FOLDER
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from cases import BEAM, EMBEDDING, LONGEST, SIZE, SOURCE, TARGET, WORDS, Case, cases, padded, random_weights, text, write_stages
from joeynmt.model import build_model
from joeynmt.search import beam_search, greedy
from joeynmt.vocabulary import Vocabulary

VARIANTS = ("luong", "bahdanau", "no-feed", "last", "zero")
PAD, BOS, EOS = 1, 2, 3
SPECIALS = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}


def settings(case: Case) -> dict[str, Any]:
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


def main(folder: Path) -> None:
    """Writes NAME/latest.ckpt with its configuration and vocabularies, and NAME.npz, for each case."""
    special = {f"{name}_token": token for name, token in SPECIALS.items()}
    places = {f"{name}_id": i for i, name in enumerate(SPECIALS)}
    words = SimpleNamespace(**special, **places, sep_token=None, sep_id=None, lang_tags=[])
    for case in cases(VARIANTS):
        vocabulary = Vocabulary(list(WORDS), words)
        tokens = [*SPECIALS.values(), *WORDS]
        model = build_model(settings(case), vocabulary, vocabulary)
        random_weights(model, 2)
        place = folder / case.name
        place.mkdir(exist_ok=True)
        torch.save({"model_state": model.state_dict()}, place / "latest.ckpt")
        data = {side: {"lang": side, "level": "word"} for side in ("src", "trg")}
        (place / "config.yaml").write_text(yaml.safe_dump({"data": data, "model": settings(case)}))
        for side in ("src", "trg"):
            (place / f"{side}_vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
        model = model.double().eval()
        ids = [[*(tokens.index(word) for word in line.split()), EOS] for line in SOURCE]
        source = padded(ids, PAD)
        written = padded([[BOS, *(tokens.index(word) for word in line.split())] for line in TARGET], PAD)
        mask = (source != PAD).unsqueeze(1)
        with torch.no_grad():
            states, last = model.encoder(model.src_embed(source), torch.tensor([*map(len, ids)]), mask)[:2]
            first = model.decoder._init_hidden(last)
            logits, _, weights, _ = model.decoder(
                trg_embed=model.trg_embed(written), encoder_output=states, encoder_hidden=last, src_mask=mask,
                unroll_steps=written.shape[1],
            )  # fmt: skip
            best = greedy(mask, LONGEST, model, states, last)[0]
            found, scores, _ = beam_search(
                model, BEAM, states, last, mask, max_output_length=LONGEST, alpha=-1, return_prob="hyp"
            )
        is_lstm = isinstance(first, tuple)
        write_stages(
            folder / f"{case.name}.npz",
            encoder_states=states,
            first_hidden=first[0] if is_lstm else first,
            **({"first_cell": first[1]} if is_lstm else {}),
            weights=weights,
            logits=logits,
            tokens=tokens,
            greedy=[text(row, tokens, EOS) for row in best.tolist()],
            beam=[text(row, tokens, EOS) for row in found.tolist()],
            beam_log_probs=scores.flatten(),
            least_length=1,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
