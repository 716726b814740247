"""Writes docs/worked-example.md: attention by hand, every number shown: python scripts/worked_example.py.

The package computes all numbers: its scores, its Attention and its attentional state; the inputs and outputs of tanh
and softmax are recorded on the way. Nothing is computed twice.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nmt_attn.files import write_text
from nmt_attn.model.attention import Attention
from nmt_attn.model.dropout import Dropout
from nmt_attn.model.luong import AttentionalState
from nmt_attn.model.scores import Concat, Dot, Score, ScoreSizes
from nmt_attn.model.state import Memory
from nmt_attn.model.windows import Global, WindowSizes

WORDS = ("turn", "off", "the", "lights")
TARGET = ("लाइट", "बंद")
UNITS, INNER = 4, 3
ENCODER_STATES = ((0.9, 0.1, -0.2, 0.3), (0.6, -0.4, 0.1, 0.8), (0.1, 0.2, 0.0, -0.1), (-0.3, 0.8, 0.9, 0.2))
DECODER_STATES = ((0.9, 0.1, -0.3, 0.4), (-0.2, 0.8, 0.5, 0.1), (0.6, -0.9, 0.1, 1.1))
SCORE_MATRIX = (
    (-0.9, 1.2, 1.2, 0.3, -0.5, 0.9, 0.9, -0.3),
    (1.2, -0.8, -0.6, 0.9, 0.5, -0.9, 0.1, 1.2),
    (0.3, -0.2, 0.4, 0.1, 0.6, 0.2, -0.5, 0.3),
)
SCORE_VECTOR = (2.0, 2.0, -0.5)
OUTPUT_MATRIX = (
    (0.5, -0.2, 0.1, 0.3, 0.4, 0.1, -0.3, 0.2),
    (-0.1, 0.6, 0.4, -0.2, 0.2, 0.5, 0.1, -0.1),
    (0.3, 0.1, 0.7, -0.4, -0.2, 0.3, 0.6, 0.1),
    (0.2, -0.5, 0.1, 0.8, 0.1, -0.3, 0.2, 0.7),
)

Cells = list[str]

INTRODUCTION = """
# Attention by hand: "Turn off the lights"

<!-- made by scripts/worked_example.py; a test makes it again and recomputes every number -->

A decoder that writes Hindi, लाइट बंद करो, has read *turn off the lights*. Before it writes a word it asks which source
words matter now. This page follows that question with numbers small enough for pencil and paper, first as
Bahdanau et al. 2015 (arXiv 1409.0473v7) ask it, then as Luong et al. 2015 (arXiv 1508.04025) do.

Numbers with one decimal were chosen by hand; in a trained model they are learned. Numbers with four decimals were
computed from them by `nmt_attn` and then rounded. The end of sentence, `</s>`, is left out to keep matrices small.

The encoder has left one state h_j of four numbers for each of the four words:

{encoder_states}

The decoder's own states have four numbers too. s_0 is the one before the first word, s_1 the one after it, and so on.
How a cell computes each from the one before is in A.1.1; here they are given:

{decoder_states}
"""

BAHDANAU = """
## Bahdanau: look, then move

The decoder looks **with the state that it has**, before it moves to the next one: to write word t it asks with
s_{t-1}. The score of source word j is (A.1.2, written as one matrix over the joined vector)

    e_tj = v_a . tanh(W_a [s_{t-1} ; h_j])

[s ; h] is s and h written one after the other: 4 + 4 = 8 numbers. The hidden layer has 3 units, so W_a is 3 x 8 and
v_a has 3 numbers. The paper writes W_a s + U_a h: the left and the right half of the matrix below. That is the same
sum, and it shows why a program computes U_a h_j once per sentence: it does not change from step to step.
"""

LUONG = """
## Luong: move, then look

Luong's decoder **moves first** and looks with the new state: to write word t it asks with s_t. The simplest score has
no parameters at all, the dot product (between eq. 7 and 8):

    score(s_t, h_j) = s_t . h_j

The states are those from above, so the numbers can be compared; a model trained with this score would have learned
others. Note that s_1, with which Bahdanau's decoder looked for its second word, is what Luong's looks with for its
first. What has been seen joins the state at the output, in the attentional state (eq. 5), from which the word is
chosen (eq. 6):

    h~_t = tanh(W_c [c_t ; s_t])

W_c brings the 8 joined numbers back to 4:
"""

CLOSING = """
## What to take along

