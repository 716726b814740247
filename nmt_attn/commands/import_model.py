"""`nmt-attn import`: a model of another toolkit becomes a model folder of this one, with the same numbers."""

import json
from shlex import quote

import typer

from nmt_attn.files import replacing_folder, write_text
from nmt_attn.foreign.assemble import assemble
from nmt_attn.foreign.read import read_foreign
from nmt_attn.model.store import VOCAB, check_output, save_model
from nmt_attn.options.models import ImportOptions

RECORD = "imported.json"
"""Where the model came from. Only a folder with it is replaced."""


def import_model(options: ImportOptions) -> None:
    """Writes the model to `options.output`. Raises UserError; nothing is left behind then."""
    check_output(options.output, RECORD)
    found = read_foreign(options.file, options.vocab)
    imported = assemble(found, options.file, options.output.resolve().name, options.subwords)
    with replacing_folder(options.output) as folder:
        save_model(imported.model, imported.config, folder, vocabulary=imported.codecs.digest())
        imported.codecs.save(folder / VOCAB)
        record = {"toolkit": found.toolkit, "file": str(options.file)}
        write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")
    sizes = f"{imported.codecs.source.size:,} source and {imported.codecs.target.size:,} target tokens"
    typer.echo(f"{options.file}: a model of {found.toolkit}, {sizes}\nmodel: {options.output}", err=True)
    if imported.codecs.source.kind == "word":
        typer.echo(
            "note: text is split at blanks, so it must come cut into the tokens of its vocabulary "
            "(--subwords FILE takes over a model of SentencePiece)",
            err=True,
        )
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"translate: nmt-attn translate --model {quote(str(options.output))} --beam 5 < FILE", err=True)
