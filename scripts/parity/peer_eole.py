"""Models of eole with random weights, as folders, and what it makes of them. Runs in its environment.

python -m parity.peer_eole FOLDER, inside scripts/

Its encoder reads padding as if it were words, so that each sentence is read and translated alone there.
"""

import json
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from eole.config.models import build_model_config
from eole.config.run import PredictConfig
from eole.inputters.inputter import dict_to_vocabs
from eole.models.model import EncoderDecoderModel
from eole.predict import GNMTGlobalScorer, Translator
from safetensors.torch import save_file

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
SPECIALS = {"unk_token": "<unk>", "pad_token": "<blank>", "bos_token": "<s>", "eos_token": "</s>"}
TOKENS = [*SPECIALS.values(), *WORDS]
PAD, BOS, EOS = 1, 2, 3
NO_POSITIONS = {"position_encoding_type": None}
VOCABULARIES = {"src": TOKENS, "tgt": TOKENS, "specials": SPECIALS, "decoder_start_token": "<s>"}


def settings(case: Case) -> dict[str, Any]:
    """The section `model` of its configuration."""
    side = {"layers": case.layers, "hidden_size": SIZE, "rnn_type": case.cell.upper()}
    has_one_direction = case.variant in ("bridge", "one-direction")  # its bridge fails on both: 4 units for 8
    encoder = {"encoder_type": "rnn" if has_one_direction else "brnn", "src_word_vec_size": EMBEDDING}
    score = case.variant if case.variant in ("general", "dot", "mlp") else "general"
    return {
        "architecture": "custom",
        "input_feed": int(case.variant != "no-feed"),
        "embeddings": {**dict.fromkeys(("src_word_vec_size", "tgt_word_vec_size"), EMBEDDING), **NO_POSITIONS},
        "encoder": {**side, **encoder, "bridge": case.variant == "bridge"},
        "decoder": {**side, "decoder_type": "rnn", "tgt_word_vec_size": EMBEDDING, "global_attention": score},
    }


def build(case: Case, vocabularies: Any) -> Any:
    """A model that has learned a little and never writes special tokens."""
    config = build_model_config(settings(case))
    model = EncoderDecoderModel.build_blocks(config, vocabularies)
    model.build_generator(config, None, vocabularies)
    random_weights(model, 5)
    learn(model, partial(_logits, model), TOKENS, EOS)
    model.generator.bias.data[[PAD, BOS]] = RARE
    return model


class Read(NamedTuple):
    """What a model makes of sources and targets."""

    states: torch.Tensor  # [B, S, M]
    first: tuple[torch.Tensor, ...]  # h and, of an LSTM, c, [L, B, H]
    weights: torch.Tensor  # [B, T, S]
    logits: torch.Tensor  # [B, T, V]


def read(model: Any, sources: Sequence[str], targets: Sequence[str]) -> Read:
    """Encodes sources, which have no `</s>`, and decodes given targets."""
    source = padded(ids_of(sources, TOKENS), PAD)
    states, last = model.encoder(model.src_emb(source))
    model.decoder.init_state(enc_out=states, enc_final_hs=last)
    first = model.decoder.state["hidden"]
    written = model.tgt_emb(padded(ids_of(targets, TOKENS, [BOS]), PAD))
    outputs, seen = model.decoder(written, enc_out=states, src_pad_mask=source.eq(PAD).unsqueeze(1))
    return Read(states, first, seen["std"], model.generator(outputs))


def _logits(model: Any, sources: Sequence[str], targets: Sequence[str]) -> torch.Tensor:
    return read(model, sources, targets).logits


def translated(model: Any, vocabularies: Any, case: Case, line: str, beam: int) -> tuple[list[int], float]:
    """The ids of its translation of a sentence alone, and their log p."""
    limits = {"beam_size": beam, "max_length": LONGEST, "max_length_ratio": 0, "length_penalty": "none"}
    config = PredictConfig(model_path="x", src="x", gpu_ranks=[], **limits)
    scorer, of_model = GNMTGlobalScorer.from_config(config), build_model_config(settings(case))
    silent = logging.getLogger("silent")  # None would print
    translator = Translator(model, vocabularies, config, of_model, -1, scorer, report_score=False, logger=silent)
    source = torch.tensor(ids_of([line], TOKENS))
    batch = {"src": source, "srclen": torch.tensor([source.shape[1]]), "ind_in_bucket": [0]}
    found = translator.predict_batch(batch, attn_debug=False)
    return found["predictions"][0][0].tolist(), float(found["scores"][0][0])


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Arrays [1, ...] of sentences of unequal lengths -> [B, ...], 0 where a sentence has no number."""
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    whole = torch.zeros(len(parts), *shape, dtype=torch.float64)
    for row, part in zip(whole, parts, strict=True):
        row[tuple(slice(size) for size in part.shape[1:])] = part[0]
    return whole


def stages(model: Any, vocabularies: Any, case: Case) -> dict[str, Any]:
    """Every stage of the batch in float64."""
    found = [read(model, [source], [target]) for source, target in zip(SOURCE, TARGET, strict=True)]
    greedy = [translated(model, vocabularies, case, line, 1)[0] for line in SOURCE]
    beam = [translated(model, vocabularies, case, line, BEAM) for line in SOURCE]
    first = [torch.cat(parts, 1) for parts in zip(*(each.first for each in found), strict=True)]
    return {
        "encoder_states": joined([each.states for each in found]),
        **dict(zip(("first_hidden", "first_cell"), first, strict=False)),
        "weights": joined([each.weights for each in found]),
        "logits": joined([each.logits for each in found]),
        "greedy": [text(row, TOKENS, EOS) for row in greedy],
        "beam": [text(row, TOKENS, EOS) for row, _ in beam],
        "beam_log_probs": [log_prob for _, log_prob in beam],
        "beam_ended": [EOS in row for row, _ in beam],
    }


def save(case: Case, model: Any, folder: Path) -> None:
    """A folder as its training leaves it."""
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "model.00.safetensors")
    for name, part in (("config", {"model": settings(case)}), ("vocab", VOCABULARIES)):
        (folder / f"{name}.json").write_text(json.dumps(part), encoding="utf-8")


def main(folder: Path) -> None:
    """Writes a folder NAME and NAME.npz for each case."""
    vocabularies = dict_to_vocabs(VOCABULARIES)
    for case in cases(VARIANTS, folder):
        model = build(case, vocabularies)
        save(case, model, folder / case.name)
        model = model.double().eval()
        with torch.no_grad():
            write_stages(folder / f"{case.name}.npz", tokens=TOKENS, **stages(model, vocabularies, case))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
