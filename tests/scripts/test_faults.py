"""scripts/faults.py: each fault of the machine ends as promised; the script itself tries more of them."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "faults.py"
NAMES = ["kills", "interrupts", "full-disk", "no-permission", "two-starts", "moved-folder", "odd-times"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="faults as Linux makes them")
@pytest.mark.parametrize("name", NAMES)
def test_a_fault_ends_as_promised(name: str) -> None:
    done = subprocess.run([sys.executable, SCRIPT, name, "--few"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"| {name} | " in done.stdout
