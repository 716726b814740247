"""Which keys of `data` contradict each other: places of the corpora, their columns, and what is held out."""

from collections.abc import Iterator, Sequence

from nmt_attn.config.columns_section import ColumnConfig
from nmt_attn.config.key_paths import is_default, value_at
from nmt_attn.config.messages import complain, complain_idle, join_words, show, with_value
from nmt_attn.config.schema import Config, CorpusConfig
from nmt_attn.config.tokenizer_section import SIDES
from nmt_attn.registries import CORPUS_FORMS

_CORPORA = ("train", "valid", "test")
_MOST_HELD_OUT = 0.5


def corpus_contradictions(config: Config) -> Iterator[str]:
    """One message for each pair of keys of `data` that cannot stand together."""
    train = _place(config, "data.train")
    for name in _CORPORA:
        where = f"data.{name}"
        yield from _corpus(config, where, value_at(config, where))
        place = _place(config, where)
        if train.endswith(".builtin") != place.endswith(".builtin") and value_at(config, place) is not None:
            expected = f"null beside {with_value(config, train)}, as a built-in corpus goes with no other"
            yield complain(config, place, expected, "name the places of all three corpora")
    yield from _columns(config)
    yield from _held_out(config)
    if config.data.root is not None and all(value_at(config, f"data.{name}.builtin") for name in _CORPORA):
        yield complain_idle(config, "data.root", with_value(config, "data.train.builtin"))


def _columns(config: Config) -> Iterator[str]:
    """Both sides or neither, of corpora with columns that say nothing of their own; tags where they are one piece."""
    where, columns = "data.columns", config.data.columns
    if (columns.source is None) != (columns.target is None):
        missing, other = ("target", "source") if columns.target is None else ("source", "target")
        yield complain(config, f"{where}.{missing}", f"a column beside {where}.{other}")
    if columns.source is None:
        return
    given = columns.source if isinstance(columns.source, tuple) else (columns.source,)
    several = [each for each in given if isinstance(each, ColumnConfig)]
    names = [each.column if isinstance(each, ColumnConfig) else each for each in given]
    yield from _column_kinds(config, names)
    if not any(not isinstance(each, ColumnConfig) or each.as_ == "text" for each in given):
        yield complain(config, f"{where}.source", "a column of text, not of tags alone")
    if len(set(names)) < len(names):
        yield complain(config, f"{where}.source", "each column once")
    if any(each.split is not None and each.as_ != "tags" for each in several):
        yield complain(config, f"{where}.source", "split beside as 'tags' alone, as any value has no effect elsewhere")
    if sum(each.as_ == "tag" for each in several) > 1:
        yield complain(config, f"{where}.source", "at most one column as 'tag', which each text has one of")
    if any(each.as_ != "text" for each in several) and config.tokenizer.shared:
        yield complain(config, "tokenizer.shared", f"false with tags in {where}.source")


def _column_kinds(config: Config, names: Sequence[int | str]) -> Iterator[str]:
    """Numbers in a tsv, names elsewhere, and no other place for the sides."""
    where, target = "data.columns", config.data.columns.target
    for part in ("data.train", "data.valid", "data.test"):
        if _is_left_out(config, part):
            continue
        place = _place(config, part)
        if place in (f"{part}.source", f"{part}.target", f"{part}.builtin"):
            reason = f"{with_value(config, place)}, as a tsv, jsonl or dataset has columns"
            yield complain(config, f"{where}.source", f"null with {reason}")
            return
        kind, words = (int, "numbers of columns") if place == f"{part}.tsv" else (str, "names of fields")
        for key, values in (("source", names), ("target", [] if target is None else [target])):
            if any(not isinstance(value, kind) for value in values):
                yield complain(config, f"{where}.{key}", f"{words} with {with_value(config, place)}")
        for key in (f"{part}.source", f"{part}.target"):
            if value_at(config, key) is not None:
                yield complain(config, key, f"null beside {where}.source")


