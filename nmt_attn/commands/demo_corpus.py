"""`nmt-attn demo-corpus`: the built-in corpus as plain files, for other tools and for reading."""

from pathlib import Path

import typer

from nmt_attn.alignment.formats import pharaoh_line
from nmt_attn.demo.corpus import SPLITS, demo_corpus
from nmt_attn.files import write_text
from nmt_attn.options.training import DemoCorpusOptions


def write_demo_corpus(options: DemoCorpusOptions) -> None:
    """Writes {train,valid,test}.en, .hi, and .pharaoh with the gold links (English-Hindi); prints a line for each.

    Raises DataError if the folder cannot be written to.
    """
    folder = options.folder
    for split in sorted(SPLITS, key=lambda name: SPLITS[name].size):  # an unwritable folder shows at once
        pairs = demo_corpus(split)
        _write_lines(folder / f"{split}.en", [pair.source for pair in pairs])
        _write_lines(folder / f"{split}.hi", [pair.target for pair in pairs])
        _write_lines(folder / f"{split}.pharaoh", [pharaoh_line(pair.links) for pair in pairs])
        typer.echo(f"{folder / split}.en, .hi, .pharaoh: {len(pairs)} sentence pairs and their alignments")


def _write_lines(path: Path, lines: list[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
