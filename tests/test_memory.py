"""Freed memory is kept: seen from outside, by the page faults of a process of its own."""

import platform
import subprocess
import sys

import pytest
import torch

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
