"""Which toolkit a file is of, by what is in it, and its reader."""

import zipfile
from pathlib import Path

from nmt_attn.errors import DataError
from nmt_attn.foreign.eole import is_eole, read_eole
from nmt_attn.foreign.fairseq import is_fairseq, read_fairseq
from nmt_attn.foreign.foreign_model import ForeignModel
from nmt_attn.foreign.joeynmt import is_joeynmt, read_joeynmt
from nmt_attn.foreign.npz import read_npz
from nmt_attn.foreign.opennmt import is_opennmt, read_opennmt
from nmt_attn.foreign.pickles import read_checkpoint

KINDS = "OpenNMT-py, joeynmt, eole, fairseq, Marian, nematus"


def read_foreign(path: Path, vocabularies: tuple[Path, ...]) -> ForeignModel:
    """The model of a file; `vocabularies`: files to take in place of those beside it. Raises DataError."""
    if is_eole(path):
        return read_eole(path)
    if _holds_arrays(path):
        return read_npz(path, vocabularies)
    found = read_checkpoint(path)
    if is_opennmt(found):
        return read_opennmt(path, found)
    if is_joeynmt(found):
        return read_joeynmt(path, found, vocabularies)
    if is_fairseq(found):
        return read_fairseq(path, found, vocabularies)
    names = ", ".join(map(str, list(found)[:6]))
    raise DataError(f"{path}: expected a model of {KINDS}, got a file with {names}")


def _holds_arrays(path: Path) -> bool:
    """Whether it is an archive of NumPy's. Files of PyTorch are archives too."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())