- A weight is never negative and the four add up to 1: the context is a mixture of encoder states, nothing else.
- Bahdanau's score can weigh and combine what it compares and costs a hidden layer for each pair of words; the dot
  product compares the states as they are and costs one product.
- Padding would be treated before the softmax: its score is set so low that its weight is 0.

The code: the scores are `Concat`, `Additive` and `Dot` in `nmt_attn/model/scores.py`; `Attention` in
`nmt_attn/model/attention.py` does softmax and context for every score; h~ is `AttentionalState` in
`nmt_attn/model/luong.py`. To see the same matrices of a trained model, give
`nmt-attn translate` the option `--alignments FILE.jsonl`.
"""


class Seen(NamedTuple):
    """A recorded call of tanh or softmax."""

    before: Tensor
    after: Tensor


class Watch(TorchFunctionMode):
    """Records inputs and outputs of tanh and softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Seen] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tanh, torch.softmax):
            self.seen[func.__name__] = Seen(args[0], result)
        return result


class Look(NamedTuple):
    """One attention step."""

    watch: dict[str, Seen]
    weights: Tensor  # [S]
    context: Tensor  # [M]


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[1] / "docs" / "worked-example.md"
    parser.add_argument("--output", type=Path, default=default, help="default: docs/worked-example.md")
    write_text(parser.parse_args().output, page())


def page() -> str:
    """The whole page."""
    with torch.no_grad():
        parts = [_introduction(), *_bahdanau(), *_luong(), CLOSING]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _introduction() -> str:
    names = [f"s_{i}" for i in range(len(DECODER_STATES))]
    return INTRODUCTION.format(
        encoder_states=_block("h_j", map(_chosen, ENCODER_STATES), WORDS),
        decoder_states=_block("s_t", map(_chosen, DECODER_STATES), names),
    )


def _bahdanau() -> Iterable[str]:
    score = Concat(_sizes()).double()
    score.projection.weight.copy_(_tensor(SCORE_MATRIX))
    score.vector.copy_(_tensor(SCORE_VECTOR))
    attention = _attention(score)
    yield BAHDANAU
    yield _block("W_a, the part for s | the part for h", map(_halves, SCORE_MATRIX), ("row 1", "row 2", "row 3"))
    yield _block("v_a", [_chosen(SCORE_VECTOR)])
    for step, word in enumerate(TARGET):
        look, query = _look(attention, DECODER_STATES[step]), f"s_{step}"
        inner, softmax = look.watch["tanh"], look.watch["softmax"]
        joined = [(*DECODER_STATES[step], *state) for state in ENCODER_STATES]
        yield f"### Step {step + 1}: which words to look at for {word}"
        yield _block(f"[{query} ; h_j], 4 x 8", map(_halves, joined), WORDS)
        yield f"""Times W_aᵀ (8 x 3): each row above with each row of W_a. The first number is
{_sum_of_products(_chosen(joined[0]), _chosen(SCORE_MATRIX[0]))} = {_computed(inner.before)[0][0]}."""
        yield _block(f"W_a [{query} ; h_j], 4 x 3", _computed(inner.before), WORDS)
        yield _block("tanh of that, 4 x 3", _computed(inner.after), WORDS)
        yield f"""Times v_a (3 x 1): one score for each word. The score of *{WORDS[0]}* is
{_sum_of_products(_computed(inner.after)[0], _chosen(SCORE_VECTOR))} = {_computed(softmax.before)[0][0]}."""
        yield _softmax(f"e_{step + 1}j", softmax, "eq. 6")
        yield _context(step + 1, look, "eq. 5")


