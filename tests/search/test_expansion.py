"""The greatest of long rows are found by blocks: the same as by sorting."""

import pytest
import torch

from nmt_attn.search.expansion import BLOCK, top_candidates
from nmt_attn.types import PAD


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("columns", [5, BLOCK * 40, BLOCK * 40 + 17, 8003])  # short; whole blocks; with a rest
@pytest.mark.parametrize("kind", ["different", "equal", "mostly -inf"])
def test_the_greatest_are_those_of_a_stable_sort(columns: int, kind: str, width: int) -> None:
    generator = torch.Generator().manual_seed(columns)
    totals = torch.randn(10, width, generator=generator, dtype=torch.float64)
    values = torch.randn(10 * width, columns, generator=generator)
    if kind == "equal":
        totals, values = totals.mul(2).round(), values.mul(2).round()  # a handful of values, so that all are shared
    if kind == "mostly -inf":
        values[torch.rand(values.shape, generator=generator) < 0.9] = -torch.inf
        values[:width] = -torch.inf
        totals[1, 0] = -torch.inf
    values[:, PAD] = -torch.inf
    greatest, found = top_candidates(totals, values, 4)
    sums = (totals.unsqueeze(2) + values.view(10, width, columns)).flatten(1)
    expected = sums.sort(dim=1, descending=True, stable=True)
    assert torch.equal(greatest, expected.values[:, :4])
    is_real = greatest > -torch.inf
    assert torch.equal(found[is_real], expected.indices[:, :4][is_real])
    assert torch.equal(sums.gather(1, found), greatest)


@pytest.mark.parametrize("columns", [5, 8003])
def test_hypotheses_without_numbers_come_after_all_others(columns: int) -> None:
    values = torch.full((2, columns), torch.nan)
    values[1] = torch.arange(columns)
    values[:, PAD] = -torch.inf
    greatest, found = top_candidates(torch.zeros(1, 2), values, 3)
    assert greatest.tolist() == [[columns - 1, columns - 2, columns - 3]]
    assert found.tolist() == [[2 * columns - 1, 2 * columns - 2, 2 * columns - 3]]


def test_the_greatest_may_all_lie_in_one_block_or_in_the_rest() -> None:
    for first in (3 * BLOCK, 100 * BLOCK - 2, 8000):
        values = torch.zeros(1, 8003)
        values[0, PAD] = -torch.inf
        values[0, first : first + 3] = torch.tensor([1.0, 3.0, 2.0])
        assert top_candidates(torch.zeros(1, 1), values, 3)[1].tolist() == [[first + 1, first + 2, first]]
