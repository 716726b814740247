"""Batching: plans by hand and by law, padding, and the marks that collate adds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt_attn.data.batching import Plan, batches, collate, collate_source, padding_share, plan_epoch, plan_evaluation
from nmt_attn.data.encoded import EncodedPair, open_encoded, write_encoded
from nmt_attn.types import SentencePair

LENGTHS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=60)


def sides(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def as_lists(plan: Plan) -> list[list[int]]:
    return [rows.tolist() for rows in plan]


@given(LENGTHS, st.integers(1, 100), st.integers(0, 2**32), st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_every_pair_is_in_one_batch_within_the_budget(pairs, batch_tokens, seed, epoch) -> None:
    source, target = sides(pairs)
    longer = np.maximum(source, target)
    plans = [
        plan_epoch(source, target, batch_tokens=batch_tokens, seed=seed, epoch=epoch),
        plan_evaluation(source, target, batch_tokens=batch_tokens),
    ]
    for plan in plans:
        assert sorted(i for rows in as_lists(plan) for i in rows) == list(range(len(pairs)))
        for rows in plan:
            assert len(rows) * longer[rows].max() <= batch_tokens or len(rows) == 1


@given(LENGTHS, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_plan_depends_on_nothing_but_lengths_seed_and_epoch(pairs, seed, epoch) -> None:
    source, target = sides(pairs)
    first = plan_epoch(source, target, batch_tokens=50, seed=seed, epoch=epoch)
    np.random.seed(7)  # the global generator must not matter
    again = plan_epoch(source.copy(), target.copy(), batch_tokens=50, seed=seed, epoch=epoch)
    assert as_lists(first) == as_lists(again)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=32, max_size=32), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_a_large_corpus_is_shuffled_window_by_window(pairs, seed) -> None:
    source, target = sides(pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nmt_attn.data.batching.BLOCK_ROWS", 4)
        patch.setattr("nmt_attn.data.batching.WINDOW_ROWS", 12)
        plan = as_lists(plan_epoch(source, target, batch_tokens=50, seed=seed, epoch=1))
    assert all(len(rows) * max(*source[rows], *target[rows]) <= 50 or len(rows) == 1 for rows in plan)
    order = [row for rows in plan for row in rows]
    assert sorted(order) == list(range(32))
    # 32 rows are 8 blocks of 4: windows of 3, 3 and 2 whole blocks, and no batch lies in two windows
    for window in (order[:12], order[12:24], order[24:]):
        assert len({row // 4 for row in window}) * 4 == len(window)
    assert {12, 24} <= {sum(map(len, plan[:count])) for count in range(len(plan))}


def test_seeds_and_epochs_give_different_plans() -> None:
    source, target = sides([(5, 5)] * 100)
    plans = {
        str(as_lists(plan_epoch(source, target, batch_tokens=50, seed=seed, epoch=epoch)))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(plans) == 9


def test_batches_are_cut_by_the_longer_side() -> None:
    # longer sides 2, 3, 3, 4, 9; budget 8. 2 x 3 fits, 3 x 3 does not: [0, 1]; 2 x 4 fits: [2, 3]; 9 is alone
    source, target = sides([(2, 1), (1, 3), (3, 3), (4, 2), (1, 9)])
    assert as_lists(plan_evaluation(source, target, batch_tokens=8)) == [[0, 1], [2, 3], [4]]


def test_sentences_of_one_batch_are_of_nearly_the_same_length() -> None:
    source, target = sides([(length, length) for length in range(1, 41)] * 5)
    plan = plan_epoch(source, target, batch_tokens=200, seed=1, epoch=0)
    # 200 tokens hold 10 sentences of 20: two lengths, or three of the shorter ones; never 1 beside 40
    assert all(np.ptp(source[rows][source[rows] > 10]) <= 3 for rows in plan if (source[rows] > 10).any())


def test_batches_of_an_epoch_come_in_random_order() -> None:
    source, target = sides([(length, length) for length in range(1, 41)] * 5)
    plan = plan_epoch(source, target, batch_tokens=200, seed=1, epoch=0)
    longest = [int(source[rows].max()) for rows in plan]
    assert longest != sorted(longest)


def test_the_first_epochs_may_go_from_short_to_long() -> None:
    source, target = sides([(length, 41 - length) for length in range(1, 41)] * 5)
    arguments = {"batch_tokens": 200, "seed": 1, "epoch": 1}
    plan = plan_epoch(source, target, **arguments, short_first=True)
    longest = [int(np.maximum(source, target)[rows].max()) for rows in plan]
    assert longest == sorted(longest)
    assert sorted(map(str, as_lists(plan))) == sorted(map(str, as_lists(plan_epoch(source, target, **arguments))))


def test_the_share_of_padding_by_hand() -> None:
    # rows 0 and 1: 2 x 4 source and 2 x 3 target positions, of which 4 + 2 + 3 + 1 are tokens; row 2: 5 + 7 of 12
    source, target = sides([(4, 3), (2, 1), (5, 7)])
    plan = [np.array([0, 1]), np.array([2])]
    assert padding_share(plan, source, target) == pytest.approx(4 / 26)
    assert padding_share([], source, target) == 0


def test_an_empty_corpus_has_an_empty_plan() -> None:
    source, target = sides([])
    assert plan_epoch(source, target, batch_tokens=5, seed=1, epoch=0) == []
    assert plan_evaluation(source, target, batch_tokens=5) == []


def test_collate_adds_the_marks_and_pads() -> None:
    batch = collate([[11, 12, 13], [14]], [[21], np.array([22, 23], np.int32)])
    assert batch.src_ids.tolist() == [[11, 12, 13, 3], [14, 3, 0, 0]]
    assert batch.src_lengths.tolist() == [4, 2]
    assert batch.tgt_in.tolist() == [[2, 21, 0], [2, 22, 23]]
    assert batch.tgt_out.tolist() == [[21, 3, 0], [22, 23, 3]]
    assert batch.tgt_lengths.tolist() == [2, 3]
    assert {tensor.dtype for tensor in batch[:5]} == {torch.int64}


def test_an_empty_sentence_is_its_mark_alone() -> None:
    batch = collate([[]], [[]])
    assert (batch.src_ids.tolist(), batch.tgt_in.tolist(), batch.tgt_out.tolist()) == ([[3]], [[2]], [[3]])
    source = collate_source([[], [7, 8]])
    assert source.src_ids.tolist() == [[3, 0, 0], [7, 8, 3]]
    assert source.src_lengths.tolist() == [1, 3]


@given(st.lists(st.tuples(st.lists(st.integers(4, 9)), st.lists(st.integers(4, 9))), min_size=1, max_size=7))
@settings(max_examples=50, deadline=None)
def test_every_token_survives_padding(pairs) -> None:
    batch = collate([source for source, _ in pairs], [target for _, target in pairs])
    for row, (source, target) in enumerate(pairs):
        assert batch.src_ids[row, : batch.src_lengths[row]].tolist() == [*source, 3]
        assert batch.tgt_in[row, : batch.tgt_lengths[row]].tolist() == [2, *target]
        assert batch.tgt_out[row, : batch.tgt_lengths[row]].tolist() == [*target, 3]
        assert batch.src_ids[row, batch.src_lengths[row] :].eq(0).all()
        assert batch.tgt_in[row, batch.tgt_lengths[row] :].eq(0).all()
        assert batch.tgt_out[row, batch.tgt_lengths[row] :].eq(0).all()


def test_batches_come_from_an_arrow_file_across_its_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt_attn.data.encoded.CHUNK_PAIRS", 3)
    pairs = [EncodedPair([10 + i] * i, [30 + i] * (7 - i), SentencePair(f"s{i}", f"t\u2028{i}")) for i in range(8)]
    write_encoded(tmp_path / "corpus.arrow", pairs, keep_text=True)
    corpus = open_encoded(tmp_path / "corpus.arrow")
    assert corpus.source_lengths.tolist() == [i + 1 for i in range(8)]
    assert corpus.target_lengths.tolist() == [8 - i for i in range(8)]
    assert corpus.texts() == [pair.text for pair in pairs]
    plan = [np.array([7, 0, 3]), np.array([2])]
    first, second = batches(corpus, plan)
    assert first.src_ids.tolist() == collate([[17] * 7, [], [13] * 3], [[1]] * 3).src_ids.tolist()
    assert second.tgt_out.tolist() == [[32, 32, 32, 32, 32, 3]]
