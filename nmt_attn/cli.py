"""The command line: `nmt-attn COMMAND`. A user's mistake becomes one line and exit code 2.

Each command's options are the fields of its record (nmt_attn/options/); a command is a function of that record in
commands/. Nothing heavy is imported before a command runs, so that help answers at once.
"""

import inspect
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from nmt_attn.errors import ConfigError, UserError
from nmt_attn.files import OUTPUT_ERRORS, drop_unwritten, open_streams, reason, shown
from nmt_attn.interruption import end_interrupted, received, say
from nmt_attn.memory import SEARCH_PROGRAMS, TRAINING_PROGRAMS, prepare_memory
from nmt_attn.memory_lack import lacks_memory
from nmt_attn.option_parsing import OnceCommand, checked, parameters_of
from nmt_attn.options.evaluation import AerOptions, AlignOptions, EvalOptions, ScoreOptions
from nmt_attn.options.models import AverageOptions, ImportOptions, IndexOptions, ShortlistOptions
from nmt_attn.options.training import (
    ConfigOptions,
    DemoCorpusOptions,
    InitOptions,
    PlotOptions,
    RunsOptions,
    SweepOptions,
    TrainOptions,
)
from nmt_attn.options.translation import ExplainOptions, ServeOptions, TranslateOptions
from nmt_attn.screen import escaped, protect_terminal
from nmt_attn.threads import wait_passively
from nmt_attn.version import __version__

# typer has no name of its own for it: its base class of all that is wrong with a command line
ClickException: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
LONGEST_MISTAKE = 300
"""Characters of a message about the words of the command line."""
_PLACES = {
    "init": "--tsv FILE, or --source FILE and --target FILE, names the text",
    "translate": "text comes from standard input or --input FILE",
    "eval": "--model RUN names a model",
    "score": "--source FILE and --target FILE name the texts",
    "align": "--source FILE and --target FILE name the texts",
    "serve": "--model RUN names a model",
    "explain": "a sentence of several words stands in quotes",
}
"""Where what many write after the command belongs."""

app = typer.Typer(
    name="nmt-attn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Trains, runs and explains neural machine translation with recurrent networks and attention.",
    epilog="First steps: nmt-attn train demo; echo 'Turn off the lights' | nmt-attn translate --beam 5",
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from nmt_attn.runtime import describe_machine

        typer.echo(f"nmt-attn {__version__}\n" + "\n".join(describe_machine()))
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Versions, CPU and GPU: what runs here."),
]


@app.callback()
def before_command(context: typer.Context, version: Version = False) -> None:
    # Without a docstring, as that would stand for the help of all commands.
    count = os.environ.get("WORLD_SIZE", "1")
    if count != "1" and context.invoked_subcommand != "train":
        raise ConfigError(
            f"{context.invoked_subcommand}: expected one process, got {count} (torchrun is for train; a long text can "
            "be split into files, each translated by a process of its own)"
        )


