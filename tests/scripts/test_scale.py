"""scripts/scale.py: the corpus it writes, the memory it reads, and the table it ends with."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "scale.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_are_spelled_apart(script: ModuleType) -> None:
    assert [script.spelling(number, "abc") for number in (0, 1, 3, 9)] == ["aa", "ab", "ba", "baa"]
    assert len({script.spelling(number, "abc") for number in range(1000)}) == 1000


def test_the_target_is_the_source_spelled_anew_and_turned_round(script: ModuleType, tmp_path: Path) -> None:
    script.write_corpus(tmp_path, "few", 50, seed=1)
    sources = (tmp_path / "few.src").read_text().split("\n")[:-1]
    targets = (tmp_path / "few.tgt").read_text().split("\n")[:-1]
    assert len(sources) == len(targets) == 50
    words = {}
    for source, target in zip(sources, targets, strict=True):
        for one, other in zip(source.split(), reversed(target.split()), strict=True):
            assert words.setdefault(one, other) == other
    assert len(words) > 100


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_memory_is_that_of_the_process(script: ModuleType) -> None:
    before = script.memory_of(os.getpid())
    held = b"x" * (64 << 20)
    after = script.memory_of(os.getpid())
    assert 60 << 20 < after.own - before.own < 80 << 20
    assert after.resident >= len(held)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
@pytest.mark.parametrize("tokenizer", ["word", "sentencepiece"])
def test_the_table_has_both_starts(tmp_path: Path, tokenizer: str) -> None:
    command = [sys.executable, str(SCRIPT), "--folder", str(tmp_path), "--pairs", "20000", "--tokenizer", tokenizer]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=SCRIPT.parents[1])
    rows = re.findall(r"^\| (first|second).*\| (\d+) s \| ([\d,]+) MiB \| ([\d,]+) MiB \|$", ended.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["first", "second"]
