"""Models of OpenNMT-py with random weights, as checkpoints, and what it makes of them. Runs in its environment.

python -m parity.peer_opennmt FOLDER, inside scripts/
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import onmt.opts
import torch
from onmt.decoders.decoder import InputFeedRNNDecoder
from onmt.inputters.inputter import dict_to_vocabs
from onmt.model_builder import build_base_model
from onmt.translate import GNMTGlobalScorer, Translator
from onmt.utils.parse import ArgumentParser

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

VARIANTS = ("general", "dot", "mlp", "no-feed", "bridge", "one-direction")
TOKENS = ["<unk>", "<blank>", "<s>", "</s>", *WORDS]
PAD, BOS, EOS = 1, 2, 3
DICTIONARY = {"src": TOKENS, "tgt": TOKENS, "data_task": "seq2seq", "decoder_start_token": "<s>"}


def options_of(case: Case) -> Any:
    """The options of a training with this model."""
    words = {
        "encoder_type": "rnn" if case.variant == "one-direction" else "brnn",
        "rnn_type": case.cell.upper(),
        "enc_layers": case.layers,
        "dec_layers": case.layers,
        "hidden_size": SIZE,
        "word_vec_size": EMBEDDING,
        "global_attention": case.variant if case.variant in ("general", "dot", "mlp") else "general",
        "input_feed": int(case.variant != "no-feed"),
    }
    parser = ArgumentParser()
    onmt.opts.train_opts(parser)
    given = [part for name, value in words.items() for part in (f"-{name}", str(value))]
    flags = ["-bridge"] if case.variant == "bridge" else []
    options, _ = parser.parse_known_args(["-data", "{}", "-src_vocab", "x", "-dropout", "0", *given, *flags])
    ArgumentParser.update_model_opts(options)
    return options


def translated(model: Any, vocabularies: Any, options: Any, batch: dict[str, torch.Tensor], beam: int) -> Any:
    """What its translator returns for a batch."""
    parser = ArgumentParser()
    onmt.opts.translate_opts(parser)
    limits = ["-beam_size", str(beam), "-max_length", str(LONGEST), "-length_penalty", "none"]
    search, _ = parser.parse_known_args(["-model", "x", "-src", "x", *limits])
    search.max_length_ratio = 0
    scorer = GNMTGlobalScorer.from_opt(search)
    translator = Translator.from_opt(model, vocabularies, search, options, global_scorer=scorer, report_score=False)
    return translator.translate_batch(batch, attn_debug=False)


class Read(NamedTuple):
    """What a model makes of sources and targets."""

    states: torch.Tensor  # [B, S, M]
    first: tuple[torch.Tensor, ...]  # h and, of an LSTM, c, [L, B, H]
    weights: torch.Tensor  # [B, T, S]
    logits: torch.Tensor  # [B, T, V]


def batch_of(sources: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids [B, S, 1] and lengths [B]; it reads no `</s>`."""
    ids = ids_of(sources, TOKENS)
    return padded(ids, PAD).unsqueeze(2), torch.tensor([*map(len, ids)])


def read(model: Any, sources: Sequence[str], targets: Sequence[str]) -> Read:
    """Encodes sources and decodes given targets."""
    source, lengths = batch_of(sources)
    states, last, _ = model.encoder(source, lengths)
    model.decoder.init_state(source, states, last)
    first = model.decoder.state["hidden"]
    written = padded(ids_of(targets, TOKENS, [BOS]), PAD).unsqueeze(2)
    outputs, seen = model.decoder(written, states, src_len=lengths)
    has_cells = isinstance(model.decoder, InputFeedRNNDecoder)  # which leaves its weights as [T, B, S]
    weights = seen["std"].transpose(0, 1) if has_cells else seen["std"]
    return Read(states, first, weights, model.generator(outputs))


def _logits(model: Any, sources: Sequence[str], targets: Sequence[str]) -> torch.Tensor:
    return read(model, sources, targets).logits


def stages(model: Any, vocabularies: Any, options: Any) -> dict[str, Any]:
    """Every stage of the batch in float64."""
    found, (source, lengths) = read(model, SOURCE, TARGET), batch_of(SOURCE)
    batch = {"src": source, "srclen": lengths, "ind_in_bucket": torch.arange(len(SOURCE))}
    searches = {beam: translated(model, vocabularies, options, batch, beam) for beam in (1, BEAM)}
    best = {beam: [rows[0].tolist() for rows in result["predictions"]] for beam, result in searches.items()}
    return {
        "encoder_states": found.states,
        **dict(zip(("first_hidden", "first_cell"), found.first, strict=False)),
        "weights": found.weights,
        "logits": found.logits,
        "greedy": [text(row, TOKENS, EOS) for row in best[1]],
        "beam": [text(row, TOKENS, EOS) for row in best[BEAM]],
        "beam_log_probs": [float(scores[0]) for scores in searches[BEAM]["scores"]],
        "beam_ended": [EOS in row for row in best[BEAM]],
    }


def main(folder: Path) -> None:
    """Writes NAME.pt and NAME.npz for each case."""
    for case in cases(VARIANTS, folder):
        options, vocabularies = options_of(case), dict_to_vocabs(DICTIONARY)
        model = build_base_model(options, vocabularies)
        random_weights(model, 1)
        learn(model, partial(_logits, model), TOKENS, EOS)
        model.generator.bias.data[[PAD, BOS]] = RARE
        weights = {name: each for name, each in model.state_dict().items() if not name.startswith("generator")}
        checkpoint = {"model": weights, "generator": model.generator.state_dict(), "vocab": DICTIONARY, "opt": options}
        torch.save(checkpoint, folder / f"{case.name}.pt")
        model = model.double().eval()
        with torch.no_grad():
            write_stages(folder / f"{case.name}.npz", tokens=TOKENS, **stages(model, vocabularies, options))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
