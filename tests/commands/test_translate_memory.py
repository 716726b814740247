"""Memory of `nmt-attn translate` does not grow with the file."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import make_run

PROGRAM = """
import resource, sys
from nmt_attn.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
WORDS = ("un", "gato", "el", "perro", "ve", "negro", "dos")


def peak(run: Path, folder: Path, lines: int) -> int:
    """The greatest memory, in the system's units, of a process that translates N short lines."""
    source, output = folder / f"{lines}.txt", folder / f"{lines}.out"
    # all different, 1 to 6 words
    words = (" ".join(WORDS[(line // 7**place) % 7] for place in range(1 + line % 6)) for line in range(lines))
    source.write_text("".join(f"{text}\n" for text in words), encoding="utf-8", newline="\n")
    command = [sys.executable, "-c", PROGRAM, "translate", "--model", str(run), "--beam", "1", "--device", "cpu"]
    command += ["--set", "search.length_penalty=average", "--set", "search.max_length=3", "--batch-size", "512"]
    command += ["--input", str(source), "--output", str(output)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert output.read_bytes().count(b"\n") == lines
    return int(done.stderr.strip().split("\n")[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no `resource`")
def test_100000_lines_take_the_memory_of_10000(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    few, many = (peak(run, tmp_path, lines) for lines in (10_000, 100_000))
    assert many <= 1.1 * few, f"{few} for 10,000 lines, {many} for 100,000"
