"""Runs with tiny models of random weights, for the tests of commands."""

from pathlib import Path

import torch
from torch import nn

from nmt_attn.config.file import save_config
from nmt_attn.config.schema import Config
from nmt_attn.data.codec import Codecs, learn_codec
from nmt_attn.model.store import model_from_config, save_model

SOURCES = ["un gato", "", "el perro ve el gato negro", "dos\u2028perros", "el gato " * 7]
REFERENCES = ["a cat", "nothing", "the dog sees the black cat", "two dogs", "the cat " * 7]


def make_run(
    folder: Path, score: str = "additive", *, name: str = "mine", seed: int = 2, is_turned: bool = False
) -> Path:
    """A run with a test set of five sentences and a model that has learnt nothing; turned: of the other direction."""
    for file, lines in [("test.es", SOURCES), ("test.en", REFERENCES)]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    texts = {"source": "test.es", "target": "test.en"}
    sides = [(SOURCES, "source"), (REFERENCES, "target")]
    if is_turned:
        texts = {"source": "test.en", "target": "test.es"}
        sides = [(REFERENCES, "source"), (SOURCES, "target")]
    config = Config.model_validate(
        {
            "data": {"root": str(folder), "train": texts, "valid": texts, "test": texts},
            "model": {
                "encoder": {"hidden": 5, "embedding": 7},
                "attention": {"score": score},
                "decoder": {"hidden": 11, "embedding": 3},
            },
            "search": {"beam": 2, "max_length_factor": 0.5},
            "evaluate": {"length_buckets": [3, 9], "tokenize": "none"},
        }
    )
    codecs = Codecs(*(learn_codec(lines, config.tokenizer, name) for lines, name in sides))
    model = model_from_config(config, codecs.source.size, codecs.target.size)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.6, generator=generator)
    run = folder / "runs" / name
    save_model(model, config, run / "best", vocabulary=codecs.digest())
    codecs.save(run / "best" / "vocab")
    save_config(config, run / "config.yaml")
    return run


def names(folder: Path) -> list[str]:
    """The files of a folder."""
    return sorted(path.name for path in folder.iterdir())
