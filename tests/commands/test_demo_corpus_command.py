from pathlib import Path

import pytest

from nmt_attn.commands.demo_corpus import write_demo_corpus
from nmt_attn.errors import DataError
from nmt_attn.options.training import DemoCorpusOptions
from nmt_attn.text_io import read_lines


@pytest.mark.slow
def test_the_files_hold_the_splits_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_demo_corpus(DemoCorpusOptions(tmp_path / "demo"))
    summary = capsys.readouterr().out
    names = {f"{split}.{end}" for split in ("train", "valid", "test") for end in ("en", "hi", "pharaoh")}
    assert {path.name for path in (tmp_path / "demo").iterdir()} == names
    for split, size in (("train", 12000), ("valid", 300), ("test", 490)):
        assert f"{split}.en, .hi, .pharaoh: {size} sentence pairs" in summary
        assert [len(read_lines(tmp_path / "demo" / f"{split}.{end}")) for end in ("en", "hi", "pharaoh")] == [size] * 3
    first = [read_lines(tmp_path / "demo" / f"test.{end}")[0] for end in ("en", "hi", "pharaoh")]
    assert first == ["Turn off the lights", "लाइट बंद करो", "0-2 1-1 3-0"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match=r"taken/valid.en: expected a place that can be written to"):
        write_demo_corpus(DemoCorpusOptions(tmp_path / "taken"))
