"""`nmt-attn init`: looks at the user's parallel text, says what it found, and writes a configuration for it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import typer

from nmt_attn.config.extends import EXTENDS
from nmt_attn.config.file import parse_config
from nmt_attn.config.messages import as_options
from nmt_attn.config.schema import CorpusConfig
from nmt_attn.data.inspect_choices import (
    Choice,
    Recipe,
    choose,
    choose_for_recipe,
    choose_recipe,
    flow,
    held_out_share,
    yaml_text,
)
from nmt_attn.data.inspect_corpus import (
    Count,
    Table,
    choose_fields,
    count_pairs,
    describe_file,
    empty_report,
    inspect_json,
    inspect_table,
    require_utf8,
    split_row,
    text_fields,
)
from nmt_attn.data.inspect_siblings import find_sibling, find_siblings
from nmt_attn.data.inspect_text import TextProfile, find_factors, profile
from nmt_attn.data.readers import (
    NumberedPair,
    Sides,
    load_dataset,
    read_dataset,
    read_files,
    read_jsonl,
    read_tsv,
)
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.files import shown, write_text
from nmt_attn.options.training import InitOptions
from nmt_attn.text_io import byte_lines

_PARTS = ("train", "valid", "test")
_SPLITS = {"train": ("train", "training"), "valid": ("validation", "valid", "dev", "val"), "test": ("test",)}
_CACHE = Path("runs/cache")
FEWEST_PAIRS = 20
"""Of fewer pairs nothing can be learned, and nothing held out."""


@dataclass
class Found:
    """What the user's corpus is: rows of the summary, and the corpora of the configuration."""

    rows: list[tuple[str, str]]
    count: Count
    corpora: dict[str, dict[str, Any]]  # of train, and of valid and test where there are such
    converted: dict[Path, str] = field(default_factory=dict)  # files to write
    columns: dict[str, Any] | None = None  # data.columns: the pairs are words with tags that say what is asked of them


class _Sides(NamedTuple):
    source: TextProfile
    target: TextProfile


def init(options: InitOptions) -> None:
    """Inspects the corpus, prints what it is, and writes the configuration. Raises UserError; writes nothing then."""
    place = _place(options)
    output = options.output or Path(f"{_name(options)}.yaml")
    if not options.force:
        _refuse_existing([output])
    found = _inspect(options, output)
    if len(found.count.sample) < FEWEST_PAIRS:
        raise DataError(
            f"{place}: expected at least {FEWEST_PAIRS} pairs of text, got {len(found.count.sample)}"
            + "".join(f"\n{message}" for message in found.count.faults[:1])
        )
    sources, targets = zip(*found.count.sample, strict=True)
    sides = _Sides(profile(sources, may_have_factors=found.columns is None), profile(targets))
    if found.columns is not None:
        sides = _Sides(*(side._replace(kind="letters") for side in sides))
    recipe = choose_recipe(sides.source, sides.target, has_tags=found.columns is not None)
    has_variants = found.columns is None and found.count.distinct_pairs > found.count.distinct_sources
    choices = choose_for_recipe(*sides, has_variants=has_variants) if recipe else choose(*sides, found.count.lines)
    text = _configuration(_name(options), output, found, recipe, choices)
    try:
        parse_config(text, [], str(output))
    except ConfigError as error:
        raise as_options(error, {"run.name": "--name"}) from error
    if not options.force:
        _refuse_existing(found.converted)
    for path, content in found.converted.items():
        write_text(path, content)
    write_text(output, text)
    _say(found, sides, recipe, choices, output)


def _refuse_existing(paths: Sequence[Path] | Mapping[Path, str]) -> None:
    for path in paths:
        if path.exists():
            raise ConfigError(
                f"{path}: expected no such file yet, got one (--force replaces it, --output names another)"
            )


def _place(options: InitOptions) -> str:
    """What the user has named. Raises ConfigError unless it is one corpus."""
    given = {"tsv": options.tsv, "jsonl": options.jsonl, "dataset": options.dataset, "source": options.source}
    named = {name: value for name, value in given.items() if value is not None}
    if (options.source is None) != (options.target is None):
        missing, other = ("target", "source") if options.target is None else ("source", "target")
        raise ConfigError(f"--{missing}: expected a file beside --{other}, got none")
    if len(named) != 1:
        got = " and ".join(f"--{name}" for name in named) or "none of them"
        forms = "--tsv FILE, --source FILE --target FILE, --jsonl FILE or --dataset NAME"
        raise ConfigError(f"corpus: expected one of {forms}, got {got}")
    return str(next(iter(named.values())))


def _name(options: InitOptions) -> str:
    """What --name says, else the name of the corpus, else that of its folder where the file is just `train`."""
    place = Path(_place(options))
    if options.name is not None:
        return options.name
    name = _as_name(place.name.split(".")[0])
    if name in ("", *_PARTS, "training", "src", "source"):
        name = _as_name(place.absolute().parent.name)
    return name or "mine"


