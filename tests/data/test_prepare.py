"""Preparing: what comes out, and a cache that is whole or not there."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from nmt_attn import demo
from nmt_attn.config.schema import Config, CorpusConfig, DataConfig, RunConfig
from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data import prepare
from nmt_attn.data.cache import filling, fingerprint, is_whole
from nmt_attn.data.corpus_tokenizer import with_tokenizer
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.errors import ConfigError, DataError
from nmt_attn.types import SPECIAL_TOKENS, UNK, SentencePair

TRAIN = [("der Hund bellt", "the dog barks"), ("die Katze", "the cat"), ("", "nothing"), ("der Hund", "the dog")]
VALID = [("der Hund bellt laut", "the dog barks loudly"), ("Katze ", "Cat"), (" ", "x")]


def write_pairs(root: Path, name: str, pairs: list[tuple[str, str]]) -> CorpusConfig:
    for side, index in (("de", 0), ("en", 1)):
        text = "".join(f"{pair[index]}\n" for pair in pairs)
        (root / f"{name}.{side}").write_text(text, encoding="utf-8", newline="\n")
    return CorpusConfig(source=f"{name}.de", target=f"{name}.en")


def config_of(root: Path, tokenizer: TokenizerConfig | None = None, **data: object) -> Config:
    return Config(
        run=RunConfig(dir=str(root / "runs")),
        tokenizer=tokenizer or TokenizerConfig(),
        data=DataConfig(
            root=str(root),
            train=CorpusConfig(source="train.de", target="train.en"),
            valid=CorpusConfig(source="valid.de", target="valid.en"),
            **data,
        ),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pairs(tmp_path, "train", TRAIN)
    write_pairs(tmp_path, "valid", VALID)
    return tmp_path


def decoded(prepared: PreparedData, part: str) -> list[tuple[str, str]]:
    corpus = getattr(prepared, part)
    rows = corpus.rows(np.arange(len(corpus)))
    return [
        (prepared.source.decode(source.tolist()), prepared.target.decode(target.tolist()))
        for source, target in zip(rows.source, rows.target, strict=True)
    ]


def test_both_corpora_come_out_as_ids(root: Path) -> None:
    prepared = prepare_training(config_of(root))
    assert decoded(prepared, "train") == [TRAIN[0], TRAIN[1], TRAIN[3]]
    # der 2, Hund 2, then once each in the order of their code points: Katze, bellt, die
    assert prepared.source.vocabulary.tokens == (*SPECIAL_TOKENS, "Hund", "der", "Katze", "bellt", "die")
    assert prepared.train.source_lengths.tolist() == [4, 3, 3]  # with </s>
    assert prepared.train.target_lengths.tolist() == [4, 3, 3]
    rows = prepared.valid.rows(np.array([0]))
    assert rows.source[0].tolist() == [5, 4, 7, UNK]
    assert prepared.valid.texts() == [SentencePair(*VALID[0]), SentencePair(*VALID[1])]


def test_the_reports_count_lines_and_tokens(root: Path) -> None:
    prepared = prepare_training(config_of(root, max_length=2))
    train, valid = prepared.train_report, prepared.valid_report
    assert {reason: tally.lines for reason, tally in train.dropped.items()} == {"blank": [3], "over-long": [1]}
    assert {reason: tally.lines for reason, tally in valid.dropped.items()} == {"blank": [3]}
    assert (train.lines, train.kept, len(prepared.train)) == (4, 2, 2)
    # the words of the over-long pair are not learned: laut and bellt are unknown; so are loudly, barks and Cat
    assert (valid.source_tokens.count, valid.source_tokens.unknown) == (5, 2)
    assert (valid.target_tokens.count, valid.target_tokens.unknown) == (5, 3)
    assert "  source: 5 tokens (40.0 % unknown), target: 5 tokens (60.0 % unknown)" in valid.text().split("\n")


def test_an_over_long_training_pair_is_an_error_if_so_configured(root: Path) -> None:
    with pytest.raises(DataError, match=r"train\.de:1: expected at most 2 tokens \(data\.max_length\), got 3"):
        prepare_training(config_of(root, max_length=2, over_long="error"))


SENTENCEPIECE = TokenizerConfig(kind="sentencepiece", algorithm="bpe", vocab_size=32, shared=True)


@pytest.mark.parametrize(
    "tokenizer",
    [TokenizerConfig(shared=True), TokenizerConfig(kind="char", shared=True), SENTENCEPIECE],
    ids=lambda tokenizer: tokenizer.kind,
)
def test_a_shared_vocabulary_is_one_object_learned_from_both_sides(root: Path, tokenizer: TokenizerConfig) -> None:
    prepared = prepare_training(config_of(root, tokenizer))
    assert prepared.source is prepared.target
    assert decoded(prepared, "train") == [TRAIN[0], TRAIN[1], TRAIN[3]]


def test_sides_have_their_own_subwords_unless_shared(root: Path) -> None:
    prepared = prepare_training(config_of(root, SENTENCEPIECE.model_copy(update={"shared": False, "vocab_size": 24})))
    assert prepared.source.vocabulary.tokens != prepared.target.vocabulary.tokens
    assert decoded(prepared, "train") == [TRAIN[0], TRAIN[1], TRAIN[3]]


def test_the_built_in_corpus_is_known_by_its_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "demo"
    shutil.copytree(Path(demo.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(demo, "__file__", str(package / "__init__.py"))
    key = fingerprint(Config())
    assert fingerprint(Config()) == key
    with (package / "grammar.py").open("a") as stream:
        stream.write("# another grammar\n")
    assert fingerprint(Config()) != key


def test_another_revision_of_a_dataset_is_another_corpus() -> None:
    hub = {"dataset": "some/corpus", "source": "de", "target": "en"}
    keys = {
        fingerprint(Config.model_validate({"data": {"train": {**hub, "revision": revision}}}))
        for revision in (None, "v1", "v2")
    }
    assert len(keys) == 3


# ---- the cache


def cached_files(root: Path) -> list[str]:
    cache = root / "runs" / "cache"
    return sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []


def test_a_second_start_reads_and_learns_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(root, max_length=2)
    first = prepare_training(config)
    monkeypatch.setattr(prepare, "read_part", lambda *_: pytest.fail("the corpus was read"))
    second = prepare_training(config)
    assert (first.is_cached, second.is_cached) == (False, True)
    assert second.train_report == first.train_report
    assert second.valid_report.text() == first.valid_report.text()
    assert decoded(second, "train") == decoded(first, "train")
    assert second.valid.texts() == first.valid.texts()
    assert second.source.vocabulary.tokens == first.source.vocabulary.tokens


def test_the_cache_is_in_the_folder_that_is_configured(root: Path) -> None:
    prepared = prepare_training(config_of(root, cache=str(root / "elsewhere")))
    assert prepared.folder.parent == root / "elsewhere"
    assert cached_files(root) == []


def test_all_that_the_data_depends_on_changes_the_key(root: Path) -> None:
    configs = [
        config_of(root),
        config_of(root, max_length=3),
        config_of(root, blank="error"),
        config_of(root, over_long="error"),
        config_of(root, undecodable="replace"),
        config_of(root, TokenizerConfig(lowercase=True)),
        config_of(root, TokenizerConfig(min_frequency=2)),
        config_of(root, TokenizerConfig(shared=True)),
        config_of(root, TokenizerConfig(vocab_size=9)),
        config_of(root, TokenizerConfig(kind="char")),
    ]
    keys = [fingerprint(config) for config in configs]
    assert len(set(keys)) == len(keys)
    assert fingerprint(config_of(root)) == keys[0]
    write_pairs(root, "valid", [*VALID[:2], (" ", "y")])  # another text of the same size
    assert fingerprint(config_of(root)) != keys[0]
    write_pairs(root, "valid", VALID)
    assert fingerprint(config_of(root)) == keys[0]


def test_what_the_data_does_not_depend_on_leaves_the_key(root: Path) -> None:
    config = config_of(root)
    other = config.model_copy(update={"run": RunConfig(seed=5), "training": config.training.model_copy()})
    assert fingerprint(other) == fingerprint(config)


@pytest.mark.parametrize("fault", ["truncated", "changed", "missing", "empty folder"])
def test_a_damaged_cache_is_made_anew(root: Path, fault: str) -> None:
    config = config_of(root)
    folder = prepare_training(config).folder
    arrow, vocabulary = folder / "train.arrow", folder / "vocab" / "source.txt"
    if fault == "truncated":
        arrow.write_bytes(arrow.read_bytes()[:-8])
    elif fault == "changed":
        vocabulary.write_bytes(vocabulary.read_bytes().replace(b"Hund", b"Hand"))
    elif fault == "missing":
        vocabulary.unlink()
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    prepared = prepare_training(config)
    assert not prepared.is_cached
    assert decoded(prepared, "train") == [TRAIN[0], TRAIN[1], TRAIN[3]]
    assert cached_files(root) == [folder.name]
    assert prepare_training(config).is_cached


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataError("bad line"), OSError(28, "No space left on device")])
def test_an_interrupted_preparation_leaves_nothing(
    root: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(prepare, "write_encoded", stop)
    with pytest.raises((KeyboardInterrupt, DataError)) as caught:
        prepare_training(config_of(root))
    assert cached_files(root) == []
    if isinstance(error, OSError):
        assert "expected a place that can be written to, got no space left on device" in str(caught.value)


def test_what_a_killed_process_left_is_removed(root: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    config = config_of(root)
    with filling(root / "runs" / "cache" / "other") as temporary:
        ours, dead = temporary, temporary.with_name(temporary.name.replace(f".{os.getpid()}.", f".{child.pid}."))
        dead.mkdir()
        prepare_training(config)
        assert ours.is_dir()
        assert not dead.exists()
    assert cached_files(root) == sorted([fingerprint(with_tokenizer(config)), "other"])


def test_the_first_of_two_that_prepare_the_same_wins(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "key"
    with filling(folder) as slow:
        (slow / "text").write_text("slow", encoding="utf-8")
        with filling(folder) as fast:
            (fast / "text").write_text("fast", encoding="utf-8")
    assert (folder / "text").read_text(encoding="utf-8") == "fast"
    assert is_whole(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["key"]


def test_starts_at_the_same_time_agree(root: Path) -> None:
    config = config_of(root)
    results: list[PreparedData] = []
    threads = [threading.Thread(target=lambda: results.append(prepare_training(config))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [decoded(result, "train") for result in results] == [[TRAIN[0], TRAIN[1], TRAIN[3]]] * 3
    assert cached_files(root) == [fingerprint(with_tokenizer(config))]


def test_a_cache_that_cannot_be_written_is_named(root: Path) -> None:
    (root / "runs").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(DataError, match=r"runs/cache/\w+: expected a place that can be written to, got"):
        prepare_training(config_of(root))


# ---- mistakes


@pytest.mark.parametrize("tokenizer", [TokenizerConfig(), SENTENCEPIECE], ids=lambda tokenizer: tokenizer.kind)
def test_unequal_files_are_refused_whatever_reads_them(root: Path, tokenizer: TokenizerConfig) -> None:
    (root / "train.en").write_text("the dog barks\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.en:1: expected 4 lines, as in .*train\.de, got 1$"):
        prepare_training(config_of(root, tokenizer))
    assert cached_files(root) == []


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "valid.en").unlink()
    with pytest.raises(DataError, match=r"valid\.en: expected a readable file, got no such file"):
        prepare_training(config_of(root))


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_corpus_without_a_usable_pair_is_refused_with_its_report(root: Path, part: str) -> None:
    write_pairs(root, part, [("", "x"), ("y", " ")])
    with pytest.raises(DataError, match=rf"data\.{part}: expected at least one usable pair, got none") as caught:
        prepare_training(config_of(root))
    assert "dropped, blank: 2 (lines 1, 2)" in str(caught.value)


def test_a_vocabulary_larger_than_the_text_can_teach_is_capped(root: Path) -> None:
    data = prepare_training(config_of(root, TokenizerConfig(kind="sentencepiece", vocab_size=9000)))
    assert data.source.size < 100
    assert data.target.size < 100


def test_a_vocabulary_too_small_for_the_text_names_the_side(root: Path) -> None:
    tokenizer = TokenizerConfig(kind="sentencepiece", vocab_size=8)
    message = r"tokenizer\.vocab_size: expected at least \d+, .* the source side of data\.train .*, got 8"
    with pytest.raises(ConfigError, match=message):
        prepare_training(config_of(root, tokenizer))


# ---- the library's file and the home folder

PROGRAM = """
import sys
from nmt_attn.config.schema import Config
from nmt_attn.data.prepare import prepare_training
prepared = prepare_training(Config.model_validate_json(sys.argv[1]))
import datasets
print(len(datasets.Dataset.from_file(str(prepared.folder / "train.arrow"))), end="")
"""


@pytest.mark.slow
def test_a_process_writes_only_to_the_cache_and_says_nothing(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    arguments = [sys.executable, "-c", PROGRAM, config_of(root, SENTENCEPIECE).model_dump_json()]
    environment = {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("3", "")
    assert list(home.rglob("*")) == []
    ours = prepare_training(config_of(root, SENTENCEPIECE))
    assert ours.is_cached
    shutil.rmtree(ours.folder)
    again = prepare_training(config_of(root, SENTENCEPIECE))  # another process, another seed of hashes
    assert not again.is_cached
    assert again.target.vocabulary.tokens == ours.target.vocabulary.tokens


@pytest.mark.slow
def test_a_real_corpus_is_prepared_in_seconds_and_found_again_at_once(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / "multi30k" / "raw"
    if not folder.is_dir():
        pytest.skip("no corpus multi30k in ../shared/data")
    config = Config(
        data=DataConfig(
            root=str(folder),
            train=CorpusConfig(source="train.de.gz", target="train.en.gz"),
            valid=CorpusConfig(source="val.de", target="val.en"),
            cache=str(tmp_path),
        ),
        tokenizer=TokenizerConfig(kind="sentencepiece", vocab_size=8000, shared=True),
    )
    prepared = prepare_training(config)
    assert (len(prepared.train), len(prepared.valid), prepared.source.size) == (29000, 1014, 8000)
    assert prepared.train_report.dropped == {}
    texts = prepared.valid.texts()
    for text, (source, target) in zip(texts, decoded(prepared, "valid"), strict=True):
        assert source.split() == text.source.split() or "<unk>" in source
        assert target.split() == text.target.split() or "<unk>" in target
    start = time.perf_counter()
    assert prepare_training(config).is_cached
    assert time.perf_counter() - start < 0.5


def test_the_reports_are_kept_as_json(root: Path) -> None:
    prepared = prepare_training(config_of(root))
    records = json.loads((prepared.folder / "reports.json").read_text(encoding="utf-8"))
    assert [record["corpus"] for record in records] == ["data.train", "data.valid"]
    assert [record["kept"] for record in records] == [3, 2]
