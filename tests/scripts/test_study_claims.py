"""The study's claims: when one counts as confirmed, on results made up for it."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from study_claims import CLAIMS, Claim, Result


def result(*bleu: float, shortest: float = 99.0, longest: float = 97.0, error_rates: tuple[float, ...] = ()) -> Result:
    """A system with BLEU of each seed."""
    mean = sum(bleu) / len(bleu)
    return Result(mean, bleu, {"1-10": shortest, ">60": longest}, error_rates, 1.1, 1000, 2.0, 10_000, 100)


def claim(part: str) -> Claim:
    [found] = [each for each in CLAIMS if part in each.text]
    return found


@pytest.mark.parametrize(
    ("dot", "general", "is_confirmed"),
    [((97.0, 96.5), (96.0, 95.0), True), ((97.0, 96.5), (96.8, 95.0), False), ((95.0, 94.0), (97.0, 96.0), False)],
)
def test_better_is_better_with_every_seed(
    dot: tuple[float, ...], general: tuple[float, ...], is_confirmed: bool
) -> None:
    found = {"dot": result(*dot), "general": result(*general)}
    assert claim("dot beats general").holds(found) is is_confirmed


@pytest.mark.parametrize(("longest", "is_confirmed"), [(95.0, True), (79.0, False)])
def test_attention_must_lose_far_less_than_the_fixed_vector(longest: float, is_confirmed: bool) -> None:
    # the fixed vector loses 60; a fifth of that is 12, attention loses 4 or 20
    found = {"plain": result(20, shortest=80, longest=20), "bahdanau": result(98, longest=longest)}
    assert claim("A fixed vector loses").holds(found) is is_confirmed
    assert f"plain loses 60.0 BLEU, bahdanau {99 - longest:.1f}" in claim("A fixed vector loses").measured(found)


def test_the_best_is_better_than_each_other() -> None:
    names = claim("local-p is the best").needs
    others = {name: result(90.0, 91.0) for name in names}
    assert claim("local-p is the best").holds({**others, "local-p": result(92.0, 91.5)})
    assert not claim("local-p is the best").holds({**others, "local-p": result(92.0, 91.5), "dot": result(91.7, 80.0)})


def test_alignments_are_compared_seed_by_seed() -> None:
    local, rough = result(90, error_rates=(0.1, 0.2)), result(90, error_rates=(0.3, 0.15))
    assert not claim("aligns better").holds({"local-m": local, "local-p": local, "location": rough})
    worse = result(90, error_rates=(0.3, 0.25))
    assert claim("aligns better").holds({"local-m": local, "local-p": local, "location": worse})
