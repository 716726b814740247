"""`nmt-attn score`: how likely a model finds translations that it is given.

It writes a line for each pair: log-probability (natural, `</s>` included), tokens, perplexity per token; to a .jsonl
an object, with the tokens and the log-probability of each.
"""

import json
import math
import sys

import typer
from tqdm import tqdm

from nmt_attn.files import check_apart, or_standard, writing
from nmt_attn.model.store import find_model
from nmt_attn.options.evaluation import ScoreOptions
from nmt_attn.runtime import choose_device
from nmt_attn.search.forced import ForcedPair, force_decode_windows, perplexity
from nmt_attn.search.jsonl_output import ENDINGS, forced_record
from nmt_attn.search.translator import Translator
from nmt_attn.text_io import read_parallel


def score(options: ScoreOptions) -> None:
    """Writes log-probability, tokens and perplexity of each pair of lines, of all to standard error.

    Raises UserError.
    """
    output = or_standard(options.output)
    check_apart({"source": options.source, "target": options.target}, {"output": output})
    sources, targets = read_parallel(options.source, options.target)
    translator = Translator.load(find_model(options.model), choose_device(options.device))
    is_json = output is not None and output.name.endswith(ENDINGS)
    total, tokens = 0.0, 0
    with (
        writing(output) as write,
        tqdm(total=len(sources), unit=" lines", file=sys.stderr, disable=None, leave=False) as bar,
    ):
        pairs = force_decode_windows(translator, sources, targets, with_alignments=False, progress=bar.update)
        for number, (source, target, pair) in enumerate(zip(sources, targets, pairs, strict=True), 1):
            if is_json:
                pieces = translator.codecs.target.pieces(target)
                write(json.dumps(forced_record(number, source, target, pieces, pair), ensure_ascii=False) + "\n")
            else:
                write(_line(pair))
            total, tokens = total + pair.log_prob, tokens + len(pair.token_log_probs)
    mean = f"perplexity {math.exp(min(-total / tokens, 700)):.4f}" if tokens else "no token"
    typer.echo(f"log-probability {total:.4f}, {tokens:,} target tokens, {mean}", err=True)
    if output is None and sys.stdout.isatty():
        typer.echo("each line: log-probability, target tokens with </s>, perplexity", err=True)


def _line(pair: ForcedPair) -> str:
    value = perplexity([pair])
    shown = "-" if value is None else f"{value:.4f}"  # a blank source is shown to no model
    return f"{pair.log_prob:.4f}\t{len(pair.token_log_probs)}\t{shown}\n"
