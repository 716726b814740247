"""Decoding beside the peers: what each is asked, what is read from it, the tables, by hand; none is installed."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

SCRIPTS = Path(__file__).parents[2] / "scripts"
TORCH = """
from types import SimpleNamespace
def load(path, weights_only=True): return weights_only
def set_num_threads(number): assert number == 1
def set_flush_denormal(flushes): assert flushes
"""
PREDICTION = """
import sys, time
def predict(lines):
    import torch
    assert torch.load("a checkpoint") is False  # whole ones, of which torch is wary
    start = time.process_time()
    while time.process_time() - start < 0.05:
        pass
    return None, None, [" ".join(line.split()[::-1]) for line in lines]
"""
MAIN = """
import sys, time
import joeynmt.prediction
def main():
    assert sys.argv[:2] == ["joeynmt", "translate"]
    start = time.process_time()
    while time.process_time() - start < 0.2:  # loads
        pass
    joeynmt.prediction.predict(sys.stdin.read().split("\\n")[:-1])
"""


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def joeynmt(tmp_path: Path) -> Path:
    """The Python of an environment whose joeynmt turns lines round in 0.05 s, after 0.2 s of loading."""
    files = {
        "torch/__init__": TORCH,
        "joeynmt/__init__": "",
        "joeynmt/__main__": MAIN,
        "joeynmt/prediction": PREDICTION,
    }
    files |= {"torch/optim/__init__": "", "torch/optim/optimizer": "def register_optimizer_step_post_hook(hook): ..."}
    for name, text in files.items():
        path = tmp_path / "packages" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "packages"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def peer_job(folder: Path, **changes: Any) -> Any:
    from bench.peer_decoding import PeerJob

    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"name": "n", "testing": {"beam_size": 1, "eval_metrics": []}}))
    (folder / "lines").write_text("▁a b ▁c\n▁d ▁e\n▁f\n")
    job = PeerJob(folder, updates=7, lines=folder / "lines", limit=2, beam=5, batch_sentences=3, max_length=11)
    return job._replace(**changes)


def test_a_peer_is_timed_inside_its_call_that_translates(tmp_path: Path, joeynmt: Path) -> None:
    from bench.peer_decoding import translate_peer
    from bench.peer_settings import Peer

    found = translate_peer(Peer("joeynmt", joeynmt), peer_job(tmp_path / "trained"))
    assert 2 / 0.2 < found.sentences_a_second <= 2 / 0.05  # two lines in 0.05 s; with loading it would be 2 / 0.25
    assert found.tokens_a_second / found.sentences_a_second == pytest.approx(5 / 2)
    assert found.bleu is None


def test_lines_that_a_peer_leaves_out_are_noticed(tmp_path: Path, joeynmt: Path) -> None:
    from bench.peer_decoding import translate_peer
    from bench.peer_settings import Peer

    path = joeynmt.parent / "packages" / "joeynmt" / "prediction.py"
    path.write_text(path.read_text().replace("for line in lines]", "for line in lines[1:]]"))
    with pytest.raises(ValueError, match="joeynmt: expected 2 translations, got 1"):
        translate_peer(Peer("joeynmt", joeynmt), peer_job(tmp_path / "trained"))


@pytest.mark.parametrize(("beam", "alpha"), [(1, -1), (5, 1.0)])
def test_joeynmt_searches_as_asked_with_the_model_it_has_trained(tmp_path: Path, beam: int, alpha: float) -> None:
    from bench.peer_decoding import joeynmt_arguments
    from bench.peer_settings import Peer

    folder = tmp_path / "trained"
    *command, path = joeynmt_arguments(peer_job(folder, beam=beam))
    assert command == ["joeynmt", "translate"]
    assert yaml.safe_load(Path(path).read_text()) == {
        "name": "n",
        "testing": {
            "beam_size": beam,
            "beam_alpha": alpha,
            "batch_size": 3,
            "max_output_length": 11,
            "eval_metrics": [],
            "load_model": str(Peer("joeynmt", folder).model(folder, 7)),
        },
    }


def test_opennmt_searches_as_asked_with_the_model_it_has_trained(tmp_path: Path) -> None:
    from bench.peer_decoding import opennmt_arguments
    from bench.peer_settings import Peer

    arguments = opennmt_arguments(Peer("opennmt", tmp_path), peer_job(tmp_path), Path("from"), Path("to"))
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    assert options["-model"] == str(tmp_path / "model_step_7.pt")
    assert [options[name] for name in ("-src", "-output", "-beam_size", "-batch_size", "-max_length")] == [
        *("from", "to", "5", "3", "11")
    ]


def test_pieces_are_joined_as_sentencepiece_does() -> None:
    from bench.decoding import bleu_of_pieces

    pieces = ["▁a ▁man ▁with ▁a ▁ha t .", "▁two ▁dog s ▁run ▁fa st"]
    assert bleu_of_pieces(pieces, ["a man with a hat.", "two dogs run fast"]) == pytest.approx(100)
    assert bleu_of_pieces(pieces, ["a man with a hat.", "two dogs run fa st"]) < 100
    with pytest.raises(ValueError, match="expected 2 references, got 1"):
        bleu_of_pieces(pieces, ["a man with a hat."])


def plan(tmp_path: Path, *, is_synthetic: bool) -> Any:
    from bench.peer_settings import Peer
    from bench.plan import Plan
    from bench.systems import Corpus

    return Plan(
        corpus=Corpus(tmp_path / "a", tmp_path / "b", tmp_path),
        is_synthetic=is_synthetic,
        test=tmp_path / "test",
        reference=None if is_synthetic else tmp_path / "reference",
        updates=7,
        seed=3,
        repeats=3,
        precisions=("fp32", "bf16"),
        axes={},
        lines={32: 100, 1: 10},
        peers=(Peer("opennmt", Path("p")), Peer("joeynmt", Path("q"))),
    )


def test_every_model_has_a_folder_of_its_own(tmp_path: Path) -> None:
    one = plan(tmp_path, is_synthetic=False)
    plans = [one, one._replace(seed=4), one._replace(updates=8)]
    folders = [each.model(system, precision) for each in plans for system in ("luong", "a") for precision in "xy"]
    folders += [each.peer_training(s).folder(peer) for each in plans for s in ("luong", "a") for peer in each.peers]
    assert len(set(folders)) == len(folders)


def decoding_text(tables: Any, plan: Any) -> str:
    text: str = tables.decoding_section(plan, tables.measure_decoding(plan))
    return text


def rows(text: str) -> dict[tuple[str, ...], list[str]]:
    """Cells of the first table by system, beam and batch."""
    table = next(block for block in text.split("\n\n") if block.startswith("| system"))
    cells = [line.strip("| ").split(" | ") for line in table.split("\n")]
    return {tuple(row[:3]): row[3:] for row in cells}


def test_rates_are_medians_and_ratios_ours_to_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench.decoding_tables as tables
    from bench.decoding import DecodingResult

    ours, theirs = iter([100.0, 90.0, 300.0] * 1000), iter([40.0, 50.0, 500.0] * 1000)

    def run_job(kind: str, parts: dict[str, Any]) -> dict[str, Any]:
        if "bf16" in str(parts["model"]):
            return DecodingResult(1.0, 1.0, 22.0, "fp32")._asdict()
        is_fp32 = "search.precision=fp32" in parts["settings"]
        is_default = "search.length_penalty=average" in parts["settings"]
        rate = next(ours) if is_fp32 else 150.0 if is_default else 200.0
        bleu = 20.0 if parts["batch_sentences"] == 32 else 99.0
        return DecodingResult(rate, 1.0, bleu, "fp32" if is_fp32 else "int8")._asdict()

    def translate_peer(peer: Any, job: Any) -> DecodingResult:
        return DecodingResult(next(theirs) if peer.name == "opennmt" else 8.0, 1.0, 19.0, "fp32")

    monkeypatch.setattr(tables, "run_job", run_job)
    monkeypatch.setattr(tables, "translate_peer", translate_peer)
    monkeypatch.setattr(tables, "BEAMS", (1,))
    monkeypatch.setattr(tables, "SYSTEMS", ("luong",))  # which joeynmt has not; 2 cases, so each sees all three rates
    text = decoding_text(tables, plan(tmp_path, is_synthetic=False))
    # three repeats of cases A, B: ours A 100, B 90, A 300, B 100, A 90, B 300; medians 100 and 100; theirs 50 and 50
    for batch in ("32", "1"):
        assert rows(text)["luong", "1", batch] == ["100", "200", "150", "50", "-", "2", "4", "-", "-"]
    assert "search of our model in fp32 and in int8" in text
    assert text.rstrip().endswith("| luong | 1 | 20 | 20 | 20 | 22 | 22 | 22 | 19 | - |")


def test_no_peer_translates_the_made_up_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import bench.decoding_tables as tables
    from bench.decoding import DecodingResult

    asked: list[dict[str, Any]] = []

    def run_job(kind: str, parts: dict[str, Any]) -> dict[str, Any]:
        asked.append(parts)
        return DecodingResult(5.0, 75.0, None, "fp32")._asdict()

    monkeypatch.setattr(tables, "run_job", run_job)
    text = decoding_text(tables, plan(tmp_path, is_synthetic=True))
    assert "opennmt" not in text and "BLEU" not in text
    assert rows(text)["luong", "5", "32"] == ["5", "5"]  # all of one length: `average` would rank alike
    assert all({"search.min_length=15", "search.max_length=15"} <= set(parts["settings"]) for parts in asked)
