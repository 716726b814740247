"""Decoding compared with the peers: same lines and number of updates, greedy and beam 5; two tables of the page."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from bench.decoding import DecodingResult
from bench.jobs import run_job
from bench.machines import OURS
from bench.page import table
from bench.peer_decoding import PeerJob, translate_peer
from bench.peer_settings import TRANSLATING
from bench.plan import Plan, say
from bench.systems import SYSTEMS

BEAMS = (1, 5)
MAX_LENGTH = 60
SYNTHETIC_LENGTH = 15
"""Length of every translation of the synthetic corpus, from which a model cannot learn when to stop."""
AVERAGE = "auto, average"
SEARCHES = {
    "fp32": ("search.precision=fp32", "search.length_penalty=none"),
    "auto": ("search.precision=auto", "search.length_penalty=none"),
    AVERAGE: ("search.precision=auto", "search.length_penalty=average"),
}
"""Search settings. The last is the default, which has to search longer, because a long hypothesis may still win. On the
synthetic corpus, where all translations have the same length, it equals the one before."""


_RANKS = (
    f"At most {MAX_LENGTH} tokens. Beams rank by log p here and in OpenNMT-py (its default), by log p / |Y| in the "
    "column `average` (our default), and by log p / ((5 + |Y|) / 6) in joeynmt (as in its example "
    "configurations).\n\n"
)


class Case(NamedTuple):
    """A row of the speed table."""

    system: str
    beam: int
    batch: int

    def __str__(self) -> str:
        return f"{self.system}, beam {self.beam}, batch {self.batch}"


class Column(NamedTuple):
    """A column of the tables."""

    name: str  # ours, or a peer's
    trained: str = ""  # fp32, bf16; ours alone
    searched: str = ""  # one of SEARCHES; ours alone


Found = Mapping[Case, Mapping[Column, Sequence[DecodingResult]]]


def measure_decoding(plan: Plan) -> Found:
    """Translates with every model, `plan.repeats` times, interleaved."""
    found: dict[Case, dict[Column, list[DecodingResult]]] = {}
    first, *others = plan.precisions
    for _ in range(plan.repeats):
        for case in _cases(plan):
            for column, result in chain(_by_us(plan, case, first), _by_peers(plan, case)):
                found.setdefault(case, {}).setdefault(column, []).append(result)
    for trained in others if plan.reference is not None else ():  # for BLEU only; the speed is the same
        for case, row in found.items():
            if case.batch == max(plan.lines):
                row |= {column: [result] for column, result in _by_us(plan, case, trained)}
    return found


def decoding_rows(found: Found) -> list[dict[str, object]]:
    """The speeds for the record of the machine (bench/machines.py): medians; ours with models trained in fp32."""
    return [
        {
            **case._asdict(),
            "who": f"{OURS}{column.searched}" if column.searched else column.name,
            "sentences_a_second": statistics.median(run.sentences_a_second for run in runs),
        }
        for case, row in found.items()
        for column, runs in row.items()
        if column.trained in ("", "fp32")
    ]


def decoding_section(plan: Plan, found: Found) -> str:
    """Two tables of what was measured: speed and BLEU."""
    first = plan.precisions[0]
    peers = [peer.name for peer in plan.peers if peer.name in TRANSLATING and not plan.is_synthetic]
    text = f"After {plan.updates} updates, seed {plan.seed}. Sentences a second of the processor; medians of "
    text += f"{plan.repeats}; search of our model in fp32 and in {_best(found)}, which `auto` means here.\n\n"
    text += _RANKS if peers else ""
    text += _rates(found, first, peers)
    return text if plan.reference is None else text + "\n" + _bleu(found, plan.precisions, peers)


def _cases(plan: Plan) -> list[Case]:
    return [Case(system, beam, batch) for system in SYSTEMS for beam in BEAMS for batch in plan.lines]


def _by_us(plan: Plan, case: Case, trained: str) -> Iterator[tuple[Column, DecodingResult]]:
    fixed = (f"search.min_length={SYNTHETIC_LENGTH}", f"search.max_length={SYNTHETIC_LENGTH}")
    settings = fixed if plan.is_synthetic else (f"search.max_length={MAX_LENGTH}",)
    job = {"model": plan.model(case.system, trained), "lines": plan.test, "limit": plan.lines[case.batch]}
    job |= {"beam": case.beam, "batch_sentences": case.batch, "reference": plan.reference}
    for searched, search in SEARCHES.items():
        if plan.is_synthetic and searched == AVERAGE:
            continue
        say(f"decoding: ours, {case}, trained in {trained}, searched in {searched}")
        result = run_job("decode", {**job, "settings": (*settings, *search)})
        yield Column("ours", trained, searched), DecodingResult(**result)


def _by_peers(plan: Plan, case: Case) -> Iterator[tuple[Column, DecodingResult]]:
    for peer in plan.translating_peers(case.system):
        say(f"decoding: {peer.name}, {case}")
        job = PeerJob(
            folder=plan.peer_training(case.system).folder(peer),
            updates=plan.updates,
            lines=plan.test,
            limit=plan.lines[case.batch],
            beam=case.beam,
            batch_sentences=case.batch,
            max_length=MAX_LENGTH,
            reference=plan.reference,
        )
        yield Column(peer.name), translate_peer(peer, job)


def _best(found: Found) -> str:
    results = next(iter(found.values()))
    return next(runs[0].precision for column, runs in results.items() if column.searched == "auto")


def _rates(found: Found, trained: str, peers: Sequence[str]) -> str:
    columns = {search: Column("ours", trained, search) for search in SEARCHES}
    tried = {search: column for search, column in columns.items() if any(column in row for row in found.values())}
    ours = {search.replace("auto", f"auto ({_best(found)})"): column for search, column in tried.items()}
    compared = {name: column for name, column in ours.items() if "average" not in name}
    head = ["system", "beam", "batch", *(f"ours, {name}" for name in ours), *peers]
    head += [f"ours, {name} / {peer}" for peer in peers for name in compared]
    rows: list[list[object]] = []
    for case, row in found.items():
        rates = {column: statistics.median(run.sentences_a_second for run in runs) for column, runs in row.items()}
        theirs = [rates.get(Column(peer)) for peer in peers]
        line: list[object] = [*case, *(rates[column] for column in ours.values())]
        line += ["-" if rate is None else rate for rate in theirs]
        line += ["-" if rate is None else rates[column] / rate for rate in theirs for column in compared.values()]
        rows.append(line)
    return table(head, rows)


def _bleu(found: Found, precisions: Sequence[str], peers: Sequence[str]) -> str:
    best = _best(found)
    columns = {
        f"ours, trained in {trained}, searched in {search.replace('auto', f'auto ({best})')}": Column(
            "ours", trained, search
        )
        for trained in precisions
        for search in SEARCHES
    }
    columns |= {peer: Column(peer) for peer in peers}
    batch = max(case.batch for case in found)
    rows = [
        [case.system, case.beam, *(row[column][0].bleu if column in row else "-" for column in columns.values())]
        for case, row in found.items()
        if case.batch == batch
    ]
    return f"BLEU of these translations, batch {batch}:\n\n" + table(["system", "beam", *columns], rows)
