"""The six operations of a word in both orders, as cards: what docs/worked-example.md shows of each step."""

from pages.hand_html import (
    SHOWN,
    WORD_NAMES,
    Row,
    Writer,
    by_word,
    card,
    cells,
    pair,
    source_rows,
    symbol,
    table,
    word,
)
from pages.hand_numbers import TARGET, WORDS

S = range(len(WORDS))


def cards(writer: Writer, t: int) -> list[str]:
    """Rows of the page for word t, from 1, both orders beside each other."""
    return [pair(*(side(writer, t) for side in sides)) for sides in ROWS]


def _asks(writer: Writer, t: int) -> str:
    old = symbol("s", "s", str(t - 1))
    origin = "the first state" if t == 1 else f"from word {t - 1}"
    query = writer.ledger("its part of all four scores", [(f"{matrix('W', 'a')} {old}", f"b{t}.Was")], 3, results=0)
    text = f"It asks with the state that it has, {old} = {writer.vector(f'b{t - 1}.s', 2)} ({origin})."
    return card("Bahdanau", 1, text, query, _first(writer, t, "Wa", f"b{t - 1}.s", f"b{t}.Was"))


def _moves_late(writer: Writer, t: int) -> str:
    new, context = symbol("s", "s", str(t)), symbol("c", "c", str(t))
    text = f"Now it moves: {context} enters the new state {new}, which will ask for the next word."
    parts = [
        *_kept(t, "b"),
        (f"{matrix('C')} {context}", f"b{t}.Cc"),
        ("sum", f"b{t}.sum"),
        (f"tanh = {new}", f"b{t}.s"),
    ]
    return card("Bahdanau", 5, text, writer.ledger(f"{new} = tanh of the sum", parts, 2, results=2),
                _first(writer, t, "C", f"b{t}.c", f"b{t}.Cc"))  # fmt: skip


def _moves_early(writer: Writer, t: int) -> str:
    new, fed = symbol("s", "s", str(t)), symbol("r", "h̃", str(t - 1))
    origin = f"{fed} is 0 before the first word" if t == 1 else f"{fed} is from word {t - 1}: input feeding, 3.3"
    text = f"It moves first, without having looked ({origin}), and asks with the new state {new}."
    parts = [*_kept(t, "l"), (f"{matrix('F')} {fed}", f"l{t}.Fr"), ("sum", f"l{t}.sum"), (f"tanh = {new}", f"l{t}.s")]
    return card("Luong", 1, text, writer.ledger(f"{new} = tanh of the sum", parts, 2, results=2),
                _first(writer, t, "W", "y", f"l{t}.Wy"))  # fmt: skip


def _kept(t: int, letter: str) -> list[tuple[str, str]]:
    return [
        (f"{matrix('W')} {symbol('y', 'y', str(t - 1))}", f"{letter}{t}.Wy"),
        (f"{matrix('U')} {symbol('s', 's', str(t - 1))}", f"{letter}{t}.Us"),
    ]


def _scores_additive(writer: Writer, t: int) -> str:
    old, score = symbol("s", "s", str(t - 1)), symbol("e", "e", f"{t}j")
    inside = f"{matrix('W', 'a')} {old} + {matrix('U', 'a')} {symbol('h', 'h', 'j')}"
    sums = [cells(writer.numbers(f"b{t}.x", 3, j)) for j in S]
    rows = [cells([*writer.numbers(f"b{t}.tanh", 3, j), writer.number(f"b{t}.e", j)]) for j in S]
    outside = by_word([("", 3), (score, 1)], "tanh of that", rows, WORD_NAMES)
    tables = f'<div class="given">{by_word([], inside, sums, WORD_NAMES)}{outside}</div>'
    formula = f'<p class="sum">{score} = {vector("v", "a")} · tanh({inside})</p>'
    first = writer.products([(f"b{t}.tanh", k, "va", k) for k in range(3)], f"b{t}.e") if t == 1 else ""
    return card("Bahdanau", 2, "A small layer compares it with each word.", formula, tables, first)


def _scores_dot(writer: Writer, t: int) -> str:
    new, score = symbol("s", "s", str(t)), symbol("e", "e", f"{t}j")
    rows = [cells([*writer.numbers("h", 2, j), writer.number(f"l{t}.e", j)]) for j in S]
    text = f"{new} = {writer.vector(f'l{t}.s', 2)} times each encoder state: large where both point the same way."
    title = f"{score} = {new} · {symbol('h', 'h', 'j')}"
    sums = writer.products([(f"l{t}.s", k, "h", k) for k in range(2)], f"l{t}.e") if t == 1 else ""
    return card("Luong", 2, text, by_word([(symbol("h", "h", "j"), 2), (score, 1)], title, rows, WORD_NAMES), sums)


def _weights(writer: Writer, t: int, letter: str) -> str:
    score, weight = symbol("e", "e", f"{t}j"), symbol("a", "α", f"{t}j")
    rows = [[*cells([writer.number(f"{letter}{t}.e", j), writer.number(f"{letter}{t}.exp", j)]),
             writer.share(f"{letter}{t}.a", j)] for j in S]  # fmt: skip
    head = [(score, 1), (f"exp {score}", 1), (weight, 1)]
    title = f"{weight} = exp {score} / sum of the four"
    sums = ""
    if t == 1:
        powers = " + ".join(writer.number(f"{letter}1.exp", j) for j in S)
        quotient = f"{writer.number(f'{letter}1.exp', 0)} / ({powers}) = {writer.number(f'{letter}1.a', 0)}"
        sums = f'<p class="sum">{quotient}</p>'
    text = "The softmax makes shares of the scores: all positive, together 1."
    return card(TITLES[letter], 3, text, by_word(head, title, rows, WORD_NAMES), sums)


