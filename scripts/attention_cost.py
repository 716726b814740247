"""Measures the cost of one attention step: every score in every window, against S and the size of the states.

    python scripts/attention_cost.py             a minute on one core; writes docs/attention-cost.md and .png
    python scripts/attention_cost.py --quick --output FILE.md      a few seconds, small sizes

Time is processor time of one thread: the median over repeated steps on one batch of sentences of length S. Memory is
the number of bytes that a step allocates, counted operation by operation, so it has no variance.
"""

import argparse
import datetime
import functools
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nmt_attn.evaluation.pictures import drawing, save_figure
from nmt_attn.fast.training import TRAINING
from nmt_attn.fast.views import view
from nmt_attn.files import write_text
from nmt_attn.model.attention import Attention
from nmt_attn.model.scores import SCORES, ScoreSizes
from nmt_attn.model.state import Memory, Weights
from nmt_attn.model.windows import WINDOWS, WindowSizes

HEAD = """
# What attention costs

<!-- made by scripts/attention_cost.py -->

Measured on {date}: {machine}.

One attention step for {sentences} sentences of S positions at once: score, softmax, context. States have size d. The
keys, computed once per sentence, are not included. Processor time, medians, in ms; memory allocated.

![time of one step against S and d]({picture})
"""

DENSE = """
One part of a local window does grow with S: the dense row of weights for alignments has S numbers, nearly all of them
0. It is computed only when search needs it (`Weights.dense`) and is not included in the table above:
"""

SENTENCES = 8
HALF_WIDTH = 10
FITTED = 3
"""The growth is fitted to this many of the largest points."""


class Plan(NamedTuple):
    """What is measured."""

    lengths: tuple[int, ...]  # S, at state size `size`
    sizes: tuple[int, ...]  # d, at length `length`
    length: int
    size: int
    repeats: int


FULL = Plan((10, 25, 50, 100, 200, 400, 800, 1600), (64, 128, 256, 512, 1024), length=400, size=256, repeats=41)
QUICK = Plan((10, 100, 200, 400), (16, 32, 64), length=50, size=32, repeats=5)


class Cost(NamedTuple):
    """The cost of one step."""

    seconds: float
    bytes: int


class Curves(NamedTuple):
    """A score in a window: costs of a step by length and by size, of the dense weights, and of the keys."""

    score: str
    window: str
    by_length: list[Cost]
    by_size: list[Cost]
    dense_by_length: list[Cost]
    keys_by_size: list[Cost]


