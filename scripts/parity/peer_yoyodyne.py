"""Models of yoyodyne with random weights, and what it makes of them. Runs in its environment.

python scripts/parity/peer_yoyodyne.py FOLDER
"""

import sys
from pathlib import Path

import torch
from cases import BEAM, EMBEDDING, LONGEST, SIZE, SOURCE, TARGET, WORDS, cases, padded, random_weights, text, write_stages
from yoyodyne import data, special
from yoyodyne.models import modules, rnn

VARIANTS = ("soft-attention",)
TOKENS = ["<pad>", "<unk>", "<s>", "</s>", *special.SPECIAL[4:], *WORDS]
"""Its own special tokens under our spelling."""
KINDS = {
    "gru": (rnn.SoftAttentionGRUModel, modules.GRUEncoder),
    "lstm": (rnn.SoftAttentionLSTMModel, modules.LSTMEncoder),
}


def main(folder: Path) -> None:
    """Writes NAME.pt, the weights, and NAME.npz for each case."""
    for case in cases(VARIANTS):
        kind, encoder_kind = KINDS[case.cell]
        encoder = encoder_kind(
            dropout=0.0, embedding_size=EMBEDDING, hidden_size=SIZE // 2, layers=case.layers, bidirectional=True
        )
        model = kind(
            source_encoder=encoder, decoder_dropout=0.0, decoder_hidden_size=SIZE + 1, decoder_layers=case.layers,
            embedding_size=EMBEDDING, vocab_size=len(TOKENS), target_vocab_size=len(TOKENS),
            max_target_length=LONGEST, compute_accuracy=False, compute_ser=False,
        )  # fmt: skip
        random_weights(model, 3)
        model.classifier.bias.data[[0, 2]] = -30.0  # <P> and <S>, which it would write too
        torch.save(model.state_dict(), folder / f"{case.name}.pt")
        model = model.double().eval()
        rows = [[*(TOKENS.index(word) for word in line.split()), special.END_IDX] for line in SOURCE]
        source = data.PaddedTensor.from_tensor(padded(rows, special.PAD_IDX))
        written = padded([[special.START_IDX, *(TOKENS.index(word) for word in line.split())] for line in TARGET], 0)
        logits, weights = [], []
        model.decoder.attention.register_forward_hook(lambda module, args, result: weights.append(result[1]))
        with torch.no_grad():
            states = model.source_encoder(source, model.embeddings)
            first = state = model.decoder.initial_state(len(rows))
            for words in written.unbind(1):
                step, state = model.decode_step(words.unsqueeze(1), states, source.mask, state)
                logits.append(step)
            seen = torch.cat(weights, 1)
            best = model.greedy_decode_predict_test(states, source.mask).argmax(1)
            model.beam_width = BEAM
            found, scores = model.beam_decode(states, source.mask)
        write_stages(
            folder / f"{case.name}.npz",
            encoder_states=states,
            first_hidden=first.hidden,
            **({} if first.cell is None else {"first_cell": first.cell}),
            weights=seen,
            logits=torch.cat(logits, 1),
            tokens=TOKENS,
            greedy=[text(row, TOKENS, special.END_IDX) for row in best.tolist()],
            beam=[text(row, TOKENS, special.END_IDX) for row in found[:, 0].tolist()],
            beam_log_probs=scores[:, 0],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
