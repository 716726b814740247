"""Load on the lab's server: many clients at once on the loopback, every answer checked.

    python scripts/lab_load.py [--clients 200] [--seconds 60] [--model RUN]

Prints requests, wrong and lost ones, the time of a single client and the 95th percentile of all, memory before and
after, and what the server translates in a second beside `nmt-attn translate` on the same sentences. In the middle of a
second, short round the server is killed and started again; clients must see only broken connections.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nmt_attn.demo.corpus import demo_corpus
from nmt_attn.lab.examples import shipped_models
from nmt_attn.memory import SEARCH_PROGRAMS, prepare_memory
from nmt_attn.search.translator import Translator

PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}"
AT_ONCE = 16


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


def cpu_seconds(process: "subprocess.Popen[bytes]") -> float:
    """That the server has used: what a busy machine does not change."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(process: "subprocess.Popen[bytes]") -> float:
    """Resident memory of the server."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Connection:
    """One client that stays connected: little beside the two sockets, so that it is the server that is measured."""

    def __init__(self) -> None:
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        """Status and answer. Raises OSError, EOFError if the connection breaks."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", PORT)
        reader, writer = self._streams
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
            return int(lines[0].split()[1]), json.loads(await reader.readexactly(length))
        except (OSError, EOFError):
            self.close()
            raise

    def close(self) -> None:
        """The next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def client(expected: dict[str, str], until: float, result: Result, first: int) -> None:
    """Asks for one sentence after the other."""
    texts, connection, number = list(expected), Connection(), first
    while time.perf_counter() < until:
        text = texts[number % len(texts)]
        number += 1
        start = time.perf_counter()
        try:
            status, answer = await connection.post("/api/translate", {"text": text})
        except (OSError, EOFError):
            result.counts["lost"] += 1
            await asyncio.sleep(0.1)
            continue
        result.seconds.append(time.perf_counter() - start)
        if status != 200:
            result.counts["refused"] += 1
        else:
            found = answer["translations"][0]["hypotheses"][0]["text"]
            result.counts["right" if found == expected[text] else "wrong"] += 1
    connection.close()


async def load(clients: int, seconds: float, expected: dict[str, str]) -> Result:
    """N clients for a number of seconds."""
    result = Result()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(client(expected, until, result, first) for first in range(clients)))
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
    process.wait()
    return result


async def throughput(texts: list[str]) -> float:
    """Sentences a second through the interface, in requests of 64 of which sixteen run at once."""
    parts = [texts[start : start + 64] for start in range(0, len(texts), 64)]

    async def ask(parts: list[list[str]]) -> None:
        connection = Connection()
        for part in parts:
            status, answer = await connection.post("/api/translate", {"text": part})
            if status != 200:
                raise SystemExit(f"expected translations, got {status}: {answer['error']}")
        connection.close()

    start = time.perf_counter()
    await asyncio.gather(*(ask(parts[first::AT_ONCE]) for first in range(AT_ONCE)))
    return len(texts) / (time.perf_counter() - start)


def translate_seconds(model: Path, texts: list[str]) -> float:
    """CPU seconds of `translate`, without attention weights as the interface gives none either."""
    translator = Translator.load(model)
    list(translator.translate(texts, beam=1, with_alignments=False))  # compiles products
    start = time.process_time()
    list(translator.translate(texts, beam=1, with_alignments=False))
    return time.process_time() - start


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
    prepare_memory(SEARCH_PROGRAMS)  # as `translate` and the server do
    # The server translates equal texts once: none is asked for twice.
    texts = list(dict.fromkeys(pair.source for pair in demo_corpus("train", 2500)))
    with shipped_models() as folders:
        folder = options.model or folders[0]
        translator = Translator.load(folder)
        asked = [text for text in texts if len(text.split()) <= 15][:100]
        found = translator.translate(asked, beam=1, with_alignments=False)
        expected = dict(zip(asked, (each.text for each in found), strict=True))
        alone = translate_seconds(folder, texts)
    process = start_server(options.model)
    try:
        asyncio.run(throughput(texts))  # packs matrices, compiles products
        used = cpu_seconds(process)
        rate = asyncio.run(throughput(texts))
        used = cpu_seconds(process) - used
        per_sentence = [1000 * seconds / len(texts) for seconds in (alone, used)]
        say("CPU ms a sentence: translate {:.2f}, interface {:.2f}".format(*per_sentence))
        say(f"that is {100 * alone / used:.0f} % of translate's rate; {rate:.0f} sentences/s on this machine as it is")
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
