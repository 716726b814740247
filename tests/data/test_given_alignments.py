"""Given word alignments: read beside the corpus, brought from words to pieces, and into batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nmt_attn.config.schema import Config
from nmt_attn.data.batching import alignment_weights, batches, collate
from nmt_attn.data.cache import fingerprint
from nmt_attn.data.prepare import prepare_training
from nmt_attn.errors import DataError

SOURCE = ["der Hund bellt", "", "die Katze schläft gern", "ja", "Hund"]
TARGET = ["the dog barks", "nothing", "the cat likes to sleep", "yes", "dog"]
LINKS = ["0-0 1-1 2p2", "0-0", "0-0 1-1 2-4 3-2 3-3", "", "0-0"]


def config_of(folder: Path, links: list[str], *, kind: str = "word", **data: object) -> Config:
    for name, lines in (("train.de", SOURCE), ("train.en", TARGET), ("train.links", links)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    texts = {"source": "train.de", "target": "train.en"}
    data = {"root": str(folder), "train": texts, "valid": texts, "test": texts, "alignments": "train.links", **data}
    is_cut = kind == "sentencepiece"
    tokenizer = {"kind": kind, "vocab_size": 36 if is_cut else 1000, "shared": is_cut}
    return Config.model_validate({"run": {"dir": str(folder / "runs")}, "data": data, "tokenizer": tokenizer})


def links_of(config: Config) -> list[list[int]]:
    train = prepare_training(config).train
    found = train.rows(np.arange(len(train))).links
    assert found is not None
    return [row.tolist() for row in found]


def test_links_stay_with_their_line_when_other_lines_are_dropped(tmp_path: Path) -> None:
    config = config_of(tmp_path, LINKS)
    # line 2 is blank on one side; source and target position in turn
    assert links_of(config) == [[0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 4, 3, 2, 3, 3], [], [0, 0]]
    prepared = prepare_training(config)
    assert prepared.is_cached
    assert prepared.train_report.notes["no links in data.alignments"].lines == [4]
    assert prepared.valid.rows(np.array([0])).links is None


def test_the_cache_knows_the_links(tmp_path: Path) -> None:
    before = fingerprint(config_of(tmp_path, LINKS))
    assert fingerprint(config_of(tmp_path, [*LINKS[:-1], ""])) != before
    assert fingerprint(config_of(tmp_path, LINKS)) == before
    assert fingerprint(config_of(tmp_path, LINKS, alignments=None)) != before


@pytest.mark.parametrize("kind", ["char", "sentencepiece"])
def test_pieces_are_linked_as_their_words_are(kind: str, tmp_path: Path) -> None:
    config = config_of(tmp_path, LINKS, kind=kind)
    codecs, found = prepare_training(config).codecs, links_of(config)
    words = [
        codec.tokenizer.word_indices(codec.pieces(text))
        for codec, text in zip(codecs, (SOURCE[2], TARGET[2]), strict=True)
    ]
    pairs = set(zip(found[1][::2], found[1][1::2], strict=True))
    expected = {(0, 0), (1, 1), (2, 4), (3, 2), (3, 3)}
    assert pairs == {(i, j) for i, s in enumerate(words[0]) for j, t in enumerate(words[1]) if (s, t) in expected}
    assert len(pairs) > 5


@pytest.mark.parametrize(
    ("links", "limit", "message"),
    [
        (LINKS[:-1], None, r"train\.links: expected a line for each of data\.train, got none for line 5"),
        ([*LINKS, "0-0"], None, r"train\.links: expected 5 lines, as in data\.train, got 6"),
        (["0-0 3-1", *LINKS[1:]], None, r"train\.links:1: expected links inside 3 source and 3 target words, .* 3-1"),
        (["0-0 1-3", *LINKS[1:]], None, r"train\.links:1: expected links inside 3 source and 3 target words, .* 1-3"),
        (["0:0", *LINKS[1:]], None, r"train\.links:1: expected links such as 0-1, 0p1 or 0\?1, got '0:0'"),
        (LINKS[:2], 3, r"train\.links: expected a line for each of data\.train, got none for line 3"),
    ],
)
def test_links_that_do_not_fit_the_corpus_are_refused(
    links: list[str], limit: int | None, message: str, tmp_path: Path
) -> None:
    config = config_of(tmp_path, links)
    train = config.data.train.model_copy(update={"limit": limit})
    config = config.model_copy(update={"data": config.data.model_copy(update={"train": train})})
    with pytest.raises(DataError, match=message):
        prepare_training(config)


def test_a_limited_corpus_needs_no_more_lines(tmp_path: Path) -> None:
    texts = {"source": "train.de", "target": "train.en", "limit": 1}
    assert links_of(config_of(tmp_path, LINKS, train=texts)) == [[0, 0, 1, 1, 2, 2]]


def test_the_built_in_corpus_brings_its_own(tmp_path: Path) -> None:
    data = {
        "train": {"builtin": "demo", "split": "train", "limit": 3},
        "valid": {"builtin": "demo", "split": "valid", "limit": 1},
    }
    config = Config.model_validate({"run": {"dir": str(tmp_path)}, "data": {**data, "alignments": "builtin"}})
    assert all(len(row) >= 4 for row in links_of(config))


def test_a_guide_shares_each_target_token_among_its_links() -> None:
    batch = collate([[4, 5, 6], [4]], [[7, 8], [9, 9, 9]])
    weights = alignment_weights([np.array([0, 0, 2, 0, 1, 1], np.int32), np.array([0, 2], np.int32)], batch)
    third = [0.0, 0.0, 0.0, 0.0]
    expected = [[[0.5, 0, 0.5, 0], [0, 1, 0, 0], third, third], [third, third, [1, 0, 0, 0], third]]
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_batches_without_given_links_have_no_alignment(tmp_path: Path) -> None:
    for alignments, is_there in ((None, False), ("train.links", True)):
        train = prepare_training(config_of(tmp_path, LINKS, alignments=alignments)).train
        batch = next(batches(train, [np.array([0, 2], np.int32)]))
        assert (batch.alignment is not None) is is_there
        assert (batch.to(torch.device("cpu")).alignment is not None) is is_there
