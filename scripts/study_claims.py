"""Claims of the papers about their systems, in terms of the measurements of scripts/study.py."""

import statistics
from collections.abc import Callable
from typing import NamedTuple


class Result(NamedTuple):
    """One system. Quality is averaged over the seeds; speed is of the first seed."""

    bleu: float
    bleu_of_seeds: tuple[float, ...]
    by_length: dict[str, float]  # BLEU of each bucket that has sentences
    error_rates: tuple[float, ...]  # of argmax links, of each seed; none without attention
    perplexity: float
    parameters: int
    training_minutes: float
    training_tokens_per_second: float  # target tokens
    decoding_sentences_per_second: float


class Claim(NamedTuple):
    """A claim of a paper, and whether the results confirm it."""

    text: str
    needs: tuple[str, ...]
    holds: Callable[[dict[str, Result]], bool]
    measured: Callable[[dict[str, Result]], str]


def fall(result: Result) -> float:
    """BLEU lost from the shortest bucket to the longest."""
    values = list(result.by_length.values())
    return values[0] - values[-1]


def is_better(better: Result, worse: Result) -> bool:
    """True if every seed of `better` has higher BLEU than every seed of `worse`."""
    return min(better.bleu_of_seeds) > max(worse.bleu_of_seeds)


def bleu_of(*names: str) -> Callable[[dict[str, Result]], str]:
    """A function that lists the BLEU of systems."""
    return lambda found: "BLEU: " + ", ".join(f"{name} {found[name].bleu:.2f}" for name in names)


def better_than(better: str, worse: str, text: str) -> Claim:
    """The claim that one system has higher BLEU than another."""
    return Claim(text, (better, worse), lambda found: is_better(found[better], found[worse]), bleu_of(better, worse))


LOCAL_P_AND_OTHERS = ("local-p", "general", "dot", "concat", "location", "local-m")
CLAIMS = [
    Claim(
        "A fixed vector loses with length, attention does not (Bahdanau et al., fig. 2)",
        ("plain", "bahdanau"),
        lambda found: fall(found["plain"]) > 5 * max(fall(found["bahdanau"]), 1),
        lambda found: (
            f"from the shortest to the longest bucket plain loses {fall(found['plain']):.1f} BLEU, "
            f"bahdanau {fall(found['bahdanau']):.1f}"
        ),
    ),
    better_than("bahdanau", "plain", "Attention is better than none (both papers)"),
    better_than("dot", "location", "Attention by content beats attention by location (Luong et al., table 4)"),
    better_than("dot", "general", "With global attention dot beats general (Luong et al., table 4)"),
    better_than("general", "concat", "concat does not work well (Luong et al., section 5.3)"),
    Claim(
        "local-p is the best (Luong et al., table 4)",
        LOCAL_P_AND_OTHERS,
        lambda found: all(is_better(found["local-p"], found[other]) for other in LOCAL_P_AND_OTHERS[1:]),
        bleu_of(*LOCAL_P_AND_OTHERS),
    ),
    Claim(
        "Local attention aligns better than global attention by location (Luong et al., table 6)",
        ("local-m", "local-p", "location"),
        lambda found: all(
            max(found[name].error_rates) < min(found["location"].error_rates) for name in ("local-m", "local-p")
        ),
        lambda found: (
            "error rate: "
            + ", ".join(
                f"{name} {statistics.mean(found[name].error_rates):.3f}" for name in ("local-m", "local-p", "location")
            )
        ),
    ),
    Claim(
        "Local attention costs less than global (Luong et al., section 3.2)",
        ("local-m", "general"),
        lambda found: found["local-m"].training_tokens_per_second > found["general"].training_tokens_per_second,
        lambda found: (
            f"training, target tokens/s: local-m {found['local-m'].training_tokens_per_second:,.0f}, "
            f"general {found['general'].training_tokens_per_second:,.0f}"
        ),
    ),
]