class Allocations(TorchDispatchMode):
    """Adds up the bytes of all new tensors; views cost nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {_storage(part) for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)}
        new = {_storage(part): part for part in tree_leaves(result) if isinstance(part, Tensor)}
        self.bytes += sum(part.untyped_storage().nbytes() for key, part in new.items() if key not in given)
        return result


def main() -> None:
    """Measures, then writes the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    default = Path(__file__).parents[1] / "docs" / "attention-cost.md"
    parser.add_argument("--output", type=Path, default=default, help="default: docs/attention-cost.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = QUICK if arguments.quick else FULL
    with torch.no_grad():
        curves = [measure(score, window, plan) for window in WINDOWS for score in SCORES]
    picture = arguments.output.with_suffix(".png")
    draw(curves, plan, picture)
    write_text(arguments.output, page(curves, plan, picture.name))


def measure(score: str, window: str, plan: Plan) -> Curves:
    """Measures one score in one window."""
    positions, by_length, dense = max(*plan.lengths, plan.length), [], []
    for length in plan.lengths:
        attention, step = _step(score, window, plan.size, length, positions)
        by_length.append(cost(step, plan.repeats))
        weights: Weights = step()[1]
        dense.append(cost(weights.dense, plan.repeats))
    by_size, keys = [], []
    for size in plan.sizes:
        attention, step = _step(score, window, size, plan.length, positions)
        by_size.append(cost(step, plan.repeats))
        project = functools.partial(attention.project_keys, torch.randn(SENTENCES, plan.length, size))
        keys.append(cost(project, plan.repeats))
    return Curves(score, window, by_length, by_size, dense, keys)


def cost(action: Callable[[], object], repeats: int) -> Cost:
    """Median time and allocated bytes of `action`."""
    times = []
    for _ in range(repeats + 3):
        started = time.thread_time()
        action()
        times.append(time.thread_time() - started)
    with Allocations() as allocations:
        action()
    return Cost(statistics.median(times[3:]), allocations.bytes)


def growth(xs: Sequence[int], values: Sequence[float]) -> float:
    """The exponent p of value ~ x^p over the large end: the slope of the log-log fit, to two decimals."""
    return round(float(np.polyfit(np.log(xs[-FITTED:]), np.log(values[-FITTED:]), 1)[0]), 2) + 0.0  # no -0.0


def _step(
    score: str, window: str, size: int, length: int, positions: int
) -> tuple[Attention, Callable[[], tuple[Tensor, Weights]]]:
    """The attention and one step of it: one query per sentence, with projected keys."""
    torch.manual_seed(1)
    score_sizes = ScoreSizes(size, size, size, positions, use_bias=False, project=False)
    window_sizes = WindowSizes(size, size, HALF_WIDTH, HALF_WIDTH / 2, renormalise=False)
    attention = Attention(SCORES[score](score_sizes), WINDOWS[window](window_sizes), size)
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=size**-0.5)
    states, lengths = torch.randn(SENTENCES, length, size), torch.full((SENTENCES,), length)
    mask = torch.ones(SENTENCES, length, dtype=torch.bool)
    memory = Memory(states, attention.project_keys(states), mask, lengths, lengths, lengths, (), ())
    query, steps = torch.randn(SENTENCES, 1, size), torch.full((SENTENCES, 1), length // 2)
    fast = view(attention, TRAINING)
    return fast, lambda: fast(query, memory, steps)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


FAMILIES = {
    "#c2571a": ("additive", "normed-additive", "concat"),
    "#2458a8": ("dot", "scaled-dot", "general", "scaled-general"),
    "#2f7d4f": ("location",),
}
"""Scores with the same formula share a colour."""


def draw(curves: Sequence[Curves], plan: Plan, path: Path) -> None:
    """Time of a step against S and against d; one column of two panels for each window."""
    from matplotlib.figure import Figure

    with drawing("", path):
        figure = Figure(figsize=(10, 5.6), layout="constrained")
        panels = figure.subplots(2, len(WINDOWS), sharey=True, sharex="row", squeeze=False)
        for column, window in enumerate(WINDOWS):
            panels[0][column].set_title(window, fontsize=10, loc="left")
            for row, xs in enumerate((plan.lengths, plan.sizes)):
                axes = panels[row][column]
                for curve in (curve for curve in curves if curve.window == window):
                    colour, names = next((key, names) for key, names in FAMILIES.items() if curve.score in names)
                    seconds = [point.seconds * 1e3 for point in (curve.by_length, curve.by_size)[row]]
                    label = ", ".join(names) if curve.score == names[0] and row == column == 0 else None
                    axes.plot(xs, seconds, "o-", color=colour, markersize=3, linewidth=1, label=label)
                axes.set(xscale="log", yscale="log", xticks=xs, xticklabels=[str(x) for x in xs])
                axes.set_yticks((0.1, 1, 10), ("0.1", "1", "10"))
                axes.tick_params(which="both", labelsize=8, bottom=False, left=False)
                axes.grid(color="#dddddd", linewidth=0.5)
                axes.set_xlabel((f"S (d = {plan.size})", f"d (S = {plan.length})")[row], fontsize=9)
                axes.set_ylabel("one step, ms" if column == 0 else "", fontsize=9)
        figure.legend(loc="outside lower center", ncols=len(FAMILIES), fontsize=8, frameon=False)
        save_figure(figure, path)


def page(curves: Sequence[Curves], plan: Plan, picture: str) -> str:
    """The page: tables, and how they compare with the papers' claims."""
    additive, local = curves[0], curves[-1]
    parts = [
        HEAD.format(date=datetime.date.today(), machine=_machine(), sentences=SENTENCES, picture=picture),
        _steps_table(curves, plan),
        _claims(curves, plan),
        _cost_table("additive, global", "d", plan.sizes, {"keys": additive.keys_by_size, "a step": additive.by_size}),
        DENSE,
        _cost_table("local window", "S", plan.lengths, {"its row of weights": local.dense_by_length}),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _claims(curves: Sequence[Curves], plan: Plan) -> str:
    local = [c for c in curves if c.window != "global" and c.score != "location"]
    slopes, longest = [growth(plan.lengths, _seconds(c.by_length)) for c in local], max(*plan.lengths, plan.length)
    keys = growth(plan.sizes, _seconds(curves[0].keys_by_size))
    additive, dot = (next(c for c in curves if (c.window, c.score) == ("global", name)) for name in ("additive", "dot"))
    return f"""
Columns of S have d = {plan.size}, columns of d have S = {plan.length}. S^p and d^p: the power of S or d with which time
(in the last column memory) grows over the {FITTED} largest values; for smaller ones, the overhead of calling an
operation dominates.

Compared with the formulas:

- *Additive* is a hidden layer for every pair of words, S d^2; with U h_j cached between steps (Bahdanau et al. 2015,
  A.1.2) S d. Measured: {_powers(additive, plan)} a step; the keys, once per sentence, d^{keys:.2f}.
- *Dot* is S d (Luong et al. 2015, 3.1). Measured: {_powers(dot, plan)}. Both grow alike; additive is slower by
  a constant factor, as it computes a tanh for every number of every key. *General* reads keys and states, two matrices
  where dot reads one; the time jumps once they exceed the processor's cache, for dot at twice the length.
- *A local window* is D d for any S (Luong et al. 2015, 3.2). Measured with D = {HALF_WIDTH}: S^{min(slopes):.2f} to
  S^{max(slopes):.2f} in time, and the same number of bytes at every S, as the window is gathered before it is scored.
- *Location* computes a number for each of `attention.max_positions` positions (here {longest}) in any window: its cost
  depends on that number, not on the length of the sentence.

Without cached keys, every step would also cost the first row:
"""


def _powers(curve: Curves, plan: Plan) -> str:
    in_s, in_d = growth(plan.lengths, _seconds(curve.by_length)), growth(plan.sizes, _seconds(curve.by_size))
    return f"S^{in_s:.2f} and d^{in_d:.2f}"


def _steps_table(curves: Sequence[Curves], plan: Plan) -> str:
    few, sizes = ([xs[0], xs[len(xs) // 2], xs[-1]] for xs in (plan.lengths, plan.sizes))
    head = ["window", "score", *(f"S={s}" for s in few), "S^p", *(f"d={d}" for d in sizes), "d^p"]
    head += [f"kB, S={few[0]}", f"kB, S={few[-1]}", "S^p"]
    rows = []
    for c in curves:
        lengths, sized = (
            dict(zip(xs, ys, strict=True)) for xs, ys in ((plan.lengths, c.by_length), (plan.sizes, c.by_size))
        )
        kilobytes = [point.bytes / 1e3 for point in c.by_length]
        row = [c.window, c.score, *(_ms(lengths[s]) for s in few), f"{growth(plan.lengths, _seconds(c.by_length)):.2f}"]
        row += [*(_ms(sized[d]) for d in sizes), f"{growth(plan.sizes, _seconds(c.by_size)):.2f}"]
        rows.append([*row, f"{kilobytes[0]:.0f}", f"{kilobytes[-1]:.0f}", f"{growth(plan.lengths, kilobytes):.2f}"])
    return _table(head, rows)


def _cost_table(name: str, letter: str, xs: Sequence[int], rows: dict[str, list[Cost]]) -> str:
    body = [[f"{row}, ms", *(_ms(point) for point in points)] for row, points in rows.items()]
    body += [[f"{row}, kB", *(f"{point.bytes / 1e3:.1f}" for point in points)] for row, points in rows.items()]
    return _table([name, *(f"{letter}={x}" for x in xs)], body)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ms(point: Cost) -> str:
    return f"{point.seconds * 1e3:.3f}"


def _seconds(points: Sequence[Cost]) -> list[float]:
    return [point.seconds for point in points]


def _machine() -> str:
    """The processor's name, and torch's version."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().split("\n") if line.startswith("model name")] if info.exists() else []
    processor = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{processor}, one thread, torch {torch.__version__.partition('+')[0]}, float32"


if __name__ == "__main__":
    main()
