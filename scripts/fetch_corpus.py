"""Downloads a public corpus to data/NAME in the layout of the configs: python scripts/fetch_corpus.py NAME.

    eutrans    -> data/eutrans-es-en   Spanish-English tourist phrases (Amengual et al. 2000), 9,900 pairs
    multi30k   -> data/multi30k        German-English image captions (Elliott et al. 2016), 29,000 pairs
    g2p        -> data/sigmorphon-g2p  words to phones of SIGMORPHON 2021, three languages of 8,000 words, three of 800
    inflection -> data/sigmorphon-inflection  Spanish and Turkish of SIGMORPHON-UniMorph 2023, 10,000 triples each

The files come from fixed commits of the repositories that publish them; see them for the terms of use.
"""

import argparse
import gzip
import sys
import urllib.request
from pathlib import Path
from typing import NamedTuple

SITE = "https://raw.githubusercontent.com"


class Corpus(NamedTuple):
    """The source of a corpus, and the remote and local names of its files."""

    folder: str
    address: str
    files: dict[str, str]  # local name: remote name; files are compressed or decompressed if `.gz` differs


CORPORA = {
    "eutrans": Corpus(
        "eutrans-es-en",
        "lvapeab/nmt-keras/865613dd5d23/examples/EuTrans",
        {
            f"{part}.{side}{'.gz' * (part == 'training')}": f"{part}.{side}"
            for part in ("training", "dev", "test")
            for side in ("es", "en")
        },
    ),
    "multi30k": Corpus(
        "multi30k",
        "multi30k/dataset/a3d2e0d26b56/data/task1/raw",
        {
            f"{part}.{side}{'.gz' * (part == 'train')}": f"{part}.{side}.gz"
            for part in ("train", "val", "test_2016_flickr")
            for side in ("de", "en")
        },
    ),
    "g2p": Corpus(
        "sigmorphon-g2p",
        "sigmorphon/2021-task1/821bcdece5a47820872215969f275004b0abe80c/data",
        {
            f"{language}_{part}.tsv": f"{size}/{language}_{part}.tsv"
            for size, languages in (("medium", ("fre", "dut", "kor")), ("low", ("ady", "ice", "rum")))
            for language in languages
            for part in ("train", "dev", "test")
        },
    ),
    "inflection": Corpus(
        "sigmorphon-inflection",
        "sigmorphon/2023InflectionST/e7f1b325b76b/part1/data",
        {
            name: name
            for name in (f"{language}.{part}" for language in ("spa", "tur") for part in ("trn", "dev", "tst"))
        },
    ),
}


def fetch(corpus: Corpus, root: Path, site: str) -> None:
    """Downloads missing files atomically."""
    folder = root / corpus.folder
    folder.mkdir(parents=True, exist_ok=True)
    for here, there in corpus.files.items():
        path = folder / here
        if path.exists():
            continue
        with urllib.request.urlopen(f"{site}/{corpus.address}/{there}", timeout=60) as answer:
            content = answer.read()
        content = gzip.decompress(content) if there.endswith(".gz") else content
        temporary = path.with_name(f".{here}.tmp")
        temporary.write_bytes(gzip.compress(content, mtime=0) if here.endswith(".gz") else content)
        temporary.replace(path)
        sys.stderr.write(f"{path}\n")


def main() -> None:
    """Command line; one line and exit code 2 if a download fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(CORPORA))
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of all corpora (default: data)")
    parser.add_argument("--site", default=SITE, help="base URL of the repositories (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        fetch(CORPORA[arguments.name], arguments.root, arguments.site)
    except OSError as error:
        sys.stderr.write(f"fetch_corpus: {arguments.name}: expected an answer from {arguments.site}, got {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
