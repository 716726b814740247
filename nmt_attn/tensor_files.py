"""Files of tensors in the safetensors format, equal byte for byte where their content is equal.

A file is the length of its header (8 bytes, little-endian), the header as JSON, and the numbers. The library writes the
entries of `__metadata__` in an order that changes from call to call.
"""

import json
from pathlib import Path

_LENGTH = 8


def sort_metadata(path: Path) -> None:
    """Brings the metadata of a file into the order of their names, in place; all else stays as it is."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length)
        if len(ordered) > length:
            raise ValueError(f"{path}: expected a header of {length} bytes, got {len(ordered)}")
        file.seek(_LENGTH)
        file.write(ordered)
