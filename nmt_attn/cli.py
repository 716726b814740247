"""The command line: `nmt-attn COMMAND`. A user's mistake becomes one line and exit code 2.

Nothing heavy is imported before a command runs, so that help answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from nmt_attn import cli_options as options
from nmt_attn.errors import ConfigError, UserError
from nmt_attn.extensions import load_extensions
from nmt_attn.memory import SEARCH_PROGRAMS, TRAINING_PROGRAMS, prepare_memory

app = typer.Typer(
    name="nmt-attn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Trains, runs and explains neural machine translation with recurrent networks and attention.",
    epilog="First steps: nmt-attn train demo; echo 'Turn off the lights' | nmt-attn translate --beam 5",
)


@app.callback()
def refuse_processes(context: typer.Context) -> None:
    # Without a docstring, as that would stand for the help of all commands.
    count = os.environ.get("WORLD_SIZE", "1")
    if count != "1" and context.invoked_subcommand != "train":
        raise ConfigError(
            f"{context.invoked_subcommand}: expected one process, got {count} (torchrun is for train; a long text can "
            "be split into files, each translated by a process of its own)"
        )


@app.command(epilog="Example: nmt-attn train demo --set model.attention.score=general")
def train(
    config: options.ConfigFile,
    overrides: options.Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of going on with the run.")] = False,
) -> None:
    """Train a model; goes on where an interrupted run stopped."""
    from nmt_attn.commands.train import train as run

    run(config, overrides or [], is_fresh=fresh)


@app.command(epilog="Example: nmt-attn translate --beam 5 --alignments out.jsonl < input.txt > output.txt")
def translate(
    model: options.Models = None,
    ensemble: options.Ensemble = None,
    beam: options.Beam = None,
    input_file: options.InputFile = None,
    output: options.OutputFile = None,
    reference: options.Reference = None,
    alignments: options.Alignments = None,
    threshold: options.LinkThreshold = None,
    details: options.Details = None,
    nbest: options.NBest = None,
    sample: options.Sample = False,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    prefix: options.Prefix = None,
    constraints: options.Constraints = None,
    replace_unknown: options.ReplaceUnknown = False,
    dictionary: options.Dictionary = None,
    shortlist: options.UseShortlist = False,
    batch_size: options.BatchSize = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
    overrides: options.SearchKeys = None,
) -> None:
    """Translate text, one sentence a line, in order."""
    from nmt_attn.commands.translate import TranslateOptions
    from nmt_attn.commands.translate import translate as run

    run(
        TranslateOptions(
            models=tuple(model or ()),
            input=input_file,
            output=output,
            reference=reference,
            alignments=alignments,
            threshold=threshold,
            ensemble=ensemble,
            beam=beam,
            nbest=nbest,
            overrides=tuple(overrides or ()),
            details=details,
            prefix=prefix,
            constraints=constraints,
            is_sampled=sample,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            replace_unknown=replace_unknown,
            dictionary=dictionary,
            is_short=shortlist,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )
    )


@app.command("eval", epilog="Example: nmt-attn eval --model runs/a --model runs/b --report report/")
def evaluate(
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a run, or of a model. Repeatable. Default: the newest run under runs/."),
    ] = None,
    hypothesis: Annotated[
        list[Path] | None, typer.Option(help="Translations that some system made, one a line. Repeatable.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Default: the test set of the first model's run.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Translations of --source by people.")] = None,
    beam: options.Beam = None,
    report: Annotated[Path | None, typer.Option(help="Folder for all files. Default: eval/ in the run.")] = None,
    json: Annotated[Path | None, typer.Option(help="The figures, in this file too.")] = None,
    plot: Annotated[Path | None, typer.Option(help="BLEU by length, in this .png, .svg or .pdf too.")] = None,
    cumulative: Annotated[bool, typer.Option("--cumulative", help="BLEU of all sentences up to a length too.")] = False,
    gold: Annotated[Path | None, typer.Option(help="Gold word alignments of the test set.")] = None,
    gold_format: options.GoldFormat = None,
    gold_base: options.GoldBase = None,
    gold_swapped: options.GoldSwapped = False,
    reverse: options.Reverse = None,
    shift: options.Shift = 0,
    threshold: Annotated[float, typer.Option(help="Least weight of a threshold link.")] = 0.3,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A key of evaluate, such as evaluate.tokenize=none. Repeatable."
        ),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = None,
) -> None:
    """Evaluate models or translations: metrics, metrics by sentence length, alignments, attention."""
    from nmt_attn.alignment.link_files import gold_file
    from nmt_attn.commands.evaluate import EvaluateOptions
    from nmt_attn.commands.evaluate import evaluate as run

    run(
        EvaluateOptions(
            models=tuple(model or ()),
            hypotheses=tuple(hypothesis or ()),
            source=source,
            reference=reference,
            beam=beam,
            report=report,
            json=json,
            plot=plot,
            device=device,
            precision=precision,
            gold=gold_file(gold, gold_format, gold_base, is_swapped=gold_swapped),
            reverse=reverse,
            shift=1 if shift else 0,
            threshold=threshold,
            cumulative=cumulative,
            overrides=tuple(overrides or ()),
        )
    )


@app.command(epilog="Example: nmt-attn aer fast-align.out --gold test.gold --gold-base 1")
def aer(
    found: Annotated[list[Path], typer.Argument(help="Word alignments that some aligner made.")],
    gold: Annotated[Path, typer.Option(help="Gold word alignments of the same sentences.")],
    gold_format: options.GoldFormat = None,
    gold_base: options.GoldBase = None,
    gold_swapped: options.GoldSwapped = False,
    link_format: options.LinkFormat = None,
    base: options.LinkBase = None,
    source: Annotated[Path | None, typer.Option(help="The sentences: report links that point outside them.")] = None,
    target: Annotated[Path | None, typer.Option(help="Their translations.")] = None,
) -> None:
    """Score word alignments from files against gold ones: precision, recall, F1 and error rate."""
    from nmt_attn.alignment.link_files import LinkFile
    from nmt_attn.commands.aer import AerOptions
    from nmt_attn.commands.aer import aer as run

    files = tuple(LinkFile(path, link_format or "pharaoh", base) for path in found)
    run(AerOptions(files, LinkFile(gold, gold_format or "pharaoh", gold_base, gold_swapped), source, target))


@app.command(epilog="Example: nmt-attn align --source test.es --target test.en > test.pharaoh")
def align(
    source: options.SourceText,
    target: options.TargetText,
    model: options.Model = None,
    output: Annotated[
        Path | None, typer.Option(help="File that ends in .jsonl, .npz or .pharaoh. Default: standard output.")
    ] = None,
    shift: options.Shift = 0,
    threshold: options.LinkThreshold = None,
    reverse: options.Reverse = None,
    symmetrise: options.Symmetrise = None,
    eos: options.EndOfSentence = None,
    device: options.Device = "auto",
) -> None:
    """Align given translations with their sources, by the model's attention as it reads them."""
    from nmt_attn.commands.align import AlignOptions
    from nmt_attn.commands.align import align as run

    run(AlignOptions(model, source, target, output, 1 if shift else 0, device, threshold, reverse, symmetrise, eos))


