"""Translates with a toolkit, in its environment, whenever it is asked: for scripts/import_speed.py.

python -m parity.speed TOOLKIT MODEL LINES, inside scripts/; then a width of the beam a line on standard input. Each is
answered by a line of JSON: processor seconds from texts to texts, and the texts. Lines are sorted by length, 32 in a
batch, in one thread; at most 60 tokens, without length penalty.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BATCH, LONGEST = 32, 60

Translate = Callable[[list[str], int], list[str]]


def in_batches(lines: Sequence[str], translate: Callable[[list[list[str]]], Sequence[str]]) -> list[str]:
    """Translates batches of tokens, the longest first, and puts the texts back in order."""
    order = sorted(range(len(lines)), key=lambda i: -len(lines[i].split()))
    texts = [""] * len(lines)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        for row, text in zip(rows, translate([lines[row].split() for row in rows]), strict=True):
            texts[row] = text
    return texts


def until(tokens: Sequence[str], end: str = "</s>") -> str:
    """Tokens up to `end`."""
    return " ".join(tokens[: tokens.index(end)] if end in tokens else tokens)


def ours(model: Path) -> Translate:
    """This package."""
    from nmt_attn.search.translator import Translator

    keys = (f"search.max_length={LONGEST}", "search.max_length_factor=100", "search.length_penalty=none")
    translator = Translator.load(model, overrides=keys)

    def translate(lines: list[str], beam: int) -> list[str]:
        found = translator.translate(lines, beam=beam, batch_size=BATCH, with_alignments=False)
        return [each.text for each in found]

    return translate


def opennmt(model: Path) -> Translate:
    """OpenNMT-py."""
    import onmt.opts
    import torch
    from onmt.model_builder import load_test_model
    from onmt.translate import GNMTGlobalScorer, Translator
    from onmt.utils.parse import ArgumentParser

    load = torch.load
    torch.load = lambda *given, **keys: load(*given, **{"weights_only": False, **keys})  # its files hold its objects

    def translator(beam: int) -> Any:
        parser = ArgumentParser()
        onmt.opts.translate_opts(parser)
        given = ["-model", str(model), "-src", "x", "-beam_size", str(beam), "-max_length", str(LONGEST)]
        options, _ = parser.parse_known_args([*given, "-length_penalty", "none", "-gpu", "-1"])
        options.max_length_ratio = 0
        vocabularies, loaded, of_model = load_test_model(options)
        scorer = GNMTGlobalScorer.from_opt(options)
        return Translator.from_opt(loaded, vocabularies, options, of_model, global_scorer=scorer, report_score=False)

    return _of_tensors(translator, lambda made: made.translate_batch, lambda ids: ids.unsqueeze(2))


def eole(model: Path) -> Translate:
    """eole."""
    from eole.config.run import PredictConfig
    from eole.models.model import EncoderDecoderModel
    from eole.predict import GNMTGlobalScorer, Translator

    def translator(beam: int) -> Any:
        limits = {"beam_size": beam, "max_length": LONGEST, "max_length_ratio": 0, "length_penalty": "none"}
        config = PredictConfig(
            model_path=str(model), src="x", gpu_ranks=[], world_size=0, compute_dtype="fp32", **limits
        )
        loaded, vocabularies, of_model = EncoderDecoderModel.for_inference(config, device_id=-1)
        silent, scorer = logging.getLogger("silent"), GNMTGlobalScorer.from_config(config)
        return Translator(loaded.eval(), vocabularies, config, of_model, -1, scorer, report_score=False, logger=silent)

    return _of_tensors(translator, lambda made: made.predict_batch, lambda ids: ids)


def _of_tensors(make: Callable[[int], Any], method: Callable[[Any], Any], shaped: Callable[[Any], Any]) -> Translate:
    """OpenNMT-py and eole, whose translators take padded ids."""
    import torch

    made = cache(make)

    def translate(lines: list[str], beam: int) -> list[str]:
        translator = made(beam)
        words, pad = translator.vocabs, translator.vocabs["src"].lookup_token("<blank>")

        def batch(rows: list[list[str]]) -> list[str]:
            width = len(rows[0])
            ids = [[words["src"].lookup_token(token) for token in row] + [pad] * (width - len(row)) for row in rows]
            lengths = torch.tensor([*map(len, rows)])
            given = {"src": shaped(torch.tensor(ids)), "srclen": lengths, "ind_in_bucket": [*range(len(rows))]}
            found = method(translator)(given, attn_debug=False)["predictions"]
            return [until([words["tgt"].lookup_index(i) for i in best[0].tolist()]) for best in found]

        with torch.no_grad():
            return in_batches(lines, batch)

    return translate


def joeynmt(model: Path) -> Translate:
    """joeynmt."""
    import torch
    import yaml
    from joeynmt.model import build_model
    from joeynmt.search import beam_search, greedy
    from joeynmt.vocabulary import build_vocab

    config = yaml.safe_load((model.parent / "config.yaml").read_text(encoding="utf-8"))
    specials = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}
    special: dict[str, Any] = {f"{name}_token": token for name, token in specials.items()}
    special |= {f"{name}_id": place for place, name in enumerate(specials)}
    symbols = SimpleNamespace(**special, sep_token=None, sep_id=None, lang_tags=[])
    source, target = build_vocab({**config["data"], "special_symbols": symbols}, model_dir=model.parent)
    loaded = build_model(config["model"], source, target)
    loaded.load_state_dict(torch.load(model, map_location="cpu", weights_only=False)["model_state"])
    loaded.eval()

    def translate(lines: list[str], beam: int) -> list[str]:
        def batch(rows: list[list[str]]) -> list[str]:
            ids, lengths, _ = source.sentences_to_ids(rows, bos=False, eos=True)
            given = torch.tensor(ids)
            mask = (given != source.pad_index).unsqueeze(1)
            states, last = loaded.encoder(loaded.src_embed(given), torch.tensor(lengths), mask)[:2]
            if beam == 1:
                found = greedy(mask, LONGEST, loaded, states, last)[0]
            else:
                limits = {"max_output_length": LONGEST, "alpha": -1}
                found = beam_search(loaded, beam, states, last, mask, **limits)[0]
            return [" ".join(words) for words in target.arrays_to_sentences(found, cut_at_eos=True, skip_pad=True)]

        with torch.no_grad():
            return [until(text.split()) for text in in_batches(lines, batch)]

    return translate


def marian(model: Path) -> Translate:
    """Marian. It makes its own batches of 32, sorted in the same way."""
    from pymarian import Translator

    vocabulary = str(model.parent / "vocab.marian.yml")
    options = {
        "models": str(model),
        "vocabs": [vocabulary, vocabulary],
        "cpu_threads": 1,
        "workspace": 500,
        "mini_batch": BATCH,
        "maxi_batch": 1000,
        "maxi_batch_sort": "src",
        "max_length_factor": 100,
        "normalize": 0,
        "quiet": True,
    }
    made = cache(lambda beam: Translator(**options, beam_size=beam))
    return lambda lines, beam: list(made(beam).translate(lines))


TOOLKITS: dict[str, Callable[[Path], Translate]] = {
    "ours": ours,
    "opennmt": opennmt,
    "eole": eole,
    "joeynmt": joeynmt,
    "marian": marian,
}


def main() -> None:
    """Answers until standard input ends."""
    name, model, text = sys.argv[1:]
    lines = Path(text).read_text(encoding="utf-8").splitlines()
    if name != "marian":
        import torch

        torch.set_num_threads(1)
    translate = TOOLKITS[name](Path(model))
    for request in sys.stdin:
        start = time.process_time()
        texts = translate(lines, int(request))
        answer = {"seconds": time.process_time() - start, "texts": texts}
        sys.stderr.write(f"@{json.dumps(answer)}\n")  # standard output may be the toolkit's
        sys.stderr.flush()


if __name__ == "__main__":
    main()
