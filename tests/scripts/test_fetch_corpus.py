"""The corpus is fetched from a folder that stands in for the site."""

import gzip
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_corpus.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_files_arrive_in_the_layout_of_the_configs(tmp_path: Path) -> None:
    there = tmp_path / "site" / "multi30k" / "dataset" / "a3d2e0d26b56" / "data" / "task1" / "raw"
    there.mkdir(parents=True)
    for part in ("train", "val", "test_2016_flickr"):
        for side in ("de", "en"):
            (there / f"{part}.{side}.gz").write_bytes(gzip.compress(f"{part} {side}\n".encode()))
    result = run("multi30k", "--root", str(tmp_path / "data"), "--site", (tmp_path / "site").as_uri())
    assert result.returncode == 0, result.stderr
    here = tmp_path / "data" / "multi30k"
    assert gzip.decompress((here / "train.de.gz").read_bytes()) == b"train de\n"
    assert (here / "val.en").read_bytes() == b"val en\n"
    assert len(list(here.iterdir())) == 6


def test_words_of_both_sizes_arrive_in_one_folder(tmp_path: Path) -> None:
    there = tmp_path / "site" / "sigmorphon" / "2021-task1" / "821bcdece5a47820872215969f275004b0abe80c" / "data"
    for size, languages in (("medium", ("fre", "dut", "kor")), ("low", ("ady", "ice", "rum"))):
        (there / size).mkdir(parents=True)
        for name in (f"{language}_{part}.tsv" for language in languages for part in ("train", "dev", "test")):
            (there / size / name).write_text(f"{size} {name}\n")
    result = run("g2p", "--root", str(tmp_path / "data"), "--site", (tmp_path / "site").as_uri())
    assert result.returncode == 0, result.stderr
    here = tmp_path / "data" / "sigmorphon-g2p"
    assert len(list(here.iterdir())) == 18
    assert (here / "rum_dev.tsv").read_text() == "low rum_dev.tsv\n"


def test_no_answer_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = run("eutrans", "--root", str(tmp_path), "--site", (tmp_path / "nowhere").as_uri())
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "nowhere" in result.stderr
    assert list((tmp_path / "eutrans-es-en").iterdir()) == []
