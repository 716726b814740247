"""Load on the lab's server: many clients at once on the loopback, every answer checked.

    python scripts/lab_load.py [--clients 200] [--seconds 60] [--model RUN]

Prints requests, wrong and lost ones, the time of a single client and the 95th percentile of all, memory before and
after, and what the server translates in a second beside `nmt-attn translate` on the same sentences. In the middle of a
second, short round the server is killed and started again; clients must see only broken connections.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.lab.examples import shipped_models
from nmt_attn.search.translator import Translator

PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}"


@dataclass
class Result:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # right, wrong, refused, lost

    @property
    def p95(self) -> float:
        """Seconds."""
        return statistics.quantiles(self.seconds, n=20)[-1] if len(self.seconds) > 1 else sum(self.seconds)


def start_server(model: Path | None) -> "subprocess.Popen[bytes]":
    """A server of its own process, ready."""
    chosen = [] if model is None else ["--model", str(model)]
    command = [sys.executable, "-m", "nmt_attn", "serve", "--port", str(PORT), *chosen]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(600):
        try:
            httpx.get(f"{ADDRESS}/healthz", timeout=1)
            return process
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def memory_mb(process: "subprocess.Popen[bytes]") -> float:
    """Resident memory of the server."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def client(http: httpx.AsyncClient, expected: dict[str, str], until: float, result: Result, first: int) -> None:
    """Asks for one sentence after the other."""
    texts = list(expected)
    number = first
    while time.perf_counter() < until:
        text = texts[number % len(texts)]
        number += 1
        start = time.perf_counter()
        try:
            answer = await http.post("/api/translate", json={"text": text})
        except httpx.TransportError:
            result.counts["lost"] += 1
            await asyncio.sleep(0.1)
            continue
        result.seconds.append(time.perf_counter() - start)
        if answer.status_code != 200:
            result.counts["refused"] += 1
        else:
            found = answer.json()["translations"][0]["hypotheses"][0]["text"]
            result.counts["right" if found == expected[text] else "wrong"] += 1


async def load(clients: int, seconds: float, expected: dict[str, str]) -> Result:
    """So many clients for so long."""
    result = Result()
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=ADDRESS, timeout=60, limits=limits) as http:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(http, expected, until, result, first) for first in range(clients)))
    return result


async def killed_in_the_middle(clients: int, expected: dict[str, str], model: Path | None) -> Result:
    """A round of eight seconds; after two of them the server is killed and started anew."""
    process = start_server(model)
    running = asyncio.create_task(load(clients, 8, expected))
    await asyncio.sleep(2)
    process.kill()
    process.wait()
    process = await asyncio.to_thread(start_server, model)
    result = await running
    process.kill()
    return result


async def throughput(texts: list[str]) -> float:
    """Sentences a second through the interface, in requests of 64 of which four run at once."""
    gate = asyncio.Semaphore(4)
    async with httpx.AsyncClient(base_url=ADDRESS, timeout=120) as http:

        async def ask(part: list[str]) -> None:
            async with gate:
                (await http.post("/api/translate", json={"text": part, "beam": 1})).raise_for_status()

        parts = [texts[start : start + 64] for start in range(0, len(texts), 64)]
        await asyncio.gather(*map(ask, parts[:4]))  # packs the matrices
        start = time.perf_counter()
        await asyncio.gather(*map(ask, parts))
        return len(texts) / (time.perf_counter() - start)


def translate_rate(model: Path, texts: list[str]) -> float:
    """Sentences a second of `translate`, without attention weights as the interface gives none either."""
    translator = Translator.load(model)
    list(translator.translate(texts[:256], beam=1, with_alignments=False))
    start = time.perf_counter()
    list(translator.translate(texts, beam=1, with_alignments=False))
    return len(texts) / (time.perf_counter() - start)


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", type=Path, help="a run; by default the first model of the package")
    options = parser.parse_args()
    texts = [pair.source for pair in demo_corpus("train", 2000)]
    with shipped_models() as folders:
        folder = options.model or folders[0]
        translator = Translator.load(folder)
        asked = [text for text in texts if len(text.split()) <= 15][:100]
        found = translator.translate(asked, beam=1, with_alignments=False)
        expected = dict(zip(asked, (each.text for each in found), strict=True))
        alone_rate = translate_rate(folder, texts)
    process = start_server(options.model)
    try:
        rate = asyncio.run(throughput(texts))
        say(f"sentences/s: translate {alone_rate:.0f}, interface {rate:.0f} ({100 * rate / alone_rate:.0f} %)")
        single = asyncio.run(load(1, 3, expected))
        before = memory_mb(process)
        many = asyncio.run(load(options.clients, options.seconds, expected))
        say(f"one client: median {1000 * statistics.median(single.seconds):.1f} ms, p95 {1000 * single.p95:.1f} ms")
        say(f"{options.clients} clients, {options.seconds:g} s: {dict(many.counts)}, p95 {1000 * many.p95:.1f} ms")
        say(f"p95 is {many.p95 / single.p95:.1f} times that of one client")
        say(f"memory: {before:.0f} MB before, {memory_mb(process):.0f} MB after")
    finally:
        process.kill()
        process.wait()
    broken = asyncio.run(killed_in_the_middle(min(50, options.clients), expected, options.model))
    say(f"killed in the middle: {dict(broken.counts)}")


if __name__ == "__main__":
    main()