def _luong() -> Iterable[str]:
    attention = _attention(Dot(_sizes()))
    attentional = AttentionalState(
        UNITS, UNITS, Dropout(0.0, per_sentence=False), has_tanh=True, use_bias=False
    ).double()
    attentional.projection.weight.copy_(_tensor(OUTPUT_MATRIX))
    rows = [f"row {i}" for i in range(1, UNITS + 1)]
    yield LUONG
    yield _block("W_c, the part for c | the part for s", map(_halves, OUTPUT_MATRIX), rows)
    for step, word in enumerate(TARGET, 1):
        state = _chosen(DECODER_STATES[step])
        look = _look(attention, DECODER_STATES[step])
        softmax = look.watch["softmax"]
        yield f"### Step {step}: which words to look at for {word}"
        yield f"""Four dot products; the first is
{_sum_of_products(state, _chosen(ENCODER_STATES[0]))} = {_computed(softmax.before)[0][0]}."""
        yield _softmax(f"s_{step} . h_j", softmax, "eq. 7")
        yield _context(step, look, "section 3.1")
        with Watch() as watch:
            attentional(look.context, _tensor(DECODER_STATES[step]))
        inner, context = watch.seen["tanh"], _computed(look.context)[0]
        yield "The attentional state (eq. 5) joins the two, the context first:"
        yield _block(f"[c_{step} ; s_{step}]", [[*context, "|", *state]])
        yield f"""Times W_c: the first number is
{_sum_of_products(context + state, _chosen(OUTPUT_MATRIX[0]))} = {_computed(inner.before)[0][0]}."""
        yield _block(f"W_c [c_{step} ; s_{step}]", _computed(inner.before))
        yield _block(f"h~_{step}, tanh of that", _computed(inner.after))


def _sizes() -> ScoreSizes:
    return ScoreSizes(decoder=UNITS, encoder=UNITS, hidden=INNER, positions=1, use_bias=False, project=False)


def _attention(score: Score) -> Attention:
    sizes = WindowSizes(decoder=UNITS, hidden=INNER, half_width=1, sigma=1.0, renormalise=False)
    return Attention(score, Global(sizes), UNITS)


def _look(attention: Attention, query: Sequence[float]) -> Look:
    states, lengths = _tensor(ENCODER_STATES).unsqueeze(0), torch.tensor([len(WORDS)])
    memory = Memory(
        encoder_states=states,
        keys=attention.project_keys(states),
        mask=torch.ones(1, len(WORDS), dtype=torch.bool),
        lengths=lengths,
        source_lengths=lengths,
        read_lengths=lengths,
        final_hidden=(),
        final_cell=(),
    )
    with Watch() as watch:
        context, weights = attention(_tensor(query).view(1, 1, -1), memory, torch.zeros(1, 1, dtype=torch.int64))
    return Look(watch.seen, weights.dense()[0, 0], context[0, 0])


def _softmax(name: str, softmax: Seen, equation: str) -> str:
    scores, weights = (_computed(part.flatten())[0] for part in softmax)
    powers = " + ".join(f"exp({score})" for score in scores)
    return f"""Softmax turns the four scores into weights ({equation}). The weight of *{WORDS[0]}* is
exp({scores[0]}) / ({powers}) = {weights[0]}.

{_block(f"{name} | weight", [[score, "|", weight] for score, weight in zip(scores, weights, strict=True)], WORDS)}"""


def _context(step: int, look: Look, equation: str) -> str:
    weights = _computed(look.weights)[0]
    first = _sum_of_products(weights, _chosen([state[0] for state in ENCODER_STATES]))
    most = WORDS[int(look.weights.argmax())]
    return f"""Most of the weight is on *{most}*. The context is the sum of the encoder states, each times its
weight ({equation}). Its first number is
{first} = {_computed(look.context)[0][0]}.

{_block(f"c_{step}", _computed(look.context))}"""


def _block(title: str, rows: Iterable[Cells], names: Sequence[str] = ("",)) -> str:
    """A matrix as a code block."""
    width = max(len(name) for name in names)
    lines = []
    for name, row in zip(names, rows, strict=True):
        cells = "  ".join(cell if cell == "|" else f"{cell:>7}" for cell in row)
        lines.append(f"{name:{width}}  {cells}")
    return "\n".join(["```text", title, *lines, "```"])


def _chosen(numbers: Sequence[float]) -> Cells:
    """Hand-picked numbers, with one decimal."""
    return [f"{number:.1f}" for number in numbers]


def _computed(numbers: Tensor) -> list[Cells]:
    """Rows of computed numbers, with four decimals."""
    return [[f"{number:.4f}" for number in row] for row in numbers.reshape(-1, numbers.shape[-1]).tolist()]


def _halves(numbers: Sequence[float]) -> Cells:
    """Eight numbers with a bar between the halves."""
    return [*_chosen(numbers[:UNITS]), "|", *_chosen(numbers[UNITS:])]


def _sum_of_products(left: Cells, right: Cells) -> str:
    """`0.9 x 0.1 + ...`: the terms of one number of a product."""
    return " + ".join(f"{a} x {b}" for a, b in zip(left, right, strict=True))


def _tensor(numbers: Any) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


if __name__ == "__main__":
    main()