def _context(writer: Writer, t: int, letter: str) -> str:
    weight, state, context = symbol("a", "α", f"{t}j"), symbol("h", "h", "j"), symbol("c", "c", str(t))
    name = f"{letter}{t}"
    rows = source_rows(
        [writer.share(f"{name}.a", j) for j in S],
        ["".join(cells(writer.numbers("h", 2, j))) for j in S],
        ["".join(cells(writer.numbers(f"{name}.ah", 2, j))) for j in S],
    )
    total = Row(context, ['<td colspan="3">sum</td>', *cells(writer.numbers(f"{name}.c", 2))], True)
    head = [("", 1), (weight, 1), (state, 2), (f"{weight} {state}", 2)]
    named = [Row(each, row) for each, row in zip(WORD_NAMES, rows, strict=True)]
    text = "The context is the encoder states, mixed in these shares."
    return card(TITLES[letter], 4, text, table(f"{context} = sum of {weight} {state}", [*named, total], head))


def _joins(writer: Writer, t: int) -> str:
    joined = f"{matrix('W', 'c')} [{symbol('c', 'c', str(t))} ; {symbol('s', 's', str(t))}]"
    attentional = symbol("r", "h̃", str(t))
    parts = [(joined, f"l{t}.Wcs"), (f"tanh = {attentional}", f"l{t}.r")]
    text = (
        "What was seen joins the state beside it: the attentional state, which writes the word and is fed to the next."
    )
    places = [(f"l{t}.c", 0), (f"l{t}.c", 1), (f"l{t}.s", 0), (f"l{t}.s", 1)]
    sums = writer.products([("Wc", k, *place) for k, place in enumerate(places)], f"l{t}.Wcs") if t == 1 else ""
    return card("Luong", 5, text, writer.ledger(f"{attentional} = tanh({joined})", parts, 2, results=1), sums)


def _word_maxout(writer: Writer, t: int) -> str:
    new, last, context = symbol("s", "s", str(t)), symbol("y", "y", str(t - 1)), symbol("c", "c", str(t))
    parts = [
        (f"{matrix('U', 'o')} {new}", f"b{t}.Uos"),
        (f"{matrix('V', 'o')} {last}", f"b{t}.Voy"),
        (f"{matrix('C', 'o')} {context}", f"b{t}.Coc"),
        (f"sum = {symbol('r', 't̃', str(t))}", f"b{t}.tt"),
    ]
    result = symbol("r", "t", str(t))
    larger = table(
        "the larger of each two",
        [Row(result, [f'<td colspan="2">{writer.number(f"b{t}.r", k)}</td>' for k in range(2)], True)],
    )
    text = "State, last word and context vote; of each two numbers the larger one stays (maxout)."
    return card("Bahdanau", 6, text, writer.ledger(f"{symbol('r', 't̃', str(t))}", parts, 4, results=1), larger,
                _choice(writer, t, "b", result))  # fmt: skip


def _word_linear(writer: Writer, t: int) -> str:
    result = symbol("r", "h̃", str(t))
    text = f"The word is read from {result} = {writer.vector(f'l{t}.r', 2)}."
    return card("Luong", 6, text, _choice(writer, t, "l", result))


def _choice(writer: Writer, t: int, letter: str, read: str) -> str:
    """What each word gets, and its p."""
    rows = []
    for k in SHOWN:
        name = f"<strong>{word(k)}</strong>" if k == t else word(k)
        row = [
            *cells([*writer.numbers("Wo", 2, k), writer.number(f"{letter}{t}.z", k)]),
            writer.share(f"{letter}{t}.p", k),
        ]
        rows.append(Row(name, row, False))
    head = [("", 1), (matrix("W", "o"), 2), (f"{matrix('W', 'o')} {read}", 1), ("p", 1)]
    return table(f"p = softmax({matrix('W', 'o')} {read}); it writes <strong>{TARGET[t]}</strong>", rows, head)


def _first(writer: Writer, t: int, matrix_name: str, vector_name: str, result: str) -> str:
    """The first number of a product written out, for the first word alone."""
    if t > 1:
        return ""
    return writer.products([(matrix_name, k, vector_name, k) for k in range(2)], result)


def matrix(letter: str, below: str = "") -> str:
    """A parameter's symbol."""
    return symbol("k", letter, below)


vector = matrix
TITLES = {"b": "Bahdanau", "l": "Luong"}
ROWS = (
    (_asks, _moves_early),
    (_scores_additive, _scores_dot),
    (lambda writer, t: _weights(writer, t, "b"), lambda writer, t: _weights(writer, t, "l")),
    (lambda writer, t: _context(writer, t, "b"), lambda writer, t: _context(writer, t, "l")),
    (_moves_late, _joins),
    (_word_maxout, _word_linear),
)
