"""Too little memory: known in what is raised, halved away in search, and told in one line where nothing helps."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import REFERENCES, SOURCES, make_run

from nmt_attn.errors import ConfigError
from nmt_attn.memory_lack import Halving, explained, lacks_memory
from nmt_attn.search import forced
from nmt_attn.search.forced import force_decode
from nmt_attn.search.searcher import Searcher
from nmt_attn.search.translator import Translator

CPU = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes."


@pytest.mark.parametrize("make", [lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50), lambda: bytearray(1 << 60)])
def test_what_libraries_raise_is_known(make: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        make()
    assert lacks_memory(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("std::bad_alloc"),
        RuntimeError(CPU),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_a_gpu_would_raise_is_known(error: Exception) -> None:
    assert lacks_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), ValueError("out of memory"), OSError(28, "no space")]
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not lacks_memory(error)
    with pytest.raises(type(error)), explained(lambda: pytest.fail("it is none")):
        raise error


def test_rows_are_halved_until_they_fit_and_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """11 do not fit, nor do 5, but 2: so 2 + 2 + 2 + 2 + 2 + 1, and from then on never more than 2."""
    halving, freed = Halving("rows", "a hint"), []

    def work(rows: Sequence[int]) -> list[int]:
        if len(rows) > 2:
            raise MemoryError
        return [-row for row in rows]

    def free() -> None:
        freed.append(True)

    found = list(halving.each(range(11), work, free, str))
    assert [len(rows) for rows, _ in found] == [2, 2, 2, 2, 2, 1]
    assert [value for _, values in found for value in values] == [-row for row in range(11)]
    assert len(freed) == 2
    assert [len(rows) for rows, _ in halving.each(range(3), work, free, str)] == [2, 1]
    said = "note: too little memory for 11 rows together, so batches are halved until they fit (a hint)\n"
    assert capsys.readouterr().err == said


def test_a_row_that_does_not_fit_alone_is_told() -> None:
    def work(rows: Sequence[int]) -> list[int]:
        raise MemoryError

    with pytest.raises(ConfigError, match=r"^row 7$"):
        list(Halving("rows", "").each([7, 8], work, lambda: None, lambda row: f"row {row}"))


def too_small_for(function: Callable[..., Any], most: int, place: int) -> Callable[..., Any]:
    """The function with an allocator that has room for `most` rows of its argument at `place`."""

    def limited(*given: Any, **named: Any) -> Any:
        if len(given[place]) > most:
            raise RuntimeError(CPU)
        return function(*given, **named)

    return limited


def test_translations_are_those_of_enough_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    translator = Translator.load(make_run(tmp_path))
    expected = [each.text for each in translator.translate(SOURCES * 2)]
    assert capsys.readouterr().err == ""
    search = Searcher.search
    monkeypatch.setattr(Searcher, "search", too_small_for(search, 1, 1))
    assert [each.text for each in translator.translate(SOURCES * 2)] == expected
    said = capsys.readouterr().err
    assert said.count("note: too little memory for 8 sentences together, so batches are halved until they fit") == 1
    assert "--batch-size, search.batch_sentences or --beam" in said
    again = pickle.loads(pickle.dumps(translator))
    assert [each.text for each in again.translate(SOURCES)] == expected[:5]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(Searcher, "search", too_small_for(search, 0, 1))
    said = r"search\.beam: expected a search that fits into the memory of cpu, got beam 2 for line 1 of \d+ tokens"
    with pytest.raises(ConfigError, match=said):
        translator.translate(SOURCES)


def test_scores_of_given_translations_are_those_of_enough_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    translator = Translator.load(make_run(tmp_path))
    expected = [each.log_prob for each in force_decode(translator, SOURCES, REFERENCES, with_alignments=True)]
    decode = forced._decode
    monkeypatch.setattr(forced, "_decode", too_small_for(decode, 1, 1))
    for _ in range(2):
        found = force_decode(translator, SOURCES, REFERENCES, with_alignments=True)
        assert [each.log_prob for each in found] == pytest.approx(expected, abs=1e-5)
    assert capsys.readouterr().err.count("note: too little memory for") == 1
    monkeypatch.setattr(forced, "_decode", too_small_for(decode, 0, 1))
    said = r"^line \d: expected a pair that fits into the memory of cpu, got \d+ \+ \d+ tokens$"
    with pytest.raises(ConfigError, match=said):
        force_decode(translator, SOURCES, REFERENCES, with_alignments=True)


LIMITED = """
import resource, sys
from pathlib import Path
import datasets
import nmt_attn.commands.train, nmt_attn.commands.translate
from nmt_attn.cli import main
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
room = int(sys.argv.pop(1)) << 20
resource.setrlimit(resource.RLIMIT_AS, (taken + room, taken + room))
main()
"""
"""A command in a process that may take only this many MiB (its first word) beyond what it has imported."""
ROOM, PLENTY = 150, 1 << 20


def limited(folder: Path, mebibytes: int, *words: object) -> subprocess.CompletedProcess[str]:
    """The command with this much room."""
    command = [sys.executable, "-c", LIMITED, str(mebibytes), *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_training_that_does_not_fit_ends_in_a_line(tmp_path: Path) -> None:
    keys = ["training.batch_tokens=60000", "training.updates=1", "training.validate_translation=false"]
    words = [word for key in keys for word in ("--set", key)]
    done = limited(tmp_path, ROOM, "train", "demo", "--device", "cpu", *words)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("nmt-attn: training.batch_tokens: expected batches that fit into the memory of cpu, got one")
    assert "training.accumulate_batches" in last
    assert last.endswith("the run has no checkpoint yet)")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_decoding_that_does_not_fit_goes_on_in_halves(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (tmp_path / "in.txt").write_text(("el gato " * 30 + "\n") * 100)
    keys = ["--set", "search.batch_sentences=100", "--set", "search.max_length=20", "--beam", 100]
    scarce, plenty = (
        limited(tmp_path, room, "translate", "--model", run, "--input", "in.txt", *keys) for room in (ROOM, PLENTY)
    )
    assert scarce.returncode == plenty.returncode == 0, scarce.stderr
    assert scarce.stdout == plenty.stdout
    assert scarce.stderr.count("note: too little memory for 100 sentences together") == 1
    assert "too little memory" not in plenty.stderr