def command(name: str, example: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Declares a function of one record as a command whose options are the record's fields."""

    def declare(function: Callable[[Any], None]) -> Callable[[Any], None]:
        record = get_type_hints(function)["options"]

        def run(**given: Any) -> None:
            function(record(**{key: checked(key, value) for key, value in given.items() if value is not None}))

        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature(parameters_of(record))  # type: ignore[attr-defined]
        app.command(name, cls=OnceCommand, epilog=f"Example: nmt-attn {name} {example}")(run)
        return function

    return declare


@command("init", "--source data/train.de --target data/train.en; nmt-attn train data.yaml")
def init(options: InitOptions) -> None:
    """Look at a parallel text, say what it is, and write a configuration that trains on it."""
    from nmt_attn.commands.init import init as run

    run(options)


@command("train", "demo --set model.attention.score=general")
def train(options: TrainOptions) -> None:
    """Train a model; goes on where an interrupted run stopped."""
    from nmt_attn.commands.train import train as run

    run(options)


@command("sweep", "sweep.yaml --jobs 2")
def sweep(options: SweepOptions) -> None:
    """Train every combination of a grid, or a random search, with several seeds, and compare them in one table."""
    from nmt_attn.commands.sweep import sweep as run

    run(options)


@command("runs", "--where state=finished --where score=general --sort best")
def list_runs(options: RunsOptions) -> None:
    """List runs: how far each is, its best value, and the keys in which they differ."""
    from nmt_attn.commands.runs import runs as run

    run(options)


@command("translate", "--beam 5 --alignments out.jsonl < input.txt > output.txt")
def translate(options: TranslateOptions) -> None:
    """Translate text, one sentence a line, in order."""
    from nmt_attn.commands.translate import translate as run

    run(options)


@command("eval", "--model runs/a --model runs/b --report report/")
def evaluate(options: EvalOptions) -> None:
    """Evaluate models or translations: metrics, metrics by sentence length, alignments, attention."""
    from nmt_attn.commands.eval import evaluate as run

    run(options)


@command("aer", "fast-align.out --gold test.gold --gold-base 1")
def aer(options: AerOptions) -> None:
    """Score word alignments from files against gold ones: precision, recall, F1 and error rate."""
    from nmt_attn.commands.aer import aer as run

    run(options)


@command("align", "--source test.es --target test.en > test.pharaoh")
def align(options: AlignOptions) -> None:
    """Align given translations with their sources, by the model's attention as it reads them."""
    from nmt_attn.commands.align import align as run

    run(options)


@command("score", "--source test.es --target test.en > scores.tsv")
def score(options: ScoreOptions) -> None:
    """Score given translations: log-probability, tokens and perplexity, one line each."""
    from nmt_attn.commands.score import score as run

    run(options)


@command("shortlist", "--model runs/mine; nmt-attn translate --shortlist < input.txt")
def shortlist(options: ShortlistOptions) -> None:
    """Learn which words `translate --shortlist` scores, from the model's attention on training pairs."""
    from nmt_attn.commands.shortlist import make_shortlist as run

    run(options)


@command("explain", "'Turn off the lights' --html lights.html")
def explain(options: ExplainOptions) -> None:
    """Translate one sentence and show where each word looks."""
    from nmt_attn.commands.explain import explain as run

    run(options)


@command("serve", "--model runs/demo --model runs/luong --open")
def serve(options: ServeOptions) -> None:
    """Serve the lab: a page where you type a sentence and watch models translate it, step by step."""
    from nmt_attn.commands.serve import serve as run

    run(options)


@command("index", "runs/demo; nmt-attn serve --model runs/demo")
def index(options: IndexOptions) -> None:
    """Store the states of training pairs, so that the lab can show a state's nearest neighbours."""
    from nmt_attn.commands.index import make_index as run

    run(options)


@command("average", "runs/demo --last 2 --output averaged/")
def average(options: AverageOptions) -> None:
    """Average the weights of several models of one training: the mean is a model, often a better one."""
    from nmt_attn.commands.average import average as run

    run(options)


@command("import", "onmt_step_300.pt --subwords spm.model --output models/onmt")
def import_model(options: ImportOptions) -> None:
    """Import a model of another toolkit: the same numbers, in a model folder of this package."""
    from nmt_attn.commands.import_model import import_model as run

    run(options)


@command("plot", "runs/demo runs/luong --output curves.svg")
def plot(options: PlotOptions) -> None:
    """Draw the training of runs: loss, BLEU and learning rate."""
    from nmt_attn.commands.plot import plot as run

    run(options)


@command("config", "demo --set model.decoder.style=luong; nmt-attn config --diff runs/a runs/b")
def show_config(options: ConfigOptions) -> None:
    """Check a configuration and show it with every key and the size of each part; without a file, the reference."""
    from nmt_attn.commands.config import show_config as run

    run(options)


@command("demo-corpus", "data/demo")
def demo_corpus(options: DemoCorpusOptions) -> None:
    """Write the built-in English-Hindi corpus to files, with its gold alignments."""
    from nmt_attn.commands.demo_corpus import write_demo_corpus as run

    run(options)


def main() -> None:
    """Runs the command line; the exit code is 0 done, 1 internal fault, 2 user's mistake, 128 + N ended by signal N."""
    is_completing = "_NMT_ATTN_COMPLETE" in os.environ  # the shell asks, at each tab
    wait_passively()
    prepare_memory(TRAINING_PROGRAMS if sys.argv[1:2] == ["train"] else SEARCH_PROGRAMS)
    open_streams()
    protect_terminal()
    try:
        if not is_completing and not {"-h", "--help", "--version"} & set(sys.argv):
            from nmt_attn.registry import load_extensions

            for line in load_extensions():
                say(escaped(line))
        code = app(standalone_mode=False)
        if code == 128 + signal.SIGINT:  # what typer makes of KeyboardInterrupt
            end_interrupted()
        sys.exit(code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        end_interrupted()
    except Exception as error:
        if received() is not None:  # which a library has made something else of
            end_interrupted()
        if (mistake := _mistake(error)) is None:
            raise
        say(escaped(mistake))
        sys.exit(2)
    finally:
        drop_unwritten()


def _mistake(error: Exception) -> str | None:
    """What the user can mend, in words; None for an internal fault."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, ClickException):
        return _usage_mistake(error)
    if lacks_memory(error):
        return f"memory: expected enough for this command, got too little: {reason(error)}"
    if isinstance(error, OSError) and (error.filename is not None or error.errno in OUTPUT_ERRORS):
        return f"{error.filename or 'standard output'}: expected a place that can be used, got {reason(error)}"
    return None


def _usage_mistake(error: Any) -> str:
    """What is wrong with the words of the command line, in one line."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "nmt-attn"
    dash = next((word for word in sys.argv[2:] if word.startswith("-") and " " in word and "=" not in word), None)
    hint = f"; text that begins with a dash stands after --: nmt-attn {sys.argv[1]} -- {shown(dash)}" if dash else ""
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    if not message:  # help has been shown
        message = "command: expected one of these, got none"
    if extra := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", message):
        name = command.rpartition(" ")[2]
        message = f"{name}: expected options, got more words: {shown(extra[1])}"
        hint = f"; {_PLACES[name]}" if name in _PLACES else hint
        hint = "; --set KEY=VALUE has no blanks" if extra[1].startswith("=") else hint
    if message.startswith("No such option"):
        one_dash = next((word for word in sys.argv[2:] if re.fullmatch(r"-[a-z]{2}[a-z-]*(=.*)?", word)), None)
        hint = f"; did you mean -{one_dash}?" if one_dash else hint
        hint = "; options of a command stand after it" if command == "nmt-attn" else hint
    return f"{message[:LONGEST_MISTAKE].rstrip('.')} (see {command} --help{hint})"
