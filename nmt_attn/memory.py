"""Memory of the process: what is freed is kept for the next batch, compiled products are few, and what stays is kept
out of garbage collection.

The first touch of fresh memory costs a page fault for every 4 KiB, a tenth of a training update where a machine is a
virtual one; by itself glibc gives large blocks back to the system and asks for them again at every update. oneDNN
compiles a program for each shape that it multiplies, about 0.7 MiB each in 0.3 ms, and keeps 1,024 of them.
"""

import ctypes
import gc
import os
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # the names of mallopt(3)
_KEPT_BYTES = 2**31 - 1
_GROWTH_BYTES = 1 << 26
TRAINING_PROGRAMS = 16
"""Compiled products to keep: those of the loops come at every step, larger ones are hardly met again."""
SEARCH_PROGRAMS = 128
"""Batches shrink as sentences stop, and the next batch goes through the same sizes again: about 25 sizes, each of which
needs four to five programs."""


def prepare_memory(programs: int = TRAINING_PROGRAMS) -> None:
    """Sets up memory for the whole process, before the first product; it keeps at most `programs` compiled products.

    Changes no result.

    On other systems than Linux with glibc freed memory is kept or not as before.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # oneDNN's own, and torch's on top of it
        os.environ.setdefault(name, str(programs))
    if platform.libc_ver()[0] == "glibc":
        glibc = ctypes.CDLL(None)
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _KEPT_BYTES), (_TOP_PAD, _GROWTH_BYTES)):
            glibc.mallopt(option, value)


def keep_for_good() -> None:
    """Leaves all objects that there are now out of garbage collection, for the whole process.

    The libraries and a model are some 400,000 objects; a full collection goes through all of them, in 0.2 s, and finds
    nothing. To be called once, when everything is loaded that stays.
    """
    gc.collect()
    gc.freeze()
