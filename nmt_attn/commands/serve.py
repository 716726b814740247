"""`nmt-attn serve`: the lab, a page that shows how models translate; or the same page as a file. docs/lab.md."""

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nmt_attn.data.corpus import read_part
from nmt_attn.data.corpus_stats import CorpusReport
from nmt_attn.errors import ConfigError, UserError
from nmt_attn.model.store import BEST, CONFIG
from nmt_attn.options.translation import ServeOptions

if TYPE_CHECKING:
    from nmt_attn.lab.examples import Example
    from nmt_attn.lab.lab_model import LabModel
    from nmt_attn.lab.neighbours import StateIndex
    from nmt_attn.lab.service import Lab

NEEDED = ("starlette", "uvicorn")
EXAMPLES, SEARCHED, LONGEST_WORDS = 6, 200, 25
"""Example sentences of the page, and those of the test set that they are chosen from."""


def serve(options: ServeOptions) -> None:
    """Serves until it is interrupted, or writes the page. Raises UserError."""
    _check(options)
    with ExitStack() as stack:
        lab = _lab(options, stack)
        if options.save is not None:
            from nmt_attn.files import write_text
            from nmt_attn.lab.freeze import freeze

            write_text(options.save, freeze(lab, options.sentence or lab.examples[0].source))
            typer.echo(f"{options.save}: the page with its answers, for any browser", err=True)
            return
        from nmt_attn.lab.run_server import serve_lab

        serve_lab(lab, options.host, options.port, options.token, opens=options.open, say=typer.echo)


def _check(options: ServeOptions) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"serve: expected {', '.join(missing)}, got none (pip install 'nmt-attn[serve]')")
    from nmt_attn.lab.guard import LOOPBACK

    if options.host not in LOOPBACK and not options.token:
        raise ConfigError(
            f"--host: expected --token TOKEN beside {options.host}, which others can reach, got none "
            "(without --host, only this machine is served)"
        )


def _lab(options: ServeOptions, stack: ExitStack) -> "Lab":
    from nmt_attn.lab.examples import shipped_examples, shipped_index, shipped_models
    from nmt_attn.lab.lab_model import LabModel
    from nmt_attn.lab.neighbours import INDEX, StateIndex
    from nmt_attn.lab.service import Lab
    from nmt_attn.lab.training_log import TrainingLog
    from nmt_attn.model.store import find_model

    folders = list(options.model) or stack.enter_context(shipped_models())
    models: dict[str, LabModel] = {}
    indices: dict[str, Callable[[], StateIndex]] = {}
    for folder in folders:
        model = LabModel.load(find_model(folder), _name(folder, models))
        models[model.name] = model
        if (folder / INDEX).is_dir():
            indices[model.name] = _given(StateIndex.load(folder / INDEX))
        elif not options.model:
            indices[model.name] = cache(partial(shipped_index, model))  # made when it is first asked for
    examples = shipped_examples() if not options.model else _examples(options.model[0])
    sentence = options.sentence or (examples[0].source if examples else "")
    training = None if options.watch is None else TrainingLog(options.watch, sentence)
    return Lab(models, examples, indices, training)


def _given(index: "StateIndex") -> "Callable[[], StateIndex]":
    return lambda: index


def _name(folder: Path, taken: "dict[str, LabModel]") -> str:
    """The folder's name; with a number where another model has it."""
    name = folder.resolve().name if folder.resolve().name != BEST else folder.resolve().parent.name
    names = (name if number == 1 else f"{name} ({number})" for number in count(1))
    return next(each for each in names if each not in taken)


def _examples(folder: Path) -> "list[Example]":
    """Sentences of the model's own test set, short and long ones; none where it cannot be read."""
    from nmt_attn.config.file import load_resolved
    from nmt_attn.demo.corpus import demo_corpus
    from nmt_attn.lab.examples import Example
    from nmt_attn.model.store import find_model

    config = load_resolved(find_model(folder) / CONFIG)
    corpus = config.data.test
    if corpus.builtin is not None:
        pairs = [Example(*pair) for pair in demo_corpus(corpus.split or "test", SEARCHED)]
    else:
        try:
            read = islice(read_part(config, "test", CorpusReport("data.test")), SEARCHED)
            pairs = [Example(pair.source, pair.target, ()) for pair in read]
        except UserError:
            return []
    fitting = [pair for pair in pairs if 2 <= len(pair.source.split()) <= LONGEST_WORDS]
    fitting.sort(key=lambda pair: len(pair.source))
    return fitting[:: max(1, len(fitting) // EXAMPLES)][:EXAMPLES]
