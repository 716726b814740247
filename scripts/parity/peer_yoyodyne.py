"""Models of yoyodyne with random weights, and what it makes of them. Runs in its environment.

python -m parity.peer_yoyodyne FOLDER, inside scripts/
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from yoyodyne import data, special
from yoyodyne.models import modules, rnn

from parity.cases import (
    BEAM,
    EMBEDDING,
    LONGEST,
    RARE,
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

VARIANTS = ("soft-attention",)
PAD, BOS, EOS = special.PAD_IDX, special.START_IDX, special.END_IDX
TOKENS = [*special.SPECIAL, *WORDS]
KINDS = {
    "gru": (rnn.SoftAttentionGRUModel, modules.GRUEncoder),
    "lstm": (rnn.SoftAttentionLSTMModel, modules.LSTMEncoder),
}


def build(case: Case) -> Any:
    """A model that has learned a little and never writes special tokens."""
    kind, encoder_kind = KINDS[case.cell]
    encoder = encoder_kind(
        dropout=0.0, embedding_size=EMBEDDING, hidden_size=SIZE // 2, layers=case.layers, bidirectional=True
    )
    model = kind(
        source_encoder=encoder,
        decoder_dropout=0.0,
        decoder_hidden_size=SIZE + 1,
        decoder_layers=case.layers,
        embedding_size=EMBEDDING,
        vocab_size=len(TOKENS),
        target_vocab_size=len(TOKENS),
        max_target_length=LONGEST,
        compute_accuracy=False,
        compute_ser=False,
    )
    random_weights(model, 3)
    learn(model, lambda sources, targets: read(model, sources, targets).logits, TOKENS, EOS)
    model.classifier.bias.data[[PAD, BOS]] = RARE
    return model


class Read(NamedTuple):
    """What a model makes of sources and targets."""

    mask: torch.Tensor  # [B, S]
    states: torch.Tensor  # [B, S, M]
    first: modules.RNNState
    weights: torch.Tensor  # [B, T, S]
    logits: torch.Tensor  # [B, T, V]


def read(model: Any, sources: Sequence[str], targets: Sequence[str]) -> Read:
    """Encodes sources and decodes given targets."""
    source = data.PaddedTensor.from_tensor(padded(ids_of(sources, TOKENS, after=[EOS]), PAD))
    seen: list[torch.Tensor] = []
    hook = model.decoder.attention.register_forward_hook(lambda module, args, result: seen.append(result[1]))
    states = model.source_encoder(source, model.embeddings)
    first = state = model.decoder.initial_state(len(sources))
    logits = []
    for words in padded(ids_of(targets, TOKENS, [BOS]), PAD).unbind(1):
        step, state = model.decode_step(words.unsqueeze(1), states, source.mask, state)
        logits.append(step)
    hook.remove()
    return Read(source.mask, states, first, torch.cat(seen, 1), torch.cat(logits, 1))


def stages(model: Any) -> dict[str, Any]:
    """Every stage of the batch in float64."""
    found = read(model, SOURCE, TARGET)
    best = model.greedy_decode_predict_test(found.states, found.mask).argmax(1).tolist()
    model.beam_width = BEAM
    beam, log_probs = model.beam_decode(found.states, found.mask)
    return {
        "encoder_states": found.states,
        "first_hidden": found.first.hidden,
        **({} if found.first.cell is None else {"first_cell": found.first.cell}),
        "weights": found.weights,
        "logits": found.logits,
        "greedy": [text(row, TOKENS, EOS) for row in best],
        "beam": [text(row[1:], TOKENS, EOS) for row in beam[:, 0].tolist()],
        "beam_log_probs": log_probs[:, 0],
        "beam_ended": [EOS in row for row in beam[:, 0].tolist()],
    }


def main(folder: Path) -> None:
    """Writes NAME.pt, the weights, and NAME.npz for each case."""
    for case in cases(VARIANTS, folder):
        model = build(case)
        torch.save(model.state_dict(), folder / f"{case.name}.pt")
        model = model.double().eval()
        with torch.no_grad():
            write_stages(folder / f"{case.name}.npz", tokens=TOKENS, **stages(model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
