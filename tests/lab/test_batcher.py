"""Lines that come together are translated together, each line once."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from tiny_translators import make_translator

from nmt_attn.errors import DataError
from nmt_attn.lab.batcher import Batcher, Limits, ModelThread
from nmt_attn.options.translation import SearchOptions
from nmt_attn.search.request import Request
from nmt_attn.search.translation import EMPTY_HYPOTHESIS, Translation
from nmt_attn.search.translator import Translator


class Counting(Translator):
    """Notes its batches; `bad` has no translation."""

    def __init__(self, batch_seconds: float) -> None:
        real = make_translator()
        super().__init__(real.model, real.codecs, real.search)
        self.batches: list[list[str]] = []
        self.batch_seconds = batch_seconds

    def translate_window(self, lines: Sequence[str], *args: object, **kwargs: object) -> list[Translation]:
        self.batches.append(list(lines))
        time.sleep(self.batch_seconds)
        if "bad" in lines:
            raise DataError("no translation of 'bad'")
        return [Translation(line, (EMPTY_HYPOTHESIS._replace(text=line.upper()),)) for line in lines]


def run(
    texts: list[str], limits: Limits, apart_seconds: float = 0.0, *, asks: int = 1, batch_seconds: float = 0.0
) -> tuple[list[object], list[list[str]]]:
    """The results of clients that begin so far apart and ask for one text `asks` times in a row, and the batches."""
    translator = Counting(batch_seconds)
    request: Request = translator.request(SearchOptions(beam=1), with_alignments=False)

    async def ask() -> list[object]:
        thread = ModelThread(limits)
        batcher = Batcher(translator, thread)

        async def one(place: int, text: str) -> Translation:
            await asyncio.sleep(apart_seconds * place)
            for _ in range(asks):
                [translation] = await batcher.translate([text], "", request)
            return translation

        try:
            return await asyncio.gather(*(one(*each) for each in enumerate(texts)), return_exceptions=True)
        finally:
            thread.close()

    return asyncio.run(ask()), translator.batches


def test_what_comes_together_is_one_batch() -> None:
    results, batches = run(["a", "b", "c"], Limits())
    assert batches == [["a", "b", "c"]]
    assert [each.text for each in results if isinstance(each, Translation)] == ["A", "B", "C"]


def test_equal_texts_of_a_batch_are_translated_once() -> None:
    results, batches = run(["a", "b", "a", "a"], Limits())
    assert batches == [["a", "b"]]
    assert [each.text for each in results if isinstance(each, Translation)] == ["A", "B", "A", "A"]


def test_clients_that_ask_again_are_soon_in_one_batch() -> None:
    texts = [f"line {number}" for number in range(8)]
    _, batches = run(texts, Limits(), apart_seconds=0.02, asks=5, batch_seconds=0.3)
    assert batches[0] == texts[:1]  # nobody knew that more would come
    assert [sorted(batch) for batch in batches[1:5]] == [texts] * 4
    assert sum(map(len, batches)) == 8 * 5


def test_one_client_alone_waits_for_others_once() -> None:
    slow = Limits(wait_seconds=0.2)
    start = time.perf_counter()
    _, batches = run(["a"], slow, asks=6)
    assert batches == [["a"]] * 6
    assert time.perf_counter() - start < 5 * slow.wait_seconds


@pytest.mark.parametrize("apart", [0.0, 0.002])
def test_every_line_is_translated_once(apart: float) -> None:
    texts = [f"line {number}" for number in range(60)]
    results, batches = run(texts, Limits(batch_lines=7, wait_seconds=0.003), apart)
    assert sorted(line for batch in batches for line in batch) == sorted(texts)
    assert max(map(len, batches)) <= 7
    assert [each.text for each in results if isinstance(each, Translation)] == [text.upper() for text in texts]


def test_one_bad_line_does_not_spoil_the_others() -> None:
    results, _ = run(["a", "bad", "c"], Limits())
    assert [type(each) for each in results] == [Translation, DataError, Translation]
