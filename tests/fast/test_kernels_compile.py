"""Every kernel compiles for the GPUs in use, on any machine with Triton."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
pytest.importorskip("triton", reason="needs Triton")


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["80", "90"])
def test_every_kernel_compiles(capability: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "TRITON_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, str(TESTS / "compile_kernels.py"), capability], capture_output=True, text=True, env=environment
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr
