"""Subword sampling: another segmentation in every epoch, the same wherever and whenever it is drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmt_attn.config.schema import Config
from nmt_attn.data.batching import batches
from nmt_attn.data.cache import fingerprint
from nmt_attn.data.encoded import EncodedRows
from nmt_attn.data.prepare import PreparedData, prepare_training
from nmt_attn.data.subwords import SubwordSampling

SOURCE = ["der hund bellt laut", "die katze schläft", "hunde bellen", "die hunde schlafen gern"]
TARGET = ["the dog barks loudly", "the cat sleeps", "dogs bark", "the dogs like to sleep"]
LINKS = ["0-0 1-1 2-2 3-3", "0-0 1-1 2-2", "0-0 1-1", "0-0 1-1 2-4 3-2 3-3"]
EVERY = np.arange(4)
ALGORITHMS = {"unigram": SubwordSampling("unigram", 0.2, None), "bpe": SubwordSampling("bpe", 0.5, None)}


def prepared(folder: Path, *, alpha: float | None = 0.2, seed: int = 1, **keys: dict[str, Any]) -> PreparedData:
    for name, lines in (("t.de", SOURCE), ("t.en", TARGET), ("t.links", LINKS)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    texts = {"source": "t.de", "target": "t.en"}
    config = Config.model_validate(
        {
            "run": {"dir": str(folder / "runs"), "seed": seed},
            "data": {"root": str(folder), "train": texts, "valid": texts, "test": texts, **keys.get("data", {})},
            "tokenizer": {"kind": "sentencepiece", "vocab_size": 37, "shared": True, **keys.get("tokenizer", {})},
            "training": {"subword_sampling": {"alpha": alpha}},
        }
    )
    return prepare_training(config)


def ids(rows: EncodedRows) -> list[list[int]]:
    return [row.tolist() for row in (*rows.source, *rows.target)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rows_depend_on_seed_epoch_and_row_alone(algorithm: str, tmp_path: Path) -> None:
    tokenizer = {"algorithm": algorithm}
    train = prepared(tmp_path, tokenizer=tokenizer).train
    first = ids(train.in_epoch(1).rows(EVERY))
    assert ids(train.in_epoch(2).rows(EVERY)) != first
    assert ids(train.in_epoch(1).rows(EVERY)) == first  # whatever was drawn in between
    assert ids(train.in_epoch(1).rows(EVERY[::-1])) == [first[i] for i in (3, 2, 1, 0, 7, 6, 5, 4)]
    again = prepared(tmp_path, tokenizer=tokenizer)
    assert again.is_cached
    assert ids(again.train.in_epoch(1).rows(EVERY)) == first  # by another process, or after a stop
    assert ids(prepared(tmp_path, tokenizer=tokenizer, seed=2).train.in_epoch(1).rows(EVERY)) != first


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_drawn_is_the_same_text(algorithm: str, tmp_path: Path) -> None:
    data = prepared(tmp_path, tokenizer={"algorithm": algorithm})
    for epoch in range(1, 6):
        rows = data.train.in_epoch(epoch).rows(EVERY)
        assert [data.source.decode(row.tolist()) for row in rows.source] == SOURCE
        assert [data.target.decode(row.tolist()) for row in rows.target] == TARGET


def test_lengths_are_those_of_the_best_segmentation(tmp_path: Path) -> None:
    sampled, plain = prepared(tmp_path).train, prepared(tmp_path, alpha=None).train
    assert sampled.source_lengths.tolist() == plain.source_lengths.tolist()
    drawn = [len(row) + 1 for epoch in range(9) for row in sampled.in_epoch(epoch).rows(EVERY).source]
    assert drawn != plain.source_lengths.tolist() * 9


def test_a_side_that_would_be_over_long_keeps_its_best_segmentation(tmp_path: Path) -> None:
    plain = prepared(tmp_path, alpha=None).train
    longest = int(max(plain.source_lengths.max(), plain.target_lengths.max())) - 1
    sampled = prepared(tmp_path, data={"max_length": longest}).train
    best = ids(plain.rows(EVERY))
    drawn = [ids(sampled.in_epoch(epoch).rows(EVERY)) for epoch in range(20)]
    assert all(len(row) <= longest for rows in drawn for row in rows)
    assert sum(rows[i] == best[i] for rows in drawn for i in range(8)) > 20  # more often than by chance
    assert all(any(rows[i] != best[i] for rows in drawn) for i in range(8) if len(best[i]) < longest - 3)


def test_validation_is_cut_in_the_best_way(tmp_path: Path) -> None:
    plain = prepared(tmp_path, alpha=None)
    assert ids(prepared(tmp_path).valid.in_epoch(3).rows(EVERY)) == ids(plain.valid.rows(EVERY))


def test_links_follow_the_pieces_that_were_drawn(tmp_path: Path) -> None:
    data = prepared(tmp_path, data={"alignments": "t.links"})
    for epoch in (1, 2, 3):
        rows = data.train.in_epoch(epoch).rows(EVERY)
        assert rows.links is not None
        for line, links in enumerate(rows.links):
            words = [
                codec.tokenizer.word_indices(codec.output_pieces(side[line].tolist()))
                for codec, side in zip(data.codecs, (rows.source, rows.target), strict=True)
            ]
            expected = {tuple(map(int, link.split("-"))) for link in LINKS[line].split()}
            linked = {(words[0][i], words[1][j]) for i, j in zip(links[::2], links[1::2], strict=True)}
            assert linked == expected
            assert len(links) // 2 == sum(words[0].count(i) * words[1].count(j) for i, j in expected)
        batch = next(batches(data.train.in_epoch(epoch), [EVERY.astype(np.int32)]))
        assert batch.alignment is not None and batch.alignment.shape == (*batch.tgt_out.shape, batch.src_ids.shape[1])


def test_the_text_is_kept_where_it_is_sampled_alone(tmp_path: Path) -> None:
    plain = Config()
    sampled = Config.model_validate({"training": {"subword_sampling": {"alpha": 0.1}}})
    stronger = Config.model_validate({"training": {"subword_sampling": {"alpha": 0.5}}})
    assert fingerprint(plain) != fingerprint(sampled) == fingerprint(stronger)
