"""The record of a machine, its peers' configurations and the tables of several machines, by hand; no peer is run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SCRIPTS = Path(__file__).parents[2] / "scripts"
CPUINFO = """processor : 0
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_vnni
processor : 1
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_vnni
"""


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_a_processor_is_its_name_and_the_instructions_of_products() -> None:
    from bench.machine import parse_processor

    assert parse_processor(CPUINFO) == ("AMD EPYC", "family 25, model 17", ("avx2", "avx512f", "avx512_vnni"))
    arm = parse_processor("processor : 0\nFeatures\t: fp asimd i8mm bf16\n")
    assert arm.flags == ("asimd", "i8mm", "bf16")
    assert arm.name
    assert arm.model == ""


@pytest.mark.parametrize(("ours", "everyone", "share"), [(20.0, 20.0, 0.0), (20.0, 35.0, 0.375), (21.0, 20.0, 0.0)])
def test_what_neighbours_had_of_all_cores(ours: float, everyone: float, share: float) -> None:
    """Two cores for 20 seconds are 40 of the processor; (35 - 20) / 40 = 0.375."""
    from bench.machine import Busy, neighbours_share

    assert neighbours_share(Busy(5.0, 1.0, 100.0), Busy(25.0, 1.0 + ours, 100.0 + everyone), 2) == pytest.approx(share)


def test_a_busy_processor_is_seen() -> None:
    from bench.machine import busy, describe

    start = busy()
    while busy().ours < start.ours + 0.05:
        pass
    end = busy()
    record = describe(start, end)
    assert json.loads(json.dumps(record))["cores"] >= 1
    assert 0.0 <= record["neighbours_share"] <= 1.0
    assert end.all == 0 or end.all >= start.all


def trained(who: str, rate: float, peak: float) -> dict[str, Any]:
    row = {"system": "luong", "who": who, "tokens_a_second": rate, "peak_mebibytes": peak, "cpu_share": 1.0}
    return row | ({"flops_a_second": 0.2e9 * rate} if who.startswith("ours") else {})


def test_machines_stand_side_by_side_with_ours_over_the_best_peer(tmp_path: Path) -> None:
    from bench.machines import machines_section, save

    machine = {"name": "EPYC", "flags": ["avx2"], "cores": 2, "threads": 1, "load": 0.5}
    rows = [trained("opennmt", 500.0, 400.0), trained("ours, fp32", 1000.0, 300.0), trained("eole", 800.0, 600.0)]
    search = {"system": "luong", "beam": 5, "batch": 32, "who": "ours, auto", "sentences_a_second": 90.0}
    one = {"machine": machine, "ceiling": {"fp32": 2.5e11, "bf16": None}, "training": rows, "decoding": [search]}
    two = {"machine": machine, "ceiling": {"fp32": 8e10}, "training": [trained("ours, fp32", 40.0, 1.0)]}
    save(tmp_path, "b-two", two)
    assert json.loads(save(tmp_path, "a-one", one).read_text()) == one
    text = machines_section(tmp_path)
    assert "| peak fp32, GFLOP/s | 250 | 80 |" in text
    assert "| peak bf16, GFLOP/s | - | - |" in text
    assert "| luong | ours, fp32 | 80 % | 10 % |" in text  # 1,000 x 0.2 GFLOP of 250, 40 x 0.2 of 80
    training, _, memory = re.split("Training, floating-point|Training, peak", text.split("Training, target")[1])
    assert [line for line in training.split("\n") if line.startswith("| luong")] == [
        "| luong | ours, fp32 | 1,000 | 40 |",
        "| luong | eole | 800 | - |",
        "| luong | opennmt | 500 | - |",
        "| luong | ours, fp32 / fastest peer | 1.25 | - |",
    ]
    assert "| luong | ours, fp32 / smallest peer | 0.75 | - |" in memory
    assert "| luong | 5 | 32 | ours, auto | 90 | - |" in text


def test_the_committed_machines_are_on_the_page() -> None:
    """What docs/benchmarks.md says of them is what their files say."""
    from bench.machines import machines_section

    page = SCRIPTS.parent / "docs" / "benchmarks.md"
    section = page.read_text().partition("<!-- measured: machines -->\n")[2].partition("\n<!-- end: machines -->")[0]
    assert section == machines_section(page.with_suffix("")).strip()


def training(tmp_path: Path, system: str) -> Any:
    from bench.peer_settings import PeerTraining
    from bench.systems import Corpus

    (tmp_path / "s").write_text("a b\nb\n")
    (tmp_path / "t").write_text("x\ny b\n")
    return PeerTraining(system, Corpus(tmp_path / "s", tmp_path / "t", tmp_path), updates=7, seed=3)


def test_every_peer_has_a_command_for_each_of_its_systems(tmp_path: Path) -> None:
    from bench.peer_settings import ARGUMENTS, MODELS, TRANSLATING, VARIANTS
    from bench.systems import ALL_SYSTEMS

    assert set(ARGUMENTS) == set(VARIANTS)
    assert set(TRANSLATING) == set(MODELS) <= set(VARIANTS)
    for name, systems in VARIANTS.items():
        for system in systems:
            assert system in ALL_SYSTEMS
            (tmp_path / name).mkdir(exist_ok=True)
            assert all(isinstance(part, str) for part in ARGUMENTS[name](training(tmp_path, system), tmp_path / name))


def test_marian_gets_the_words_of_both_sides_after_its_own(tmp_path: Path) -> None:
    from bench.peer_settings import marian

    arguments = marian(training(tmp_path, "conditional"), tmp_path)
    # b comes three times, then by the alphabet
    words = {"</s>": 0, "<unk>": 1, "b": 2, "a": 3, "x": 4, "y": 5}
    assert yaml.safe_load((tmp_path / "words.yml").read_text()) == words
    at = arguments.index("--train-sets")
    assert arguments[at + 1 : at + 3] == [str(tmp_path / "s"), str(tmp_path / "t")]
    assert arguments[arguments.index("--mini-batch") + 1] == "64"


def test_yoyodyne_gets_a_table_of_pairs(tmp_path: Path) -> None:
    from bench.peer_settings import yoyodyne

    assert yoyodyne(training(tmp_path, "bahdanau"), tmp_path)[:2] == ["yoyodyne", "fit"]
    assert (tmp_path / "train.tsv").read_text() == "a b\tx\nb\ty b\n"


def test_rates_lie_between_two_updates_of_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 sentences of 2 and 3 tokens with `</s>`: one batch in the real size is made of 64 lines."""
    from bench import peers
    from bench.peer_settings import Peer

    job = training(tmp_path, "conditional")
    (tmp_path / "t").write_text("x\n" * 64 + "x y\n" * 64)  # batches of 128 and of 192 tokens, in turn
    (tmp_path / "s").write_text("a\n" * 128)
    measured = {"steps": [[2, 99.0, 10.0], [7, 50.0, 20.0]], "peak_mebibytes": 5.0, "cpu_share": 0.5}
    monkeypatch.setattr(peers, "run_peer", lambda *given, **keys: measured)
    found = peers.train_peer(Peer("marian", Path("p")), job, warm_up=2)
    assert found == ((128 + 192 + 128 + 192 + 128) / 10.0, 5.0, 0.5)


def test_operations_of_two_cells_by_hand() -> None:
    """GRUs of 512, 3 x 512 gates: cell 1 sees a word, 256, and its state; cell 2 the context, 1,024, and its state."""
    from bench.flops import Shape, forward_flops
    from bench.systems import Corpus, configuration

    model = configuration("conditional", Corpus(Path("a"), Path("b"), Path("c")), 1).model
    found = forward_flops(model, Shape(sentences=2, source_length=3, target_length=5, target_tokens=7, words=11))
    assert found["encoder"] == 2 * (2 * 2 * 3 * (256 + 512) * 1536)
    assert found["decoder"] == 2 * (2 * 5 * (256 + 512 + 1024 + 512) * 1536 + 2 * 5 * (1024 + 512 + 256) * 512)
