"""Batcher: translations that are asked for within a few milliseconds are made in one batch.

All work on models is done by one thread, in the order of arrival, so that nothing else runs while a step is traced.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import NamedTuple, TypeVar

from nmt_attn.errors import UserError
from nmt_attn.search.request import Request
from nmt_attn.search.translation import Translation
from nmt_attn.search.translator import Translator

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """What the server takes; beyond it, it answers 429 or 503."""

    queue: int = 1024  # requests that wait or run
    per_client: int = 512  # of one address
    timeout_seconds: float = 30.0  # for one request
    wait_seconds: float = 0.003  # for others of the same batch, at least
    batch_lines: int = 1024


@dataclass
class ModelThread:
    """The thread that has the models."""

    limits: Limits
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "models"))

    async def call(self, work: Callable[[], Answer]) -> Answer:
        """What `work` gives back, when its turn has come."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """What waits is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class _Job(NamedTuple):
    """The texts of one request."""

    texts: list[str]
    prefix: str
    answer: "asyncio.Future[list[Translation]]"


class _Last(NamedTuple):
    """The batch before."""

    clients: int  # those who were in it, and those who came meanwhile
    seconds: float


class Batcher:
    """The translations of one translator."""

    def __init__(self, translator: Translator, thread: ModelThread) -> None:
        self.translator = translator
        self._thread = thread
        self._waiting: dict[Request, list[_Job]] = {}  # of each kind of request that has a task
        self._last: dict[Request, _Last] = {}
        self._tasks = set[asyncio.Task[None]]()

    async def translate(self, texts: list[str], prefix: str, request: Request) -> list[Translation]:
        """The translations of the texts, in order. Raises UserError as `Translator.translate_window` does."""
        job = _Job(texts, prefix, asyncio.get_running_loop().create_future())
        if request in self._waiting:
            self._waiting[request].append(job)
        else:
            self._waiting[request] = [job]
            task = asyncio.create_task(self._work(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await job.answer

    async def _work(self, request: Request) -> None:
        """Waits for others, then translates until nothing waits: what comes meanwhile is in the next batch."""
        while jobs := await self._gathered(request):
            start = time.perf_counter()
            results = await self._thread.call(partial(self._translate, jobs, request))
            clients = len(jobs) + len(self._waiting[request])
            self._last[request] = _Last(clients, time.perf_counter() - start)
            for job, result in zip(jobs, results, strict=True):
                if job.answer.done():  # nobody waits any more
                    continue
                if isinstance(result, Exception):
                    job.answer.set_exception(result)
                else:
                    job.answer.set_result(result)
        del self._waiting[request]

    async def _gathered(self, request: Request) -> list[_Job]:
        """The next batch. Clients who were answered soon ask again, so as many as last time are waited for, but no
        longer than a tenth of what that batch took."""
        limits, loop = self._thread.limits, asyncio.get_running_loop()
        last = self._last.get(request, _Last(limits.queue, 0.0))
        end = loop.time() + max(limits.wait_seconds, last.seconds / 10)
        while len(self._waiting[request]) < last.clients and loop.time() < end:
            await asyncio.sleep(limits.wait_seconds / 4)
        return self._next(request)

    def _next(self, request: Request) -> list[_Job]:
        """Jobs for one batch, at least one if any waits."""
        waiting = [job for job in self._waiting[request] if not job.answer.done()]
        ends = list(accumulate(len(job.texts) for job in waiting))
        count = max(1, sum(end <= self._thread.limits.batch_lines for end in ends))
        self._waiting[request] = waiting[count:]
        return waiting[:count]

    def _translate(self, jobs: list[_Job], request: Request) -> list[list[Translation] | Exception]:
        """One result for each job; where one has no translation, only that one fails.

        Equal texts, as of a class that opens the same link, are translated once: no request samples.
        """
        distinct = list(dict.fromkeys((text, job.prefix) for job in jobs for text in job.texts))
        texts, prefixes = [text for text, _ in distinct], [prefix for _, prefix in distinct]
        try:
            found = self.translator.translate_window(texts, request, prefixes=prefixes)
            of = dict(zip(distinct, found, strict=True))
            return [[of[text, job.prefix] for text in job.texts] for job in jobs]
        except UserError as error:
            if len(jobs) == 1:
                return [error]
            return [self._translate([job], request)[0] for job in jobs]
        except Exception as error:
            return [error for _ in jobs]
