"""Segmentations by chance: their probabilities, their limits, and the same draws in every process."""

import itertools
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nmt_attn.config.tokenizer_section import TokenizerConfig
from nmt_attn.data.subwords import SubwordSampling, learn_sentencepiece
from nmt_attn.data.tokenizer import SentencePiece, TextOptions

SOURCE = ["der hund bellt laut", "die katze schläft", "hunde bellen", "die hunde schlafen gern"]
TARGET = ["the dog barks loudly", "the cat sleeps", "dogs bark", "the dogs like to sleep"]
UNSEEN = ["", "zqzq", "der xylofon Hund", "日本 dog 語"]


def tokenizer(algorithm: str) -> SentencePiece:
    settings = TokenizerConfig.model_validate({"kind": "sentencepiece", "algorithm": algorithm, "vocab_size": 37})
    return SentencePiece(TextOptions(), learn_sentencepiece([*SOURCE, *TARGET] * 3, settings, "text"))


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_unigram_draws_by_the_smoothed_probability_of_each_way(alpha: float) -> None:
    """P(x | X) proportional to P(x)^alpha over all ways to cut X; Kudo 2018, eq. 8."""
    cut = tokenizer("unigram")
    scores = {piece: cut.processor.get_score(i) for i, piece in enumerate(cut.tokens) if i > 3}
    text, ways = "▁dog", {}
    for marks in itertools.product([False, True], repeat=len(text) - 1):
        bounds = [0, *(i for i, is_cut in enumerate(marks, 1) if is_cut), len(text)]
        pieces = tuple(text[a:b] for a, b in itertools.pairwise(bounds))
        if all(piece in scores for piece in pieces):
            ways[pieces] = math.exp(alpha * sum(scores[piece] for piece in pieces))
    assert len(ways) > 1
    draws = 4000
    found = Counter(tuple(cut.sample("dog", SubwordSampling("unigram", alpha, None), seed)) for seed in range(draws))
    for pieces, weight in ways.items():
        # the standard deviation of a share of 4,000 is at most 0.008
        assert found[pieces] / draws == pytest.approx(weight / sum(ways.values()), abs=0.03)


def test_unigram_can_be_kept_to_the_best_ways() -> None:
    cut = tokenizer("unigram")
    best = {tuple(way) for way in cut.processor.nbest_encode(SOURCE[0], nbest_size=3, out_type=str)}
    drawn = {tuple(cut.sample(SOURCE[0], SubwordSampling("unigram", 0.0, 3), seed)) for seed in range(100)}
    assert drawn == best


def test_bpe_leaves_merges_out() -> None:
    cut = tokenizer("bpe")
    whole, letters = cut.encode(SOURCE[0]), list("▁" + SOURCE[0].replace(" ", "▁"))
    assert {tuple(cut.sample(SOURCE[0], SubwordSampling("bpe", 1e-9, None), seed)) for seed in range(9)} == {
        tuple(whole)
    }
    sizes = [
        np.mean([len(cut.sample(SOURCE[0], SubwordSampling("bpe", alpha, None), seed)) for seed in range(200)])
        for alpha in (0.1, 0.5, 0.9)
    ]
    assert len(whole) < sizes[0] < sizes[1] < sizes[2] <= len(letters)


@pytest.mark.parametrize("text", [*SOURCE, *TARGET, *UNSEEN])
@pytest.mark.parametrize("sampling", [SubwordSampling("unigram", 50.0, None), SubwordSampling("bpe", 0.0, None)])
def test_without_chance_it_is_what_sentencepiece_cuts(text: str, sampling: SubwordSampling) -> None:
    """With P^50 the best way has nearly all the weight; the best ways of these texts are no ties."""
    cut = tokenizer(sampling.algorithm)
    assert cut.sample(text, sampling, seed=1) == cut.encode(text)


def draw_of_each_algorithm() -> str:
    drawn = [tokenizer(name).sample(SOURCE[0], SubwordSampling(name, 0.4, None), 12) for name in ("unigram", "bpe")]
    return f"{drawn}\n"


def test_another_process_draws_the_same() -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", "import test_subwords as t; print(t.draw_of_each_algorithm(), end='')"]
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}", "PYTHONHASHSEED": "7"}
    ended = subprocess.run(command, check=True, capture_output=True, env=environment)
    assert ended.stdout.decode() == draw_of_each_algorithm()


@pytest.mark.parametrize(("character", "name"), [("\u2585", "U+2585"), ("\0", "NUL")])
@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_a_line_with_a_reserved_character_is_learned_without_it_and_told(
    algorithm: str, character: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = TokenizerConfig.model_validate({"kind": "sentencepiece", "algorithm": algorithm, "vocab_size": 27})
    lines = [f"wax quiz {character} jump", "the dog barks", f"vex{character}"] * 3
    model = learn_sentencepiece(lines, settings, "data.train")
    found = SentencePiece(TextOptions(), model)
    pieces = found.encode(f"wax quiz {character}")
    assert [piece for piece in pieces if piece not in found.tokens] == [character]
    assert capfd.readouterr().err == (
        f"note: data.train: 6 lines with {name}, for which SentencePiece has no piece, are learned without it "
        "(as <unk>)\n"
    )
    assert found.decode(pieces) == f"wax quiz {character}"
