"""Batcher: translations that are asked for within a few milliseconds are made in one batch.

All work on models is done by one thread, in the order of arrival, so that nothing else runs while a step is traced.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
    wait_seconds: float = 0.003  # for others of the same batch
    batch_lines: int = 256


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


class _Line(NamedTuple):
    text: str
    prefix: str
    answer: "asyncio.Future[Translation]"


class Batcher:
    """The translations of one translator."""

    def __init__(self, translator: Translator, thread: ModelThread) -> None:
        self.translator = translator
        self._thread = thread
        self._waiting: dict[Request, list[_Line]] = {}
        self._flushes = set[asyncio.Task[None]]()

    async def translate(self, text: str, prefix: str, request: Request) -> Translation:
        """The translation of a line. Raises UserError as `Translator.translate_window` does."""
        line = _Line(text, prefix, asyncio.get_running_loop().create_future())
        waiting = self._waiting.setdefault(request, [])
        waiting.append(line)
        if len(waiting) == 1:
            flush = asyncio.create_task(self._flush(request))
            self._flushes.add(flush)
            flush.add_done_callback(self._flushes.discard)
        return await line.answer

    async def translate_all(self, texts: list[str], prefix: str, request: Request) -> list[Translation]:
        """The same of several lines, in order."""
        return list(await asyncio.gather(*(self.translate(text, prefix, request) for text in texts)))

    async def _flush(self, request: Request) -> None:
        """Waits for others, then translates until nothing waits: what comes meanwhile is the next batch."""
        await asyncio.sleep(self._thread.limits.wait_seconds)
        while lines := [line for line in self._waiting[request] if not line.answer.cancelled()]:
            size = self._thread.limits.batch_lines
            batch, self._waiting[request] = lines[:size], lines[size:]
            results = await self._thread.call(lambda batch=batch: self._translate(batch, request))  # type: ignore[misc]
            for line, result in zip(batch, results, strict=True):
                if line.answer.cancelled():
                    continue
                if isinstance(result, Translation):
                    line.answer.set_result(result)
                else:
                    line.answer.set_exception(result)
        del self._waiting[request]

    def _translate(self, lines: list[_Line], request: Request) -> list[Translation | Exception]:
        """One result for each line; where one has no translation, only that one fails."""
        try:
            texts, prefixes = [line.text for line in lines], [line.prefix for line in lines]
            return list(self.translator.translate_window(texts, request, prefixes=prefixes))
        except UserError as error:
            if len(lines) == 1:
                return [error]
            return [self._translate([line], request)[0] for line in lines]
        except Exception as error:
            return [error for _ in lines]
