"""The greatest of long rows are found by blocks: the same as by sorting."""

import pytest
import torch

from nmt_attn.search.choice import BLOCK, top


@pytest.mark.parametrize("columns", [5, BLOCK * 40, BLOCK * 40 + 17, 8003])  # short; whole blocks; with a rest
@pytest.mark.parametrize("kind", ["different", "equal", "mostly -inf"])
def test_the_greatest_are_those_of_a_stable_sort(columns: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(columns)
    values = torch.randn(30, columns, generator=generator)
    if kind == "equal":
        values = values.mul(2).round()  # a handful of values, so that all are shared
    if kind == "mostly -inf":
        values[torch.rand(values.shape, generator=generator) < 0.9] = -torch.inf
        values[0] = -torch.inf
    greatest, found = top(values, 4)
    expected = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(greatest, expected.values[:, :4])
    is_real = greatest > -torch.inf
    assert torch.equal(found[is_real], expected.indices[:, :4][is_real])
    assert torch.equal(values.gather(1, found), greatest)


def test_the_greatest_may_all_lie_in_one_block_or_in_the_rest() -> None:
    for first in (3 * BLOCK, 100 * BLOCK - 2, 8000):
        values = torch.zeros(1, 8003)
        values[0, first : first + 3] = torch.tensor([1.0, 3.0, 2.0])
        assert top(values, 3)[1].tolist() == [[first + 1, first + 2, first]]
