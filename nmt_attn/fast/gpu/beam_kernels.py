# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton: a step of beam search (defined in nmt_attn/fast/gpu/beam_steps.py).

The greatest are taken one after another, each by two reductions: the greatest number, and the first place that has it.
"""

import triton
import triton.language as tl

NOWHERE = tl.constexpr(1 << 62)


@triton.jit
def best_words(
    values, ids, sums, scores, bias, scores_row, words, forbids_unknown: tl.constexpr,
    count: tl.constexpr, size: tl.constexpr, pad_id: tl.constexpr, unknown: tl.constexpr, start: tl.constexpr,
    end: tl.constexpr,
):  # fmt: skip
    """One program: a part of the words of one hypothesis."""
    n, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    word = part * size + tl.arange(0, size)
    is_word = word < words
    score = tl.load(scores + n * scores_row + word, mask=is_word, other=-float("inf")).to(tl.float32)
    if bias is not None:
        score += tl.load(bias + word, mask=is_word, other=0.0).to(tl.float32)
    greatest = tl.max(score, axis=0)
    place = n * parts + part
    tl.store(sums + 2 * place, greatest)
    tl.store(sums + 2 * place + 1, tl.sum(tl.exp(score - tl.where(greatest == -float("inf"), 0.0, greatest)), axis=0))
    is_free = is_word & (word != pad_id) & (word != start) & (word != end) & (score == score)
    if forbids_unknown:
        is_free = is_free & (word != unknown)
    score = tl.where(is_free, score, -float("inf"))
    for i in tl.static_range(count):
        best = tl.max(score, axis=0)
        at = tl.min(tl.where(score == best, word, 1 << 30), axis=0)
        tl.store(values + place * count + i, best)
        tl.store(ids + place * count + i, tl.where(best > -float("inf"), at, pad_id).to(tl.int64))
        score = tl.where(word == at, -float("inf"), score)


@triton.jit
def log_norms(sums, n, is_row, p, parts):
    """Of the rows n: log of the sum of exponentials of all scores [R], from each part's greatest and sum."""
    inside = is_row[:, None] & (p < parts)[None, :]
    at = 2 * (n[:, None] * parts + p[None, :])
    greatest = tl.load(sums + at, mask=inside, other=-float("inf"))
    norm = tl.max(greatest, axis=1)
    norm = tl.where(norm == -float("inf"), 0.0, norm)
    share = tl.sum(tl.load(sums + at + 1, mask=inside, other=0.0) * tl.exp(greatest - norm[:, None]), axis=1)
    return norm + tl.log(tl.where(share == 0, 1.0, share))


@triton.jit
def candidates(
    values, ids, totals, norm, n, r, c, is_row, words, parts, count: tl.constexpr,
):  # fmt: skip
    """The words that each of the rows n can go on with: log p, that of the whole, and parent * words + word [R, C]."""
    inside = is_row[:, None] & (c < parts * count)[None, :]
    at = n[:, None] * parts * count + c[None, :]
    chance = tl.load(values + at, mask=inside, other=-float("inf")) - norm[:, None]
    new = totals[:, None] + chance.to(tl.float64)
    place = r[:, None].to(tl.int64) * words + tl.load(ids + at, mask=inside, other=0)
    return chance, tl.where(inside & (new == new), new, -float("inf")), tl.where(inside, place, NOWHERE)


@triton.jit
def rank_of(log_prob, term, terms, last_term):
    """The rank of a whole of `term` tokens."""
    return log_prob / tl.load(terms + term) + tl.load(terms + last_term + 1 + term)


@triton.jit
def ends_before(ending, end_place, is_row):
    """How many of the endings [R] come before each."""
    is_before = (ending[None, :] > ending[:, None]) | (
        (ending[None, :] == ending[:, None]) & (end_place[None, :] < end_place[:, None])
    )
    return tl.sum((is_before & is_row[None, :]).to(tl.int32), axis=1)


@triton.jit
def take_best(
    new, chance, place, ending, end_place, before, r, beam: tl.constexpr, block_r: tl.constexpr,
):  # fmt: skip
    """The K greatest of `new`, the lower place first where they are equal -> totals, log p and places [R].

    Then the greatest of all, and `before` with the number of these that come before each of `ending`.
    """
    total = tl.full([block_r], -float("inf"), tl.float64)
    log_prob = tl.full([block_r], 0.0, tl.float32)
    taken = tl.full([block_r], 0, tl.int64)
    best = tl.max(tl.max(new, axis=1), axis=0)
    first = best
    for i in tl.static_range(beam):
        here = tl.min(tl.min(tl.where(new == best, place, NOWHERE), axis=1), axis=0)
        is_it = (new == best) & (place == here)
        is_there = is_it & (new > -float("inf"))
        got = tl.sum(tl.sum(tl.where(is_there, chance, 0.0), axis=1), axis=0)
        found = tl.sum(tl.sum(tl.where(is_there, place, 0), axis=1), axis=0)
        before += ((best > ending) | ((best == ending) & (here < end_place))).to(tl.int32)
        total = tl.where(r == i, best, total)
        log_prob = tl.where(r == i, got, log_prob)
        taken = tl.where(r == i, found, taken)
        new = tl.where(is_it, -float("inf"), new)
        best = tl.max(tl.max(new, axis=1), axis=0)
    return total, log_prob, taken, first, before