@app.command(epilog="Example: nmt-attn score --source test.es --target test.en > scores.tsv")
def score(
    source: options.SourceText,
    target: options.TargetText,
    model: options.Model = None,
    output: Annotated[
        Path | None, typer.Option(help="A .jsonl has every token's log-probability. Default: standard output.")
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Score given translations: log-probability, tokens and perplexity, one line each."""
    from nmt_attn.commands.align import AlignOptions
    from nmt_attn.commands.align import score as run

    run(AlignOptions(model, source, target, output, device=device))


@app.command(epilog="Example: nmt-attn shortlist --model runs/mine; nmt-attn translate --shortlist < input.txt")
def shortlist(
    model: options.Model = None,
    source: Annotated[
        Path | None, typer.Option(help="Text, one sentence a line. Default: the run's data.train.")
    ] = None,
    target: Annotated[Path | None, typer.Option(help="Its translations.")] = None,
    frequent: Annotated[int, typer.Option(min=0, help="Words that every sentence may have: the most frequent.")] = 1000,
    candidates: Annotated[int, typer.Option(min=1, help="Words beside each source word: the likeliest.")] = 50,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most N pairs.", metavar="N")] = None,
    device: options.Device = "auto",
) -> None:
    """Learn which words `translate --shortlist` scores, from the model's attention on training pairs."""
    from nmt_attn.commands.shortlist import ShortlistOptions
    from nmt_attn.commands.shortlist import make_shortlist as run

    run(ShortlistOptions(model, source, target, frequent, candidates, limit, device))


@app.command(epilog="Example: nmt-attn explain 'Turn off the lights' --html lights.html")
def explain(
    sentence: Annotated[str, typer.Argument(help="In the source language.")],
    model: options.Model = None,
    beam: options.Beam = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the interactive alignment too.")] = None,
    device: options.Device = "auto",
) -> None:
    """Translate one sentence and show where each word looks."""
    from nmt_attn.commands.explain import ExplainOptions
    from nmt_attn.commands.explain import explain as run

    run(ExplainOptions(sentence, model, beam, html, device))


@app.command(epilog="Example: nmt-attn serve --model runs/demo --model runs/luong --open")
def serve(
    model: options.ServedModels = None,
    host: options.Host = "127.0.0.1",
    port: options.Port = 8000,
    token: options.Token = None,
    opens: options.OpenBrowser = False,
    watch: options.Watch = None,
    save: options.SavePage = None,
    sentence: options.PageSentence = None,
) -> None:
    """Serve the lab: a page where you type a sentence and watch the models translate it, step by step."""
    from nmt_attn.commands.serve import ServeOptions
    from nmt_attn.commands.serve import serve as run

    run(ServeOptions(tuple(model or ()), host, port, token, opens, watch, save, sentence))


@app.command(epilog="Example: nmt-attn index runs/demo; nmt-attn serve --model runs/demo")
def index(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of a model.")],
    limit: Annotated[int, typer.Option(min=1, help="Read at most N pairs.", metavar="N")] = 10_000,
) -> None:
    """Store the states of training pairs, so that the lab can show a state's nearest neighbours."""
    from nmt_attn.commands.index import IndexOptions, make_index

    make_index(IndexOptions(run, limit))


@app.command(epilog="Example: nmt-attn average runs/demo --last 2 --output averaged/")
def average(
    models: Annotated[
        list[Path], typer.Argument(help="One run; or several models: runs (their best), model folders, checkpoints.")
    ],
    output: Annotated[Path, typer.Option(help="Folder for the model; never one of something else.")],
    last: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Of a run, its newest states (see training.keep_last).")
    ] = None,
    best: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Of a run, its best models. Default: all of training.keep_best."),
    ] = None,
) -> None:
    """Average the weights of several models of one training: the mean is a model, often a better one."""
    from nmt_attn.commands.average import AverageOptions
    from nmt_attn.commands.average import average as run

    run(AverageOptions(tuple(models), output, last, best))


