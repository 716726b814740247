"""Models of OpenNMT-py with random weights, as checkpoints, and what it makes of them. Runs in its environment.

python scripts/parity/peer_opennmt.py FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import onmt.opts
import torch
from cases import BEAM, EMBEDDING, LONGEST, SIZE, SOURCE, TARGET, WORDS, Case, cases, padded, random_weights, text, write_stages
from onmt.inputters.inputter import dict_to_vocabs
from onmt.model_builder import build_base_model
from onmt.translate import GNMTGlobalScorer, Translator
from onmt.utils.parse import ArgumentParser

VARIANTS = ("general", "dot", "mlp", "no-feed", "bridge", "one-direction")
TOKENS = ["<unk>", "<blank>", "<s>", "</s>", *WORDS]
PAD, BOS, EOS = 1, 2, 3
RARE = -30.0
"""Score of `<blank>` and `<s>`, which it would write too."""


def options_of(case: Case) -> Any:
    attention = case.variant if case.variant in ("general", "dot", "mlp") else "general"
    words = {
        "encoder_type": "rnn" if case.variant == "one-direction" else "brnn",
        "rnn_type": case.cell.upper(),
        "enc_layers": case.layers,
        "dec_layers": case.layers,
        "hidden_size": SIZE,
        "word_vec_size": EMBEDDING,
        "global_attention": attention,
        "input_feed": int(case.variant != "no-feed"),
    }
    parser = ArgumentParser()
    onmt.opts.train_opts(parser)
    given = [part for name, value in words.items() for part in (f"-{name}", str(value))]
    flags = ["-bridge"] if case.variant == "bridge" else []
    options, _ = parser.parse_known_args(["-data", "{}", "-src_vocab", "x", "-dropout", "0", *given, *flags])
    ArgumentParser.update_model_opts(options)
    return options


def translated(model: Any, vocabs: Any, options: Any, batch: dict[str, torch.Tensor], beam: int) -> Any:
    parser = ArgumentParser()
    onmt.opts.translate_opts(parser)
    search, _ = parser.parse_known_args(
        ["-model", "x", "-src", "x", "-beam_size", str(beam), "-max_length", str(LONGEST), "-length_penalty", "none"]
    )
    search.max_length_ratio = 0
    translator = Translator.from_opt(
        model, vocabs, search, options, global_scorer=GNMTGlobalScorer.from_opt(search), report_score=False
    )
    with torch.no_grad():
        return translator.translate_batch(batch, attn_debug=False)


def main(folder: Path) -> None:
    """Writes NAME.pt and NAME.npz for each case."""
    dictionary = {"src": TOKENS, "tgt": TOKENS, "data_task": "seq2seq", "decoder_start_token": "<s>"}
    for case in cases(VARIANTS):
        options, vocabs = options_of(case), dict_to_vocabs(dictionary)
        model = build_base_model(options, vocabs)
        random_weights(model, 1)
        model.generator.bias.data[[PAD, BOS]] = RARE
        states = {name: each for name, each in model.state_dict().items() if not name.startswith("generator")}
        checkpoint = {"model": states, "generator": model.generator.state_dict(), "vocab": dictionary, "opt": options}
        torch.save(checkpoint, folder / f"{case.name}.pt")
        model = model.double().eval()
        ids = [[TOKENS.index(word) for word in line.split()] for line in SOURCE]
        source, lengths = padded(ids, PAD).unsqueeze(2), torch.tensor([*map(len, ids)])
        written = [[BOS, *(TOKENS.index(word) for word in line.split())] for line in TARGET]
        with torch.no_grad():
            states, last, _ = model.encoder(source, lengths)
            model.decoder.init_state(source, states, last)
            first = model.decoder.state["hidden"]
            outputs, seen = model.decoder(padded(written, PAD).unsqueeze(2), states, src_len=lengths)
            weights = seen["std"] if case.variant == "no-feed" else seen["std"].transpose(0, 1)
            logits = model.generator(outputs)
        batch = {"src": source, "srclen": lengths, "ind_in_bucket": torch.arange(len(ids))}
        searches = {beam: translated(model, vocabs, options, batch, beam) for beam in (1, BEAM)}
        texts = {beam: [text(best[0].tolist(), TOKENS, EOS) for best in found["predictions"]] for beam, found in searches.items()}
        write_stages(
            folder / f"{case.name}.npz",
            encoder_states=states,
            first_hidden=first[0],
            **({"first_cell": first[1]} if len(first) > 1 else {}),
            weights=weights,
            logits=logits,
            tokens=TOKENS,
            greedy=texts[1],
            beam=texts[BEAM],
            beam_log_probs=[float(scores[0]) for scores in searches[BEAM]["scores"]],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