@triton.jit
def merge_ranks(best_ranks, at, fresh, wanted, r, w, block_r: tl.constexpr, block_w: tl.constexpr):
    """Keeps the best `wanted` of the ranks in memory and the fresh ones [R], best first -> the worst of them."""
    known = tl.load(best_ranks + at + w, mask=w < wanted, other=-float("inf"))
    ranked = tl.full([block_w], -float("inf"), tl.float64)
    worst = tl.max(known, axis=0)
    for i in range(wanted):
        old, young = tl.max(known, axis=0), tl.max(fresh, axis=0)
        worst = tl.maximum(old, young)
        ranked = tl.where(w == i, worst, ranked)
        old_at = tl.min(tl.where(known == old, w, block_w), axis=0)
        young_at = tl.min(tl.where(fresh == young, r, block_r), axis=0)
        known = tl.where((known >= young) & (w == old_at), -float("inf"), known)
        fresh = tl.where((fresh > old) & (r == young_at), -float("inf"), fresh)
    tl.store(best_ranks + at + w, ranked, mask=w < wanted)
    return worst


@triton.jit
def advance(
    values, ids, sums, scores, bias, totals, last_ids, rows, best_ranks, lengths, is_done, trace, shortest, longest,
    terms, scores_row, words, parts, wanted, steps, last_term, lookahead: tl.constexpr,
    beam: tl.constexpr, count: tl.constexpr, fields: tl.constexpr, block_r: tl.constexpr, block_p: tl.constexpr,
    block_c: tl.constexpr, block_w: tl.constexpr, pad_id: tl.constexpr, end: tl.constexpr,
):  # fmt: skip
    """One program: a sentence."""
    b, batch = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    r, p, c, w = tl.arange(0, block_r), tl.arange(0, block_p), tl.arange(0, block_c), tl.arange(0, block_w)
    is_row = r < beam
    n = b * beam + r
    norm = log_norms(sums, n, is_row, p, parts)

    total = tl.load(totals + n, mask=is_row, other=-float("inf"))
    chance, new, place = candidates(values, ids, total, norm, n, r, c, is_row, words, parts, count)

    score = tl.load(scores + n * scores_row + end, mask=is_row, other=-float("inf")).to(tl.float32)
    if bias is not None:
        score += tl.load(bias + end).to(tl.float32)
    of_end = score - norm
    closed = total + of_end.to(tl.float64)
    closed = tl.where(is_row & (closed == closed), closed, -float("inf"))
    length = tl.load(lengths + b)
    ending = tl.where(length < tl.load(shortest + b), -float("inf"), closed)
    end_place = r.to(tl.int64) * words + end
    before = ends_before(ending, end_place, is_row)
    open_total, open_chance, open_place, first, before = take_best(
        new, chance, place, ending, end_place, before, r, beam, block_r
    )
    parent, word = open_place // words, open_place % words

    is_last = length >= tl.load(longest + b)
    is_end = (ending > -float("inf")) & (before < beam)
    is_closed = is_end | (is_last & (closed > -float("inf")))
    term = tl.minimum(length + 1, last_term)
    rank = tl.where(is_closed, rank_of(closed, term, terms, last_term), -float("inf"))
    worst = merge_ranks(best_ranks, b * wanted, rank, wanted, r, w, block_r, block_w)
    term = tl.load(longest + b) + 1
    if lookahead >= 0:
        term = tl.minimum(term, length + 2 + lookahead)
    term = tl.minimum(term, last_term)
    done = (rank_of(first, term, terms, last_term) <= worst) | is_last | (tl.sum(is_end.to(tl.int32), axis=0) == beam)

    at = (tl.minimum(length, steps - 1) * fields * batch + b) * beam + r
    field = batch * beam
    tl.store(trace + at, parent.to(tl.float64), mask=is_row)
    tl.store(trace + at + field, word.to(tl.float64), mask=is_row)
    tl.store(trace + at + 2 * field, open_chance.to(tl.float64), mask=is_row)
    tl.store(trace + at + 3 * field, of_end.to(tl.float64), mask=is_row)
    tl.store(trace + at + 4 * field, rank, mask=is_row)
    tl.store(trace + at + 5 * field, is_end.to(tl.float64), mask=is_row)
    tl.store(totals + n, tl.where(done, -float("inf"), open_total), mask=is_row)
    tl.store(last_ids + n, word, mask=is_row)
    tl.store(rows + n, b * beam + parent, mask=is_row)
    tl.store(lengths + b, length + 1)
    tl.store(is_done + b, done.to(tl.int32))
