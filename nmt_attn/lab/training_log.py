"""Training log: what a run that is still training has written so far, for curves that grow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt_attn.errors import UserError
from nmt_attn.evaluation.metrics import METRICS, title_of
from nmt_attn.lab.lab_model import LabModel
from nmt_attn.lab.payload import numbers

LOG = "log.jsonl"
MOST_BYTES = 1 << 20
"""Read at once."""
UPDATE_KEYS = ("update", "epoch", "loss", "learning_rate")


@dataclass
class TrainingLog:
    """The run in `folder`; `sentence` is the one whose matrix grows, translated by the best model so far."""

    folder: Path
    sentence: str
    _seen: float = -1.0
    _matrix: dict[str, Any] | None = None

    def read(self, after: int) -> dict[str, Any]:
        """The whole lines after byte `after`, where to go on, and the matrix of the best model so far."""
        records, end = self._lines(after)
        updates = [_part(each, UPDATE_KEYS) for each in records if each.get("kind") == "update"]
        validations = [_validation(each) for each in records if each.get("kind") == "validation"]
        return {
            "run": self.folder.name,
            "next": end,
            "updates": updates,
            "validations": validations,
            "matrix": self._best(),
        }

    def _lines(self, after: int) -> tuple[list[dict[str, Any]], int]:
        path = self.folder / LOG
        if not path.is_file() or path.stat().st_size < after:
            return [], 0  # not begun, or begun anew
        with path.open("rb") as stream:
            stream.seek(after)
            text = stream.read(MOST_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], after + len(whole)

    def _best(self) -> dict[str, Any] | None:
        """Made anew where the weights are newer; the last one where they are just being written."""
        weights = self.folder / "best" / "model.safetensors"
        changed = weights.stat().st_mtime if weights.is_file() else -1.0
        if changed > self._seen:
            try:
                trace = LabModel.load(self.folder).trace(self.sentence)
            except UserError:
                return self._matrix
            rows = [numbers(row) for row in trace.weights]
            target = [step.word for step in trace.steps]
            self._matrix = {"source": trace.source, "target": target, "text": trace.text, "weights": rows}
            self._seen = changed
        return self._matrix


def _validation(record: dict[str, Any]) -> dict[str, Any]:
    """With the first metric by which the run is validated, if there is one."""
    metric = next((key for key in record if key in METRICS and record[key] is not None), None)
    found = {"metric": None, "score": None} if metric is None else {"metric": title_of(metric), "score": record[metric]}
    return {**_part(record, ("update", "loss")), **found}


def _part(record: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: record.get(key) for key in keys}