def _as_name(text: str) -> str:
    """The text with a hyphen for whatever may not stand in the name of a run."""
    return re.sub(r"[^\w-]+", "-", text).strip("-")


def _columns(options: InitOptions) -> list[str]:
    columns = [name.strip() for name in options.columns.split(",")] if options.columns else []
    if columns and (len(columns) != 2 or not all(columns)):
        raise ConfigError(f"--columns: expected SOURCE,TARGET, got {shown(str(options.columns))}")
    return columns


def _inspect(options: InitOptions, output: Path) -> Found:
    columns = _columns(options)
    if options.tsv is not None:
        return _inspect_tsv(options.tsv, columns, output)
    if options.jsonl is not None:
        return _inspect_jsonl(options.jsonl, columns)
    if options.dataset is not None:
        return _inspect_dataset(options.dataset, columns)
    assert options.source is not None, "one of them is given"
    assert options.target is not None, "beside the source"
    return _inspect_files(options.source, options.target)


def _inspect_files(source: Path, target: Path) -> Found:
    if source.resolve() == target.resolve():
        raise ConfigError(f"--target: expected another file than --source, got {target}")
    for path in (source, target):
        require_utf8(path)
    rows = [("source", f"{source} ({describe_file(source)})"), ("target", f"{target} ({describe_file(target)})")]
    corpora = {"train": {"source": str(source), "target": str(target)}}
    for part in ("valid", "test"):
        if pair := find_siblings(source, target, part):
            corpora[part] = {"source": str(pair[0]), "target": str(pair[1])}
    return Found(rows, count_pairs(read_files(source, target, empty_report())), corpora)


def _inspect_jsonl(path: Path, columns: Sequence[str]) -> Found:
    require_utf8(path)
    source, target = inspect_json(path, columns)
    rows = [("file", f"{path} ({describe_file(path)})"), ("form", f"JSON lines, fields {source} and {target}")]
    fields = {} if (source, target) == ("source", "target") else {"source": source, "target": target}
    count = count_pairs(read_jsonl(path, Sides.of(source, target), empty_report()))
    siblings = {part: find_sibling(path, part) for part in ("valid", "test")}
    corpora = {part: {"jsonl": str(file)} | fields for part, file in siblings.items() if file is not None}
    return Found(rows, count, {"train": {"jsonl": str(path)} | fields, **corpora})


def _inspect_tsv(path: Path, columns: Sequence[str], output: Path) -> Found:
    require_utf8(path)
    table = inspect_table(path, columns)
    rows = [("file", f"{path} ({describe_file(path)})"), ("form", table.text())]
    files = {"train": path} | {part: found for part in ("valid", "test") if (found := find_sibling(path, part))}
    if table.is_plain:
        count = count_pairs(read_tsv(path, Sides.of(table.source, table.target), empty_report()))
        is_said = table.tags is not None or (table.source, table.target) == (1, 2)
        place = {} if is_said else {"source": table.source, "target": table.target}
        return Found(
            rows, count, {part: {"tsv": str(file)} | place for part, file in files.items()}, columns=_tag_columns(table)
        )
    names = {part: output.with_name(f"{output.stem}.{part}.tsv") for part in files}
    converted = {names[part]: "".join(_converted(file, table)) for part, file in files.items()}
    kept = table._replace(source=1, tags=table.tags and 2, target=3 if table.tags else 2)
    rows.append(("written", f"{', '.join(map(str, names.values()))}: {kept.target} columns, tab-separated"))
    lines = (line.split("\t") for line in converted[names["train"]].splitlines())
    pairs = (NumberedPair(number, cells[0], cells[-1]) for number, cells in enumerate(lines, 1))
    corpora = {part: {"tsv": str(file)} for part, file in names.items()}
    return Found(rows, count_pairs(pairs), corpora, converted, _tag_columns(kept))


def _tag_columns(table: Table) -> dict[str, Any] | None:
    """The key data.columns of a table with tags."""
    if table.tags is None:
        return None
    split = {"split": table.tag_split} if table.tag_split else {}
    return {"source": [table.source, {"column": table.tags, "as": "tags", **split}], "target": table.target}


def _converted(path: Path, table: Table) -> Iterator[str]:
    """The source, the tags if there are some, and the target of each row; rows with too few cells become blank ones."""
    chosen = [number - 1 for number in (table.source, table.tags, table.target) if number is not None]
    for number, line in enumerate(byte_lines(path), start=1):
        if number == 1 and table.has_header:
            continue
        cells = [" ".join(cell.split()) for cell in split_row(line.decode("utf-8", "replace"), table.separator)]
        yield "\t".join(cells[place] for place in chosen) + "\n" if len(cells) > max(chosen) else "\n"


