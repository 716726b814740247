"""Prefetching: the same items in the same order, errors where they belong, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from nmt_attn.data.prefetch import prefetched


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "prefetch"]


def noting(count: int, made: list[int]) -> Iterator[int]:
    for item in range(count):
        made.append(item)
        yield item


@pytest.mark.parametrize("ahead", [0, 1, 2, 5, 50])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_items_come_in_their_order_and_once(count: int, ahead: int) -> None:
    made: list[int] = []
    with prefetched(noting(count, made), ahead) as items:
        assert list(items) == list(range(count)) == made
        assert next(items, None) is None
    assert threads() == []


def wait_for(made: list[int], count: int) -> None:
    deadline = time.monotonic() + 5
    while len(made) < count and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.01)  # for more than there should be


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_number_of_them_is_made_before_they_are_asked_for(ahead: int) -> None:
    made: list[int] = []
    with prefetched(noting(10, made), ahead) as items:
        wait_for(made, ahead)
        assert made == list(range(ahead))
        assert [next(items), next(items)] == [0, 1]
        wait_for(made, ahead + 2)
        assert made == list(range(ahead + 2))
    assert threads() == []


def test_without_a_thread_nothing_is_made_before() -> None:
    made: list[int] = []
    with prefetched(noting(3, made), 0) as items:
        assert made == [] and next(items) == 0 and made == [0]


@pytest.mark.parametrize("ahead", [0, 4])
def test_an_error_comes_where_its_item_would(ahead: int) -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("disk gone")

    with prefetched(failing(), ahead) as items:
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(OSError, match="disk gone"):
            next(items)
    assert threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whoever_leaves_the_block_ends_the_thread(error: type[BaseException]) -> None:
    made: list[int] = []
    with pytest.raises(error), prefetched(noting(1_000_000, made), 2) as items:
        assert next(items) == 0
        raise error
    assert threads() == []
    assert len(made) <= 4
