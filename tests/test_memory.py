"""Memory of the process, seen from outside: page faults, peaks and imports of processes of their own."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nmt_attn.data.encoded import EncodedPair, write_encoded
from nmt_attn.training.optimizer import OPTIMIZERS
from nmt_attn.types import SentencePair

FAULTS = """
import resource
import torch
{prepare}

def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        kept = [torch.ones(10 << 20) for _ in range(2)]  # 40 MiB each, which glibc by itself always gives back
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(12)  # until the blocks have found their places
print(faults(5))
"""
PREPARE = "from nmt_attn.memory import prepare_memory; prepare_memory()"


def faults_of(prepare: str) -> int:
    code = FAULTS.format(prepare=prepare)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's memory is left as it is")
def test_what_is_freed_costs_no_page_faults_when_it_is_used_again() -> None:
    pages = 5 * 80 * 256  # of 4 KiB, in all five rounds
    assert faults_of("") > pages / 2
    assert faults_of(PREPARE) < pages / 100


PROGRAMS = """
import resource
import torch
from nmt_attn.memory import prepare_memory
prepare_memory()
torch.set_num_threads(1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

weight = torch.randn(256, 256).bfloat16()
for rows in range(1, 41):
    torch.randn(rows, 256).bfloat16() @ weight
before = peak()
for rows in range(41, 241):
    torch.randn(rows, 256).bfloat16() @ weight
print(peak() - before)
"""


@pytest.mark.skipif(not torch.cpu.get_capabilities().get("avx512_bf16"), reason="needs products by oneDNN")
def test_compiled_products_of_many_shapes_do_not_pile_up() -> None:
    grown = float(subprocess.run([sys.executable, "-c", PROGRAMS], capture_output=True, check=True, text=True).stdout)
    assert grown < 20  # 200 shapes; 140 MiB if every one of them were kept


@pytest.mark.parametrize(("command", "programs"), [("train", "16"), ("translate", "128")])
def test_a_search_keeps_more_compiled_products_than_training(command: str, programs: str) -> None:
    """The command itself stops at once, as the file or the model is not there."""
    code = (
        "import os, sys; from nmt_attn import cli\n"
        "try:\n    cli.main()\nfinally:\n    print(os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    )
    arguments = {"train": ["nowhere.yaml"], "translate": ["--model", "nowhere"]}[command]
    kept = {name: value for name, value in os.environ.items() if "CACHE_CAPACITY" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code, command, *arguments], capture_output=True, check=False, text=True, env=kept
    )
    assert done.stdout.split() == [programs]


UNUSED = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import tiny_training

from nmt_attn.data.encoded import open_encoded

tiny_training.tiny_corpus = lambda pairs, seed=1: open_encoded(Path(sys.argv[2]))
session = tiny_training.start(epochs=1, optimizer=sys.argv[3])
session.run()
imported = {name.partition(".")[0] for name in sys.modules} | {"torch._dynamo"} & sys.modules.keys()
print(session.trainer.progress.update, *sorted(imported & {"torch._dynamo", "sympy", "pandas", "datasets"}))
"""


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_training_imports_no_compiler_and_no_table_of_pandas(optimizer: str, tmp_path: Path) -> None:
    path = tmp_path / "corpus.arrow"
    write_encoded(path, [EncodedPair([4, 5], [5, 4], SentencePair("a b", "b a"))] * 20, keep_text=False)
    command = [sys.executable, "-c", UNUSED, str(Path(__file__).parent), str(path), optimizer]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    updates, *imported = done.stdout.split()
    assert int(updates) > 0
    assert imported == []


KEPT = """
import gc
from nmt_attn.memory import keep_for_good
made = [[] for _ in range(1000)]
keep_for_good()
later = [[] for _ in range(1000)]
searched = gc.get_objects()
print(*(any(each is wanted for each in searched) for wanted in (made, later)))
"""


def test_what_is_kept_for_good_is_not_searched_and_what_comes_later_is() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["False", "True"]
