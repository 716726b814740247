"""Jobs that run in separate processes, so that peak memory and denormals do not affect each other.

python -m bench.jobs '{"kind": ..., ...}'      inside scripts/; prints one line of JSON
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1]


def run_job(
    kind: str, parts: Mapping[str, object], *, threads: int = 1, environment: Mapping[str, str] | None = None
) -> Any:
    """Runs a job and returns its result as JSON; `parts` are the fields of its record, `environment` more variables."""
    paths = os.pathsep.join([str(SCRIPTS), *sys.path[1:]])
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": paths, **(environment or {})}
    asked = json.dumps({"kind": kind, **parts}, default=str)
    done = subprocess.run(
        [sys.executable, "-m", "bench.jobs", asked], env=variables, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def _main(asked: dict[str, Any]) -> object:
    import torch

    from bench.ceiling import measure_ceiling
    from bench.decoding import DecodingJob, decode
    from bench.growth import GrowthJob, measure_growth
    from bench.systems import Corpus
    from bench.training import TrainingJob, profile, train
    from nmt_attn.memory import SEARCH_PROGRAMS, TRAINING_PROGRAMS, prepare_memory
    from nmt_attn.model.store import save_model

    kind = asked.pop("kind")
    prepare_memory(SEARCH_PROGRAMS if kind == "decode" else TRAINING_PROGRAMS)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if kind == "ceiling":
        return measure_ceiling()._asdict()
    if kind == "growth":
        return measure_growth(GrowthJob(**asked))._asdict()
    if kind == "decode":
        paths = {name: Path(asked[name]) for name in ("model", "lines", "reference") if asked.get(name)}
        return decode(DecodingJob(**{**asked, **paths, "settings": tuple(asked["settings"])}))._asdict()
    corpus = Corpus(*(Path(asked.pop(name)) for name in Corpus._fields))
    model = asked.pop("model", None)
    job = TrainingJob(**{**asked, "settings": tuple(asked["settings"])})
    if kind == "profile":
        return profile(job, corpus)
    ready, result = train(job, corpus)
    if model is not None:
        save_model(ready.model, ready.config, Path(model), vocabulary=ready.data.codecs.digest())
        ready.data.codecs.save(Path(model) / "vocab")
    return result._asdict()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_main(json.loads(sys.argv[1]))) + "\n")
