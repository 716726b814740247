"""Which toolkit a file is of, by what is in it, and its reader."""

from pathlib import Path

from nmt_attn.errors import DataError
from nmt_attn.foreign.foreign_model import ForeignModel
from nmt_attn.foreign.joeynmt import is_joeynmt, read_joeynmt
from nmt_attn.foreign.opennmt import is_opennmt, read_opennmt
from nmt_attn.foreign.pickles import read_checkpoint

KINDS = "OpenNMT-py, joeynmt"


def read_foreign(path: Path, vocabularies: tuple[Path, ...]) -> ForeignModel:
    """The model of a file; `vocabularies`: files to take in place of those beside it. Raises DataError."""
    found = read_checkpoint(path)
    if is_opennmt(found):
        return read_opennmt(path, found)
    if is_joeynmt(found):
        return read_joeynmt(path, found, vocabularies)
    names = ", ".join(map(str, list(found)[:6]))
    raise DataError(f"{path}: expected a model of {KINDS}, got a file with {names}")
