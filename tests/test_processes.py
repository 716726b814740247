"""Processes: what is shared out comes together again; alone, nothing happens. Real ones: tests/commands."""

import pytest
import torch
from torch import nn

from nmt_attn import processes as module
from nmt_attn.cli import app
from nmt_attn.errors import ConfigError, ProcessError
from nmt_attn.processes import Processes, joined


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("items", [0, 1, 2, 7])
def test_shares_come_together_in_order(count: int, items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = list(range(items))
    shares = [list(Processes(rank, count).share(everything)) for rank in range(count)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1

    def all_gather(found: list[list[int]], mine: list[int]) -> None:
        found[:] = shares

    monkeypatch.setattr(module.distributed, "all_gather_object", all_gather)
    for rank in range(count):
        assert Processes(rank, count).gather(shares[rank]) == everything


def test_one_alone_needs_no_group() -> None:
    with joined() as alone, alone.first_alone():
        assert (alone.rank, alone.count, alone.is_first) == (0, 1, True)
        assert alone.sum([1.5, 2]) == [1.5, 2]
        assert alone.gather([3, 4]) == [3, 4] == alone.share([3, 4])
        layer = nn.Linear(1, 1)
        assert alone.parallel(layer, some_idle=False) is layer
        alone.require_same("run.precision", "bf16")
        alone.wait()


def test_a_group_of_one_is_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, str(int(name == "WORLD_SIZE")))
    with joined() as alone:
        assert alone.count == 1


@pytest.mark.parametrize(("starts", "expected"), [(None, False), ("0", False), ("2", True)])
def test_a_restart_is_known(starts: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    if starts is not None:
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", starts)
    assert Processes().is_restart() == expected


def test_a_lost_connection_is_said_in_one_line() -> None:
    with (
        pytest.raises(ProcessError, match=r"^process 1 of 2: .*got one that has ended .*Connection closed by peer\)$"),
        Processes(1, 2).together(),
    ):
        raise RuntimeError("Connection closed by peer\nException raised from ...")


@pytest.mark.parametrize("count", [1, 2])
def test_other_faults_stay_what_they_are(count: int) -> None:
    with pytest.raises(torch.OutOfMemoryError), Processes(0, count).together():
        raise torch.OutOfMemoryError
    with pytest.raises(RuntimeError, match="mine"), Processes().together():
        raise RuntimeError("mine")


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    found = [Processes(rank, 4, local_rank=rank % 2).device(cuda) for rank in range(4)]
    assert [str(device) for device in found] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert taken == found
    assert Processes(1, 4, local_rank=1).device(cpu) == cpu
    assert Processes().device(cuda) == cuda
    with pytest.raises(ConfigError, match=r"run.device: .*got 2 and a process number 3 .*--nproc-per-node 2"):
        Processes(2, 3, local_rank=2).device(cuda)


@pytest.mark.parametrize("command", [["translate"], ["eval", "--model", "m"], ["config"]], ids=" ".join)
def test_torchrun_is_for_training_alone(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match=rf"^{command[0]}: expected one process, got 3 \(torchrun is for train"):
        app(command)


def test_processes_that_resolve_auto_differently_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    two = Processes(0, 2)
    monkeypatch.setattr(two, "gather", lambda done: [*done, "cpu with float32"])
    with pytest.raises(
        ConfigError, match=r"^run\.device: expected the same in .*, got cuda with bfloat16, cpu with float32"
    ):
        two.require_same("run.device", "cuda with bfloat16")
    two.require_same("run.device", "cpu with float32")


def test_one_gpu_is_not_for_several_processes() -> None:
    with pytest.raises(ConfigError, match=r"^run\.device: expected 'cuda' with 2 processes, a GPU each, got 'cuda:1'$"):
        Processes(0, 2).device(torch.device("cuda", 1))
