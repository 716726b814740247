"""The story of `nmt-attn demo-corpus`: the built-in corpus as plain files, for other tools and for reading."""

from pathlib import Path

from nmt_attn.alignment.formats import pharaoh_line
from nmt_attn.demo.corpus import SPLITS, demo_corpus
from nmt_attn.files import write_text


def write_demo_corpus(folder: Path) -> str:
    """What was written, one line a split: {train,valid,test}.en, .hi, and .pharaoh with the gold links (English-Hindi).

    Raises DataError if the folder cannot be written to.
    """
    summary = []
    for split in sorted(SPLITS, key=lambda name: SPLITS[name].size):  # an unwritable folder shows at once
        pairs = demo_corpus(split)
        _write_lines(folder / f"{split}.en", [pair.source for pair in pairs])
        _write_lines(folder / f"{split}.hi", [pair.target for pair in pairs])
        _write_lines(folder / f"{split}.pharaoh", [pharaoh_line(pair.links) for pair in pairs])
        summary.append(f"{folder / split}.en, .hi, .pharaoh: {len(pairs)} sentence pairs and their alignments")
    return "\n".join(summary)


def _write_lines(path: Path, lines: list[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