@app.command(epilog="Example: nmt-attn plot runs/demo runs/luong --output curves.svg")
def plot(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option(help="File that ends in .png, .svg or .pdf.")] = Path("training-curves.png"),
    across: Annotated[Literal["updates", "seconds"], typer.Option(help="What the curves run over.")] = "updates",
) -> None:
    """Draw the training of runs: loss, BLEU and learning rate."""
    from nmt_attn.commands.plot import plot as run

    run(runs, output, across)


@app.command("config", epilog="Example: nmt-attn config demo --set model.decoder.style=luong")
def show_config(
    config: Annotated[
        Path | None,
        typer.Argument(help="YAML file, or the name of a shipped one. Default: the reference of every key."),
    ] = None,
    overrides: options.Overrides = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema for editors instead.")] = False,
) -> None:
    """Check a configuration and show it with every key and the size of each part; without a file, the reference."""
    from nmt_attn.commands import config as command

    if schema:
        command.show_schema()
    else:
        command.show_config(config, overrides or [])


@app.command("demo-corpus", epilog="Example: nmt-attn demo-corpus data/demo")
def demo_corpus(folder: Annotated[Path, typer.Argument(help="Folder for the files.")]) -> None:
    """Write the built-in English-Hindi corpus to files, with its gold alignments."""
    from nmt_attn.commands.demo_corpus import write_demo_corpus

    typer.echo(write_demo_corpus(folder))


def main() -> None:
    """Runs the command line; the process's exit code is 0 done, 1 internal fault, 2 user's mistake, 130 interrupted."""
    prepare_memory(TRAINING_PROGRAMS if sys.argv[1:2] == ["train"] else SEARCH_PROGRAMS)
    try:
        if not {"-h", "--help"} & set(sys.argv):
            for line in load_extensions():
                sys.stderr.write(f"nmt-attn: {line}\n")
        app()
    except UserError as error:
        sys.stderr.write(f"nmt-attn: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("nmt-attn: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
