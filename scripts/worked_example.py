"""Writes docs/worked-example.md: attention by hand, every number shown: python scripts/worked_example.py.

The package computes all numbers (scripts/pages/hand_numbers.py); the drawings are written by scripts/learn_pages.py.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from pages.hand_cards import cards, matrix
from pages.hand_html import SHOWN, WORD_NAMES, Row, Writer, by_word, card, cells, pair, symbol, table, word
from pages.hand_numbers import STEPS, TARGET, WORDS, Numbers, hand_numbers, trained_numbers
from pages.pictures import trace

from nmt_attn.files import write_text

PLACES = ("first", "second", "third")
TITLES = {"b": "Bahdanau", "l": "Luong"}
MODELS = {"b": "bahdanau", "l": "luong"}

KINDS = (
    ("h", "h", "encoder state"),
    ("y", "y", "word"),
    ("s", "s", "decoder state"),
    ("e", "e", "score"),
    ("a", "α", "weight"),
    ("c", "c", "context"),
    ("r", "h̃", "what a word is read from"),
)

INTRODUCTION = """# Attention by hand: "Turn off the lights"

<!-- made by scripts/worked_example.py; a test makes it again and recomputes every number -->

Two decoders have read *turn off the lights* and write लाइट बंद करो, "light off do". One works as Bahdanau et al. 2015
(arXiv 1409.0473v7) describe: it **looks, then moves**. The other works as Luong et al. 2015 (arXiv 1508.04025) do: it
**moves, then looks**. Their vectors have two numbers each, so you can follow every number with pencil and paper, and
see the vectors as points on a map. At the end the same sentence goes through two trained models.

{legend}

Numbers with one decimal are given; they were fitted to this sentence and rounded, where a trained model learns them
from a corpus. Numbers with three decimals (two in the drawings) were computed from them by `nmt_attn` and then
rounded. Point at a number, or tap it, and all its places light up: where it comes from and where it goes.

## Two machines

Follow the circles from 1 to 6. Both ask, score, weigh and mix in the same way. What differs is which state asks, and
where the context goes.

{machines}

## What is given

The encoder has left one state for each source word. It is left out here, and so is the end of the source.
"""

GIVEN = """
Both decoders begin with the same state and read the same word vectors. They also share three matrices: {W} for the word
before, {U} for the state before, and {Wo}, whose rows are the words that can be written.
"""

OWN = """
Beyond these, each has what its own order needs. Bahdanau's has a small layer for the scores ({Wa}, {Ua}, {va}), {C}
for the context that enters the state, and three matrices for the readout. Luong's score has no parameters; {F} brings
its {r} back, and {Wc} joins context and state.
"""

ONCE = """
{Ua} {h} does not change from word to word, so it is computed once a sentence:
"""

MAP = """
## All three words on a map

The same numbers as points. Green: the four encoder states. Blue: the states with which the decoder asks. Violet: the
contexts. **A context can never leave the green area**, for it is a mixture of encoder states and nothing else. With
Luong's dot product you can see the weights: the word that lies farthest in the direction of the arrow gets the most.
Bahdanau's layer is free of this: its {s0} points to *off* and it reads *lights*.
"""

TRAINED = """
## The same sentence in trained models

Two models that [the lab](lab.md) serves, trained on ten thousand pairs. They do what you have just done, with 160
numbers a state where you had two, a GRU and an LSTM for the tanh, and a fifth source token, `</s>`. Luong's score has a
matrix here (`general`: {query} · {Wa} {h}).

![Both trained models look at lights, then at off, then share the look between Turn and off](pictures/lights.svg)

"""

CLOSING = """
To watch this machine run step by step, with every number, a look that you can drag elsewhere, and any sentence you
type: `nmt-attn serve` ([the lab](lab.md)).

## What to take along

- The two orders share everything but the moment of the look. {s1} is computed *from* {c1} in one, and *for* {c1} in the
  other.
- A weight is never negative and the four add up to 1: the context is a mixture of encoder states.
- Bahdanau's score can learn what to compare and costs a small layer for each pair of words; the dot product compares
  the states as they are and costs one product.
- In Bahdanau's order the context is inside the next state. In Luong's it stands beside the state, and reaches the next
  one only by input feeding.
- Padding would be treated before the softmax: its score is set so low that its weight is 0.

