"""Translators with tiny models of random weights, for the tests of search."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from nmt_attn.config.model_section import ModelConfig
from nmt_attn.config.schema import Config, SearchConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.batching import collate
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.model.build import build_model
from nmt_attn.model.marginal import MarginalSeq2Seq
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.model.store import model_from_config, save_model
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator
from nmt_attn.types import EOS

SOURCE_TEXT = ["der Hund sieht die Katze", "die Katze sieht das Haus nicht", "das Haus"]
TARGET_TEXT = ["the dog sees the cat", "the cat does not see the house", "the house"]
LINES = [
    "die Katze sieht das Haus nicht",
    "",
    "das Haus",
    "unbekannt",
    " \t ",
    "der\u2028Hund sieht\r",
    "der Hund " * 20,
    "Haus",
    "die Katze",
]
SEARCH = SearchConfig(beam=3, max_length_factor=1.5)
MODELS = {
    "bahdanau": {"decoder": {"style": "bahdanau"}, "attention": {"score": "additive"}},
    "luong": {
        "encoder": {"cell": "lstm", "layers": 2, "reverse_source": True},
        "decoder": {"style": "luong", "cell": "lstm", "input_feeding": "attentional"},
        "attention": {"score": "general", "attend_eos": False},
    },
    "monotonic": {
        "decoder": {"style": "luong", "cell": "lstm", "layers": 2},
        "attention": {"score": "general", "alignment": "monotonic-first-order", "jump": 2},
    },
    "sparse": {"attention": {"normalise": "sparsemax"}, "decoder": {"normalise": "entmax-1.5"}},
    "covered": {"attention": {"coverage": "linguistic"}},
    "copying": {
        "decoder": {"style": "luong", "input_feeding": "attentional", "copying": "pointer-generator"},
        "attention": {"score": "general", "attend_eos": False},
    },
    "local": {"decoder": {"style": "luong"}, "attention": {"score": "general", "window": "local-p", "half_width": 2}},
}
SIZES = {
    "encoder": {"embedding": 7, "hidden": 5, "dropout": 0.3},
    "decoder": {"embedding": 3, "hidden": 11, "dropout": 0.3},
}


def make_model(sections: dict[str, dict[str, object]], codecs: Codecs) -> Seq2Seq:
    """A model whose translations end now and then by themselves."""
    keys = {name: SIZES.get(name, {}) | sections.get(name, {}) for name in {*SIZES, *sections}}
    model = build_model(ModelConfig.model_validate(keys), codecs.source.size, codecs.target.size, positions=50)
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7, generator=generator)
    with torch.no_grad():
        model.output.bias[EOS] += 1.5  # so that some translations end by themselves
    return model.eval()


def make_codecs(kind: str) -> Codecs:
    """Learned from the texts above."""
    config = TokenizerConfig.model_validate({"kind": kind})
    return Codecs(learn_codec(SOURCE_TEXT, config, "source"), learn_codec(TARGET_TEXT, config, "target"))


def make_translator(model: str = "bahdanau", tokenizer: str = "word", search: SearchConfig = SEARCH) -> Translator:
    """One of MODELS with codecs of this kind."""
    codecs = make_codecs(tokenizer)
    return Translator(make_model(MODELS[model], codecs), codecs, search)


def save(folder: Path, codecs: Codecs) -> Translator:
    """A model folder, and the translator that it should give back."""
    config = Config(search=SEARCH)
    torch.manual_seed(1)
    small = ModelConfig.model_validate(SIZES)
    config = config.model_copy(update={"model": small})
    model = model_from_config(config, codecs.source.size, codecs.target.size).eval()
    save_model(model, config, folder, vocabulary=codecs.digest())
    codecs.save(folder / "vocab")
    return Translator(model, codecs, SEARCH)


def texts(translations: Sequence[Translation]) -> list[str]:
    """The best of each."""
    return [translation.text for translation in translations]


@torch.no_grad()
def forced(
    model: Seq2Seq, source: list[int], target: list[int], rows: list[int] | None = None
) -> tuple[Tensor, Tensor]:
    """log p [T] of each target token and `</s>`, and weights [T, S], by the training path.

    Of a hard model these are the most likely alignment. `rows` are those of a copying model's source.
    """
    batch = collate([source], [target], None if rows is None else [rows])
    if isinstance(model, MarginalSeq2Seq):
        scored, links = model.score_target(batch)
        return scored[0], links.dense()[0]
    readouts, weights = model(batch)
    log_probs = model.log_probs(readouts)
    return log_probs[0].gather(1, batch.tgt_out[0].unsqueeze(1)).squeeze(1), weights.dense()[0]
