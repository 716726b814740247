"""Runs and times the command of another toolkit in its own environment. Does not depend on nmt_attn.

    PEER_OUT=F.json PEER_FLUSH=1 python peer_run.py joeynmt|onmt_train|onmt_translate|eole|yoyodyne ARGUMENTS...
    PEER_OUT=F.json PEER_UPDATES="[15, 45]" python peer_run.py marian ARGUMENTS...

Writes wall-clock and processor seconds after every optimizer step, peak memory at the last step, processor seconds
inside the call that translates, and the translations if that call returns them (joeynmt). Marian is no Python: it
trains once for each number of PEER_UPDATES, and the whole run is timed.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TOOLKITS = {
    "eole": ("eole.bin.main", ("eole.bin.main",), ""),
    "yoyodyne": ("yoyodyne.cli.main", ("yoyodyne.cli.main",), ""),
    "joeynmt": ("joeynmt.__main__", ("joeynmt.prediction",), "predict"),
    "onmt_train": ("onmt.bin.train", ("onmt.bin.train",), ""),
    "onmt_translate": ("onmt.bin.translate", ("onmt.translate.translator", "Inference"), "_translate"),
}
"""By command: the module of its `main`, and the owner and name of the call that translates."""
HYPOTHESES = 2
"""Index of the texts in the result of joeynmt's `predict`; writing them to a file fails in 2.3.0."""


@dataclass
class Measured:
    """The measurements, written at the end."""

    steps: list[tuple[int, float, float]] = field(default_factory=list)  # update, seconds, processor seconds
    cpu_share: float = 0.0  # of the training, the first step not counted
    peak_mebibytes: float = 0.0  # of the training process
    translating: float = 0.0  # processor seconds
    hypotheses: list[str] = field(default_factory=list)


MEASURED = Measured()


def main() -> None:
    """Runs the toolkit and writes what was measured."""
    name = sys.argv[1]
    sys.argv = sys.argv[1:]
    try:
        if name == "marian":
            _marian(sys.argv[1:])
        else:
            _with_torch(name)
    finally:
        Path(os.environ["PEER_OUT"]).write_text(json.dumps(asdict(MEASURED)), encoding="utf-8")


def _marian(arguments: list[str]) -> None:
    """Trains for each number of updates, from the beginning."""
    command = [sys.executable, "-m", "pymarian", "train", "--no-shuffle", *arguments]
    for updates in json.loads(os.environ["PEER_UPDATES"]):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--overwrite", "--no-reload", "--after-batches", str(updates)], check=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        MEASURED.steps.append((updates, wall, seconds))
        MEASURED.cpu_share = seconds / wall
        MEASURED.peak_mebibytes = after.ru_maxrss / 1024


def _with_torch(name: str) -> None:
    """Hooks torch's optimizers, then runs the toolkit."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    torch.set_num_threads(1)
    torch.set_flush_denormal(bool(os.environ.get("PEER_FLUSH")))
    _load_whole_checkpoints(torch)
    register_optimizer_step_post_hook(_stepped)
    if name == "yoyodyne":
        _keep_the_order_of_lines()
    _toolkit(name)()


def _toolkit(name: str) -> Callable[[], None]:
    """The `main` of the command, with a timer around the call that translates."""
    module, owner, method = TOOLKITS[name]
    place: Any = importlib.import_module(owner[0])
    for part in owner[1:]:
        place = getattr(place, part)
    if method:
        setattr(place, method, _timed(getattr(place, method)))
    run: Callable[[], None] = importlib.import_module(module).main
    return run


def _stepped(optimizer: Any, args: Any, keys: Any) -> None:
    MEASURED.steps.append((len(MEASURED.steps) + 1, time.perf_counter(), time.process_time()))
    _, wall, seconds = (end - start for start, end in zip(MEASURED.steps[0], MEASURED.steps[-1], strict=True))
    MEASURED.cpu_share = seconds / wall if wall else 0.0
    MEASURED.peak_mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **keys: Any) -> Any:
        start = time.process_time()
        result = function(*args, **keys)
        MEASURED.translating += time.process_time() - start
        if isinstance(result, tuple) and len(result) > HYPOTHESES:
            MEASURED.hypotheses += result[HYPOTHESES]
        return result

    return run


def _keep_the_order_of_lines() -> None:
    """yoyodyne shuffles its batches, and has no option against that."""
    from torch.utils.data import DataLoader

    datamodules, datasets, mappers = (
        importlib.import_module(f"yoyodyne.data.{name}") for name in ("datamodules", "datasets", "mappers")
    )

    def in_order(self: Any) -> Any:
        lines = datasets.MappableDataset(self.train, mappers.Mapper(self.index), self.parser)
        return DataLoader(lines, collate_fn=self.collator, batch_size=self.batch_size)

    datamodules.DataModule.train_dataloader = in_order


def _load_whole_checkpoints(torch: Any) -> None:
    """Both toolkits save Python objects in their checkpoints, which torch.load refuses by default."""
    load = torch.load
    torch.load = lambda *args, **keys: load(*args, **{"weights_only": False, **keys})


if __name__ == "__main__":
    main()