The code: `Additive` and `Dot` in `nmt_attn/model/scores.py`, softmax and context in `nmt_attn/model/attention.py`,
the two orders in `nmt_attn/model/bahdanau.py` and `nmt_attn/model/luong.py`, maxout in `nmt_attn/model/readout.py`.
The cell is the plain one of `nmt_attn/model/cells.py`, so that a state is one tanh and not three gates.

## Exercises
"""

ANSWER = """
{place}. {question}

    <details><summary>Answer</summary>

    {answer}

    </details>
"""


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[1] / "docs" / "worked-example.md"
    parser.add_argument("--output", type=Path, default=default, help="default: docs/worked-example.md")
    write_text(parser.parse_args().output, page())


def page() -> str:
    """The whole page."""
    numbers = hand_numbers()
    numbers |= trained_numbers({letter: trace(name) for letter, name in MODELS.items()}) | _exercise_numbers(numbers)
    writer = Writer(numbers)
    parts = [
        INTRODUCTION.format(legend=_legend(), machines=_machines(1)),
        *_given(writer),
        *(part for t in range(1, STEPS) for part in _word(writer, t)),
        MAP.format(s0=symbol("s", "s", "0")),
        _drawings(
            "map", "A map of the plane: four encoder states, three contexts between them, and the states that ask"
        ),
        _summary(writer),
        TRAINED.format(query=symbol("s", "s", "t"), Wa=matrix("W", "a"), h=symbol("h", "h", "j")),
        *(_trained(writer, t) for t in range(1, STEPS)),
        CLOSING.format(s1=symbol("s", "s", "1"), c1=symbol("c", "c", "1")),
        *_exercises(writer),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _legend() -> str:
    chips = "".join(f'<span class="chip {kind}">{symbol(kind, letter)} {name}</span>' for kind, letter, name in KINDS)
    return f'<p class="legend">{chips}</p>'


def _given(writer: Writer) -> Iterable[str]:
    state, vector = symbol("h", "h", "j"), symbol("y", "y")
    yield _tables(
        writer.matrix(f"encoder states {state}", "h", 2, WORD_NAMES),
        writer.matrix(f"word vectors {vector}", "y", 2, [word(k, is_written=False) for k in range(STEPS)]),
        writer.matrix(f"first state {symbol('s', 's', '0')}", "s0", 2, [""]),
    )
    yield GIVEN.format(W=matrix("W"), U=matrix("U"), Wo=matrix("W", "o"))
    output = [Row(word(k), cells(writer.numbers("Wo", 2, k))) for k in SHOWN]
    yield _tables(_square(writer, "W"), _square(writer, "U"), table(matrix("W", "o"), output))
    yield OWN.format(Wa=matrix("W", "a"), Ua=matrix("U", "a"), va=matrix("v", "a"), C=matrix("C"), F=matrix("F"),
                     r=symbol("r", "h̃"), Wc=matrix("W", "c"))  # fmt: skip
    small = [("Wa", 2, 3), ("Ua", 2, 3), ("va", 3, 1), ("C", 2, 2), ("Uo", 2, 4), ("Vo", 2, 4), ("Co", 2, 4)]
    bahdanau = [_square(writer, *each) for each in small]
    yield pair(_box("Bahdanau", bahdanau), _box("Luong", [_square(writer, "F"), _square(writer, "Wc", 4, 2)]))
    yield ONCE.format(Ua=matrix("U", "a"), h=state)
    rows = [Row(name, cells(writer.numbers("Uah", 3, j))) for j, name in enumerate(WORD_NAMES)]
    once = table(f"{matrix('U', 'a')} {state}", rows)
    yield _tables(once + writer.products([("Ua", k, "h", k) for k in range(2)], "Uah"))


def _square(writer: Writer, name: str, size: int = 2, rows: int = 2) -> str:
    return writer.matrix(matrix(name[0], name[1:]), name, size, [""] * rows)


def _tables(*tables: str) -> str:
    return f'<div class="given">{"".join(tables)}</div>'


def _box(title: str, tables: list[str]) -> str:
    return f'<div class="card"><p class="what"><span class="tag">{title}</span></p>{_tables(*tables)}</div>'


def _word(writer: Writer, t: int) -> Iterable[str]:
    yield f"## The {PLACES[t - 1]} word: {TARGET[t]}"
    yield STORY[t]
    rows = cards(writer, t)
    if t == 1:
        yield from rows
    else:
        yield _machines(t)
        yield (
            f'<details class="numbers"><summary>Every number of word {t}</summary>\n' + "\n".join(rows) + "\n</details>"
        )


STORY = {
    1: """The drawing again, as pencil and paper do it: a row for each circle. Hindi puts the verb last, so the first
