# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
"""Triton: cross-entropy of a row of scores with an online softmax (defined in nmt_attn/fast/gpu/steps.py).

One program reads a row twice: for the norm, where each lane keeps its own largest score and sum, and for the slope.
"""

import triton
import triton.language as tl

WORDS = 2048
"""Scores that a program holds at a time."""


@triton.jit
def loss_rows(
    scores, sums, bias, targets, smoothing, share, words: tl.constexpr, columns: tl.constexpr, scores_row, padding,
    keeps_slope: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """`share` is smoothing / V."""
    n = tl.program_id(0).to(tl.int64)
    target = tl.load(targets + n)
    is_real = tl.where(target == padding, 0.0, 1.0)
    row = scores + n * scores_row
    largest = tl.full([block], -3.0e38, dtype=tl.float32)
    norms, totals = tl.zeros([block], dtype=tl.float32), tl.zeros([block], dtype=tl.float32)
    for start in range(0, words, block):
        word = start + tl.arange(0, block)
        inside = word < words
        score = tl.load(row + word, mask=inside, other=0.0).to(tl.float32)
        score += tl.load(bias + word, mask=inside, other=0.0)
        totals += score
        above = tl.maximum(largest, tl.where(inside, score, -3.0e38))
        norms = norms * tl.exp(largest - above) + tl.where(inside, tl.exp(score - above), 0.0)
        largest = above
    most = tl.max(largest, axis=0)
    norm = most + tl.log(tl.sum(norms * tl.exp(largest - most), axis=0))
    wanted = tl.load(row + target).to(tl.float32) + tl.load(bias + target)
    likelihood = (norm - wanted) * is_real
    spread = (norm - tl.sum(totals, axis=0) / words) * is_real
    tl.store(sums + 2 * n, (1 - smoothing) * likelihood + smoothing * spread)
    tl.store(sums + 2 * n + 1, likelihood)
    if keeps_slope:
        for start in range(0, columns, block):
            word = start + tl.arange(0, block)
            inside = word < words
            score = tl.load(row + word, mask=inside, other=0.0).to(tl.float32)
            score += tl.load(bias + word, mask=inside, other=0.0)
            slope = tl.exp(score - norm) - share - tl.where(word == target, 1 - smoothing, 0.0)
            tl.store(row + word, tl.where(inside, slope * is_real, 0.0), mask=word < columns)
