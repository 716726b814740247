"""One run of a sweep, measured: its best model translates a part of the data, in a process of its own.

python -m nmt_attn.experiments.measure_run RUN CONFIG PART DEVICE OUTPUT
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from nmt_attn.config.file import load_resolved
from nmt_attn.data.corpus import read_whole
from nmt_attn.data.held_out import CorpusPart
from nmt_attn.errors import CheckpointError, UserError
from nmt_attn.evaluation.references import references_of
from nmt_attn.files import write_text
from nmt_attn.runtime import choose_device
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_text


class Output(NamedTuple):
    """What a run's best model makes of a part of the data, beside the references."""

    hypotheses: list[str]
    references: list[str]
    seconds: float  # of translating
    further: Sequence[list[str]] = ()  # references beside the first, of as many lines


def measure(run: Path, config: Path, part: str, device: str, output: Path) -> None:
    """Writes the output of the model with the search of `config`, which may differ from the run's."""
    resolved = load_resolved(config)
    search = [f"search.{key}={json.dumps(value)}" for key, value in resolved.search.model_dump(mode="json").items()]
    pairs = read_whole(resolved, cast(CorpusPart, part)).pairs
    right = references_of([pair.source for pair in pairs], [pair.target for pair in pairs], resolved.evaluate)
    translator = Translator.load(run, choose_device(device), search)
    started = time.perf_counter()
    translations = translator.translate(right.sources, with_alignments=False)
    seconds = time.perf_counter() - started
    record = Output([each.text for each in translations], right.first, seconds, right.further)
    write_text(output, json.dumps(record._asdict(), ensure_ascii=False, indent=1) + "\n")


def read_output(path: Path) -> Output:
    """What `measure` wrote. Raises CheckpointError if it is damaged."""
    try:
        return Output(**json.loads(read_text(path)))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: expected translations of a run, got a damaged file (remove it)") from error


if __name__ == "__main__":
    try:
        measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4], Path(sys.argv[5]))
    except UserError as error:
        sys.stderr.write(f"nmt-attn: {error}\n")
        sys.exit(2)