word to write comes from the *last* source word.""",
    2: """Now the states carry what has been written. Bahdanau's decoder asks with the state that the first look
has made. Luong's moves on first, fed with what the first word was read from. Both turn to *off*.""",
    3: """करो, "do", is half of *turn off*. Both machines share their look between the two words. A fourth step,
not shown, writes `</s>` and ends the sentence.""",
}


def _machines(t: int) -> str:
    return _drawings(str(t), f"{{}}: the machine at word {t}, with all its numbers; the tables below say the same")


def _drawings(name: str, text: str) -> str:
    """Both drawings, beside each other."""
    pictures = [f"![{text.format(title)}](pictures/{_file(letter, name)})" for letter, title in TITLES.items()]
    return '<div class="pair drawn">\n\n' + "\n\n".join(pictures) + "\n\n</div>"


def _file(letter: str, name: str) -> str:
    return f"hand-{letter}-map.svg" if name == "map" else f"hand-{letter}{name}.svg"


def _summary(writer: Writer) -> str:
    """The attention matrices: a row a target word."""
    sides = []
    for letter, title in TITLES.items():
        rows = [Row(TARGET[t], [writer.share(f"{letter}{t}.a", j) for j in range(len(WORDS))]) for t in range(1, STEPS)]
        head = [("", 1), *((name, 1) for name in WORD_NAMES)]
        sides.append(_box(title, [table("where it looks", rows, head)]))
    return pair(*sides)


def _trained(writer: Writer, t: int) -> str:
    sides = []
    for letter, name in MODELS.items():
        step, source = trace(name).steps[t - 1], trace(name).source
        row = [[f"<td>{writer.number(f't{letter}{t}.e', j, 2)}</td>", writer.share(f"t{letter}{t}.a", j)]
               for j in range(len(source))]  # fmt: skip
        asks = t - 1 if letter == "b" else t
        title = f"asks with {symbol('s', 's', str(asks))}, 160 numbers"
        looks = by_word([(symbol("e", "e", f"{t}j"), 1), (symbol("a", "α", f"{t}j"), 1)], title, row,
                        [f"<em>{word_.replace('<', '&lt;')}</em>" for word_ in source])  # fmt: skip
        likely = [Row(each, [writer.share(f"t{letter}{t}.p", k)], k == 0) for k, (each, _) in enumerate(step.top[:3])]
        context = " ".join(writer.numbers(f"t{letter}{t}.c", 4))
        text = f'{TARGET[t]}; {symbol("c", "c", str(t))} begins <span class="v c">{context}</span>'
        likeliest = table("the likeliest words", likely, [("", 1), ("p", 1)])
        sides.append(card(TITLES[letter], t, text, _tables(looks, likeliest)))
    return pair(*sides)


def _exercise_numbers(numbers: Numbers) -> Numbers:
    """Luong's weights at the first word with encoder states twice as long, and at the third without *off*."""
    kept = numbers["l3.exp"][[0, 2, 3]]
    return {"ex1.a": (2 * numbers["l1.e"]).softmax(0), "ex2.a": kept / kept.sum()}


def _exercises(writer: Writer) -> Iterable[str]:
    state, once = symbol("h", "h", "j"), f"{matrix('U', 'a')} {symbol('h', 'h', 'j')}"
    doubled = ", ".join(f"*{name}* {writer.number('ex1.a', j)}" for j, name in enumerate(WORDS))
    asked = f"{matrix('W', 'a')} {symbol('s', 's')}"
    others = [name for name in WORDS if name != "off"]
    masked = ", ".join(f"*{name}* {writer.number('ex2.a', j)}" for j, name in enumerate(others))
    yield ANSWER.strip("\n").format(
        place=1,
        question=f"Every encoder state {state} becomes twice as long. What are Luong's weights for the first word?",
        answer=f"Every score doubles, so the softmax is sharper: {doubled}. Only the directions have stayed.",
    )
    yield ANSWER.strip("\n").format(
        place=2,
        question="*off* is padding. What are Luong's weights for the third word?",
        answer=f"Its score is as low as can be, so exp of it is 0, and the others share the sum of three: {masked}.",
    )
    yield ANSWER.strip("\n").format(
        place=3,
        question=f"Why can a program compute {once} once a sentence, but {asked} only word by word?",
        answer="The encoder states stay as they are while the sentence is written; the state that asks is always new.",
    )


if __name__ == "__main__":
    main()