def _inspect_dataset(name: str, columns: Sequence[str]) -> Found:
    folder = Path(name)
    if not folder.is_dir():
        typer.echo(f"note: no folder {name} is here, so it is looked for on the Hugging Face Hub", err=True)
    loaded = load_dataset(CorpusConfig(dataset=name), folder, _CACHE)
    splits = list(loaded) if isinstance(loaded, dict) else [None]
    chosen = {part: next((split for split in names if split in splits), None) for part, names in _SPLITS.items()}
    first = chosen["train"] if chosen["train"] is not None else splits[0]
    table = loaded if first is None else loaded[first]
    source, target = choose_fields(list(text_fields(table[0])), columns, name)
    fields = {"source": source, "target": target}
    corpora: dict[str, dict[str, Any]] = {"train": {"dataset": name, **_split(first), **fields}}
    for part in ("valid", "test"):
        if chosen[part] is not None:
            corpora[part] = {"dataset": name, **_split(chosen[part]), **fields}
    corpus = CorpusConfig.model_validate(corpora["train"])
    pairs = read_dataset(corpus, Sides.of(source, target), folder=folder, cache=_CACHE, report=empty_report())
    found = "one part" if splits == [None] else f"parts {', '.join(map(str, splits))}"
    rows = [("dataset", f"{name}: {found}"), ("form", f"fields {source} and {target}")]
    return Found(rows, count_pairs(pairs), corpora)


def _split(name: str | None) -> dict[str, str]:
    return {} if name is None else {"split": name}


def _configuration(name: str, output: Path, found: Found, recipe: Recipe | None, choices: Sequence[Choice]) -> str:
    data: dict[str, Any] = {part: _relative(corpus, output.parent) for part, corpus in found.corpora.items()}
    share = held_out_share(found.count.lines)
    absent = [part for part in ("valid", "test") if part not in data]
    reasons: dict[str, str] = {}
    if absent:
        data["held_out"] = dict.fromkeys(absent, share)
        reasons["data.held_out"] = "shares of data.train, which are not trained on; equal sources stay together"
    if found.columns is not None:
        data = {"columns": found.columns, **data}
    sections: dict[str, Any] = {"run": {"name": name}, "data": data}
    if recipe is not None:
        sections = {EXTENDS: recipe.name, **sections}
        reasons[EXTENDS] = recipe.reason
    for choice in choices:
        sections[choice.section] = {**sections.get(choice.section, {}), **choice.values}
        reasons["data.max_length" if choice.section == "data" else choice.section] = choice.reason
    comment = (
        f"Written by `nmt-attn init` for {found.count.lines:,} pairs. Paths are relative to this file.\n"
        f"Every other key has its {'value there or its ' if recipe else ''}default: `nmt-attn config` shows them all."
    )
    return yaml_text(comment, sections, reasons)


def _relative(corpus: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The corpus with its files as seen from the folder of the configuration."""
    is_files = not {"tsv", "jsonl", "dataset"} & corpus.keys()
    paths = ("source", "target") if is_files else ("tsv", "jsonl", "dataset")

    def seen(key: str, value: Any) -> Any:
        if key not in paths or (key == "dataset" and not Path(value).is_dir()):
            return value
        path = Path(value)
        return str(path) if path.is_absolute() else os.path.relpath(path, folder)

    return {key: seen(key, value) for key, value in corpus.items()}


def _say(found: Found, sides: _Sides, recipe: Recipe | None, choices: Sequence[Choice], output: Path) -> None:
    count = found.count
    rows = [*found.rows, ("pairs", _pairs(count)), ("source side", sides.source.text())]
    rows += [("target side", sides.target.text())]
    for part, name in (("valid", "validation"), ("test", "test")):
        corpus = found.corpora.get(part)
        share = f"{held_out_share(count.lines):.2%} of the pairs, by groups of equal sources"
        rows.append((name, share if corpus is None else ", ".join(map(str, corpus.values()))))
    rows += [("recipe", f"{recipe.name}: {recipe.reason}")] if recipe else []
    rows += [
        (choice.section, f"{_words(choice)}: {choice.reason}") for choice in choices if choice.section == "tokenizer"
    ]
    width = max(len(label) for label, _ in rows)
    typer.echo("\n".join(f"{label:{width}}  {value}" for label, value in rows))
    for warning in _warnings(count):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"\nconfiguration: {output}\ntrain: nmt-attn train {quote(str(output))}")


def _words(choice: Choice) -> str:
    return ", ".join(f"{key} {flow(value)}" for key, value in choice.values.items())


def _pairs(count: Count) -> str:
    parts = [f"{count.lines:,}", f"{count.distinct_sources:,} different sources"]
    parts += [f"{count.blank:,} blank on a side"] if count.blank else []
    parts += [f"{len(count.faults):,} that cannot be read"] if count.faults else []
    return ", ".join(parts)


def _warnings(count: Count) -> Iterator[str]:
    usable = max(count.lines - count.blank - len(count.faults), 1)
    if count.equal_sides > 0.5 * usable:
        yield f"{count.equal_sides / usable:.0%} of the targets equal their source: is one text given twice?"
    if find_factors([target for _, target in count.sample]) is not None:
        yield "the words of the target carry factors, which a model would write: the source's alone are read as such"
    if count.faults:
        yield f"lines that cannot be read are left out, the first: {count.faults[0]}"
