"""Tables of several machines side by side, from one JSON file each: docs/benchmarks/NAME.json.

A file holds a record of the machine (bench/machine.py), of each training and, if it was measured, of each search:

    {"machine": {...}, "ceiling": {"fp32": 2.5e11, ...}, "updates": 45,
     "training": [{"system": ..., "who": "ours, fp32", "tokens_a_second": ..., "peak_mebibytes": ...}, ...],
     "decoding": [{"system": ..., "beam": 5, "batch": 32, "who": ..., "sentences_a_second": ...}, ...]}

`who` is `ours, PRECISION` or the name of a peer.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.page import percent, table
from nmt_attn.files import write_text

OURS = "ours, "
Record = dict[str, Any]
Column = dict[tuple[Any, ...], float]


def save(folder: Path, name: str, record: Record) -> Path:
    """Writes the record of a machine."""
    path = folder / f"{name}.json"
    write_text(path, json.dumps(record, indent=1, sort_keys=True) + "\n")
    return path


def machines_section(folder: Path) -> str:
    """All machines of the folder, in the order of their files' names."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    head = ["", *found]
    text = table(head, _of_machines(list(found.values())))
    text += "\nTraining, target tokens a second of the processor:\n\n"
    text += table(["system", "who", *found], _rows(found.values(), "training", ("system",), "tokens_a_second"))
    if shares := list(_shares(found.values())):
        text += "\nTraining, floating-point operations a second as a share of the peak in that number format:\n\n"
        text += table(["system", "who", *found], shares)
    text += "\nTraining, peak mebibytes:\n\n"
    text += table(["system", "who", *found], _rows(found.values(), "training", ("system",), "peak_mebibytes"))
    if any(record.get("decoding") for record in found.values()):
        keys = ("system", "beam", "batch")
        text += "\nSearch, sentences a second of the processor:\n\n"
        text += table([*keys, "who", *found], _rows(found.values(), "decoding", keys, "sentences_a_second"))
    return text


def _of_machines(records: Sequence[Record]) -> Iterable[list[object]]:
    fields = (
        "name",
        "model",
        "flags",
        "cores",
        "threads",
        "kernels",
        "load",
        "neighbours_share",
        "torch",
        "date",
        "commit",
    )
    for field in fields:
        values = [record["machine"].get(field, "-") for record in records]
        yield [field.replace("_", " "), *(" ".join(each) if isinstance(each, list) else each for each in values)]
    for name in ("fp32", "bf16"):
        peaks = [record["ceiling"].get(name) for record in records]
        yield [f"peak {name}, GFLOP/s", *("-" if peak is None else peak / 1e9 for peak in peaks)]


def _shares(records: Iterable[Record]) -> Iterable[list[object]]:
    """One row for each system and format of ours whose floating-point operations were counted."""
    columns = []
    for record in records:
        counted = [row for row in record.get("training", []) if "flops_a_second" in row]
        rates, peaks = _column(counted, ("system",), "flops_a_second"), record["ceiling"]
        columns.append({case: percent(rate / peaks[case[-1].removeprefix(OURS)]) for case, rate in rates.items()})
    for case in dict.fromkeys(case for column in columns for case in column):
        yield [*case, *(column.get(case, "-") for column in columns)]


def _rows(records: Iterable[Record], part: str, keys: tuple[str, ...], value: str) -> Iterable[list[object]]:
    """One row for each case and each who, then ours against the fastest peer where there is one (not for memory)."""
    columns = [_column(record.get(part, []), keys, value) for record in records]
    cases = dict.fromkeys(case[:-1] for column in columns for case in column)
    for case in cases:
        whos = dict.fromkeys(who[-1] for column in columns for who in column if who[:-1] == case)
        for who in sorted(whos, key=lambda each: (not each.startswith(OURS), each)):
            yield [*case, who, *(column.get((*case, who), "-") for column in columns)]
        for ours in (who for who in whos if who.startswith(OURS)):
            ratios = [_against_peers(column, case, ours, is_rate=value != "peak_mebibytes") for column in columns]
            if any(ratio is not None for ratio in ratios):
                best = "fastest" if value != "peak_mebibytes" else "smallest"
                yield [*case, f"{ours} / {best} peer", *("-" if ratio is None else ratio for ratio in ratios)]


def _column(rows: Iterable[Record], keys: tuple[str, ...], value: str) -> Column:
    return {(*(row[key] for key in keys), row["who"]): row[value] for row in rows}


def _against_peers(column: Column, case: tuple[Any, ...], ours: str, *, is_rate: bool) -> float | None:
    theirs = [value for key, value in column.items() if key[:-1] == case and not key[-1].startswith(OURS)]
    if not theirs or (*case, ours) not in column:
        return None
    return column[(*case, ours)] / (max(theirs) if is_rate else min(theirs))
