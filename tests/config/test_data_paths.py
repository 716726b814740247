"""Relative data paths: beside the configuration first, then in the working directory; a message shows both."""

from pathlib import Path

import pytest

from nmt_attn.config.data_paths import require_files
from nmt_attn.config.file import load_config
from nmt_attn.data.corpus import read_test
from nmt_attn.errors import DataError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration in `project/`, whose files may be there or in the working directory beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").mkdir()
    path = Path("project/mine.yaml")
    path.write_text("data: {root: text, train: {tsv: a.tsv}, valid: {tsv: b.tsv}, test: {tsv: c.tsv}}\n")
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_a_file_beside_the_configuration_comes_first(config: Path) -> None:
    write(Path("project/text/c.tsv"), "beside\tx\n")
    write(Path("text/c.tsv"), "here\tx\n")
    found = load_config(config, [])
    assert found.data.root == "project/text"
    assert read_test(found).pairs[0].source == "beside"


def test_a_file_of_the_working_directory_is_found_too(config: Path) -> None:
    write(Path("text/c.tsv"), "here\tx\n")
    assert load_config(config, []).data.root == "text"
    write(Path("project/text/a.tsv"), "beside\tx\n")
    assert read_test(load_config(config, [])).pairs[0].source == "here"


def test_a_missing_file_is_looked_for_in_two_places(config: Path) -> None:
    message = (
        r"data\.train\.tsv: expected a file, got none at project/text/a\.tsv \(beside project/mine\.yaml\) and none at "
        r"text/a\.tsv \(in the working directory\)"
    )
    with pytest.raises(DataError, match=message):
        require_files(load_config(config, []), config)


def test_one_place_is_left_to_the_reader(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("project")
    require_files(load_config(Path("mine.yaml"), []), Path("mine.yaml"))


def test_a_run_that_has_begun_needs_its_vectors_no_more(config: Path) -> None:
    write(Path("project/text/a.tsv"), "x\ty\n")
    vectors = ["data.valid.tsv=a.tsv", "data.test.tsv=a.tsv", "data.vectors.source=gone.vec"]
    found = load_config(config, vectors)
    with pytest.raises(DataError, match=r"data\.vectors\.source: expected a file, got none"):
        require_files(found, config)
    require_files(found, config, is_new=False)
