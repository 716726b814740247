"""Equal content, equal bytes: what a resumed run and an undisturbed one write can be compared as files."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nmt_attn.tensor_files import sort_metadata

METADATA = {"c": 'a "quote", \\ and \n', "a": "हिंदी \x7f\x01/", "e": "", "b": '{"x": [1, 2]}', "d": "\u2028"}


def test_metadata_is_in_order_and_nothing_else_has_changed(tmp_path: Path) -> None:
    path, tensors = tmp_path / "t.safetensors", {"w": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2])}
    save_file(tensors, path, metadata=METADATA)
    before = path.read_bytes()
    sort_metadata(path)
    after = path.read_bytes()
    length = int.from_bytes(before[:8], "little")
    places = [after.index(f'"{key}":"'.encode()) for key in sorted(METADATA)]
    assert places == sorted(places)
    assert after[: len('........{"__metadata__":{"a":"')].endswith(b'{"__metadata__":{"a":"')
    assert (after[:8], after[8 + length :]) == (before[:8], before[8 + length :])
    with safe_open(path, "pt") as file:
        assert file.metadata() == METADATA
    assert all(torch.equal(found, tensors[name]) for name, found in load_file(path).items())


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    written = set()
    for number in range(20):
        path = tmp_path / f"{number}.safetensors"
        save_file({"w": torch.zeros(2)}, path, metadata=METADATA)
        sort_metadata(path)
        written.add(path.read_bytes())
    assert len(written) == 1
