"""Prefetching: a thread produces the next items while the current one is processed.

Items are produced once and in order, so the consumer gets the same sequence with and without the thread.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


@contextmanager
def prefetched(items: Iterable[T], ahead: int) -> Iterator[Iterator[T]]:
    """Context of an iterator over `items`; a thread produces up to `ahead` of them in advance, or none if 0.

    An error in producing an item is raised where the item is consumed. When the block is left, even by an exception,
    the thread has ended: it finishes the current item and produces no more.
    """
    if ahead == 0:
        yield iter(items)
        return
    producer = _Producer(items, ahead)
    producer.start()
    try:
        yield producer.results()
    finally:
        producer.stop()


class _Producer(Thread, Generic[T]):
    def __init__(self, items: Iterable[T], ahead: int) -> None:
        super().__init__(name="prefetch", daemon=True)
        self._items = iter(items)
        self._free = Semaphore(ahead)
        self._results: SimpleQueue[tuple[T, ...] | BaseException] = SimpleQueue()  # one item; no item at the end
        self._must_stop = False

    def run(self) -> None:
        while True:
            self._free.acquire()
            if self._must_stop:
                return
            result: tuple[T, ...] | BaseException
            try:
                result = (next(self._items),)
            except StopIteration:
                result = ()
            except BaseException as error:  # the consumer must see every error
                result = error
            self._results.put(result)
            if not isinstance(result, tuple) or not result:
                return

    def results(self) -> Iterator[T]:
        while True:
            result = self._results.get()
            if isinstance(result, BaseException):
                raise result
            if not result:
                return
            self._free.release()
            yield result[0]

    def stop(self) -> None:
        self._must_stop = True
        self._free.release()
        self.join()