def _held_out(config: Config) -> Iterator[str]:
    """A share that is held out has no text of its own beside it."""
    where, data = "data.held_out", config.data
    for name in ("valid", "test"):
        share, place = value_at(config, f"{where}.{name}"), _place(config, f"data.{name}")
        if share > 0 and value_at(config, place) is not None:
            yield complain(config, f"{where}.{name}", f"0.0 beside {with_value(config, place)}")
    if data.held_out.valid + data.held_out.test > _MOST_HELD_OUT:
        expected = f"at most {_MOST_HELD_OUT} together with {with_value(config, f'{where}.valid')}"
        yield complain(config, f"{where}.test", expected)
    if data.held_out.valid == data.held_out.test == 0 and not is_default(config, f"{where}.seed"):
        yield complain_idle(config, f"{where}.seed", with_value(config, f"{where}.valid"))


def _is_left_out(config: Config, where: str) -> bool:
    """Whether a corpus may name no place: it is held out, or no test corpus beside text of the user's own."""
    if value_at(config, where).is_named or where == "data.train":
        return False
    if where == "data.test" and not _place(config, "data.train").endswith(".builtin"):
        return True
    return bool(value_at(config, where.replace("data.", "data.held_out.")) > 0)


def _place(config: Config, where: str) -> str:
    """The key that says where the corpus is."""
    places = (f"{where}.{place}" for place in CORPUS_FORMS if value_at(config, f"{where}.{place}") is not None)
    return next(places, f"{where}.{'source' if config.model.has_source else 'target'}")


def _corpus(config: Config, where: str, corpus: CorpusConfig) -> Iterator[str]:
    """One place, and keys that mean something there."""
    if _is_left_out(config, where):
        if where == "data.test" and config.data.held_out.test == 0 and corpus.limit is not None:
            yield complain_idle(config, f"{where}.limit", with_value(config, "data.held_out.test"))
        for name in ("subset", "revision", "split"):
            if value_at(config, f"{where}.{name}") is not None:
                yield complain(config, f"{where}.{name}", f"null without {where}.dataset")
        return
    place = _place(config, where)
    for other in (f"{where}.{name}" for name in CORPUS_FORMS):
        if other != place and value_at(config, other) is not None:
            yield complain(config, other, f"null beside {with_value(config, place)}, as a corpus has one place")
    for name in ("subset", "revision"):
        if corpus.dataset is None and value_at(config, f"{where}.{name}") is not None:
            yield complain(config, f"{where}.{name}", f"null without {where}.dataset")
    if corpus.split is not None and corpus.dataset is None and corpus.builtin is None:
        yield complain(config, f"{where}.split", f"null without {where}.dataset or {where}.builtin")
    if corpus.builtin is not None and corpus.split not in _CORPORA:
        expected = f"one of {', '.join(map(show, _CORPORA))} with {with_value(config, f'{where}.builtin')}"
        yield complain(config, f"{where}.split", expected)
    yield from _sides(config, where, place)


def _sides(config: Config, where: str, place: str) -> Iterator[str]:
    """source and target: both or neither, of the kind that the place asks for; of a language model the target alone."""
    keys = [f"{where}.{side}" for side in (SIDES if config.model.has_source else SIDES[1:])]
    given = [key for key in keys if value_at(config, key) is not None]
    if place == f"{where}.builtin":
        yield from (complain(config, key, f"null beside {with_value(config, place)}") for key in given)
        return
    for key in given:
        value = value_at(config, key)
        if place == f"{where}.tsv":
            if not isinstance(value, int) or value < 1:
                yield complain(config, key, f"the number of a column of {place}, from 1")
        elif not isinstance(value, str):
            is_file = place in keys
            words = f"a file, as there is no {where}.tsv" if is_file else f"the name of a field of {place}"
            yield complain(config, key, words)
    if len(given) == 1 < len(keys):
        missing = next(key for key in keys if key not in given)
        yield complain(config, missing, f"a value like that of {with_value(config, given[0])}")
    elif not given and place in keys:
        others = join_words(f"{where}.{other}" for other in CORPUS_FORMS)
        beside = f" (and one in {keys[1]})" if len(keys) > 1 else ""
        yield complain(config, keys[0], f"a file{beside} where there is no {others}")
