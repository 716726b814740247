"""Prefetching: a thread makes the next items while the last one is worked on.

The order is that of the items, and each is made once, so whoever takes them cannot tell who made them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


@contextmanager
def prefetched(items: Iterable[T], ahead: int) -> Iterator[Iterator[T]]:
    """The items, of which a thread makes up to `ahead` before they are asked for; with 0 there is no thread.

    An error in making an item is raised where it is taken. When the block is left, for whatever reason, the thread has
    ended: it finishes the item that it is at, and makes no more.
    """
    if ahead == 0:
        yield iter(items)
        return
    maker = _Maker(items, ahead)
    maker.start()
    try:
        yield maker.taken()
    finally:
        maker.stop()


class _Made(NamedTuple, Generic[T]):
    items: tuple[T, ...]  # one; none at the end
    error: BaseException | None


class _Maker(Thread, Generic[T]):
    def __init__(self, items: Iterable[T], ahead: int) -> None:
        super().__init__(name="prefetch", daemon=True)
        self._items = iter(items)
        self._free = Semaphore(ahead)
        self._made: SimpleQueue[_Made[T]] = SimpleQueue()
        self._must_stop = False

    def run(self) -> None:
        while True:
            self._free.acquire()
            if self._must_stop:
                return
            try:
                made = _Made((next(self._items),), None)
            except StopIteration:
                made = _Made[T]((), None)
            except BaseException as error:  # whatever it is, the one who waits must hear of it
                made = _Made[T]((), error)
            self._made.put(made)
            if not made.items:
                return

    def taken(self) -> Iterator[T]:
        while True:
            made = self._made.get()
            if made.error is not None:
                raise made.error
            if not made.items:
                return
            self._free.release()
            yield made.items[0]

    def stop(self) -> None:
        self._must_stop = True
        self._free.release()
        self.join()
