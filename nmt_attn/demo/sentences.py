"""Random sentences of the demo corpus of a given length: clauses, questions and chains of clauses.

These restrictions make a source sentence unambiguous and its translation unique: subjects are joined by `and` only if
they are alive, objects only if they are not; a prepositional phrase follows a noun only in a subject; a chain has
either statements or commands, except for a final `because`; `when`, `if` and `who` take simple clauses.
"""

from collections.abc import Callable, Sequence

from nmt_attn.demo import grammar, words
from nmt_attn.demo.grammar import AND, STATEMENT, TIME_FIRST, Nominal, Tense
from nmt_attn.demo.phrases import (
    ALIVE,
    LIFELESS,
    MOVABLE,
    PRESENT,
    WHERE_PEOPLE_ARE,
    WHERE_THINGS_ARE,
    PhraseWriter,
    Sampler,
)
from nmt_attn.demo.synchronous import NOTHING, Order, PhrasePair, aligned, in_sequence
from nmt_attn.demo.words import Agreement

BUT, BECAUSE, SO = aligned("but", "लेकिन"), aligned("because", "क्योंकि"), aligned("so", "इसलिए")
WHO = Nominal(aligned("who", "कौन"), Agreement(is_feminine=False, is_plural=False))
WHAT, WHERE = aligned("what", "क्या"), aligned("where", "कहाँ")
TODAY, TOMORROW, NOW = aligned("today", "आज"), aligned("tomorrow", "कल"), aligned("now", "अब")
AT_NIGHT = aligned("at night", "रात को", "0-1 1-0")
TENSES: tuple[Tense, ...] = (
    "habitual",
    "habitual",
    "habitual",
    "progressive",
    "progressive",
    "past",
    "future",
    "future",
)
TIMES: dict[Tense, tuple[PhrasePair, ...]] = {
    "habitual": (aligned("every day", "हर दिन", "0-0 1-1"), AT_NIGHT),
    "progressive": (NOW, TODAY),
    "past": (TODAY, AT_NIGHT),
    "future": (TODAY, TOMORROW),
}
ROOM = 4
"""Source words, conjunction included, that suffice for a last clause: `and read it`."""

LONGEST_QUESTION = 10
"""Source words: a question is one clause, so a longer one would take many draws."""

UNITS = ("when", "if", "long", "long", "long", *["plain"] * 9)


class SentenceWriter:
    """Draws sentences from one stream of random numbers."""

    def __init__(self, seed: str) -> None:
        self._rng = Sampler(seed)
        self._phrases = PhraseWriter(self._rng)

    def sentence(self, shortest: int, longest: int) -> PhrasePair:
        """A sentence of `shortest` to `longest` source words, without the capital letter."""
        while True:
            sentence = self._draw(shortest, longest)
            if shortest <= len(sentence.source) <= longest:
                return sentence

    def _draw(self, shortest: int, longest: int) -> PhrasePair:
        if shortest <= LONGEST_QUESTION and self._rng.happens(15):
            return self._question()
        if self._rng.happens(67):
            return self._chain(shortest, longest, self._linked_statement, (AND, AND, BUT, BECAUSE, SO))
        chain = self._chain(shortest, longest, self._linked_command, (AND, AND, AND, BUT))
        if self._rng.happens(90):
            return chain
        return in_sequence(chain, BECAUSE, self._statement(self._rng.pick(TENSES)))

    def _chain(
        self, shortest: int, longest: int, draw: Callable[[], PhrasePair], conjunctions: Sequence[PhrasePair]
    ) -> PhrasePair:
        """Clauses up to a random length between the limits; clauses that would be too long are redrawn."""
        clauses = [draw()]
        length, goal = len(clauses[0].source), self._rng.pick(range(shortest, longest + 1)) - ROOM
        while length < goal:
            clause = draw()
            if length + 1 + len(clause.source) <= longest:
                clauses += [self._rng.pick(conjunctions), clause]
                length += 1 + len(clause.source)
        return in_sequence(*clauses)

    def _linked_statement(self) -> PhrasePair:
        kind = self._rng.pick(UNITS)
        if kind == "when":
            tense = self._rng.pick((*PRESENT, "past"))
            return grammar.when(self._statement(tense), self._statement(tense))
        if kind == "if":
            condition, tense = self._rng.pick(PRESENT), self._rng.pick((*PRESENT, "future"))
            return grammar.if_then(self._statement(condition), self._statement(tense))
        return self._long_statement() if kind == "long" else self._statement(self._rng.pick(TENSES))

    def _linked_command(self) -> PhrasePair:
        if self._rng.happens(92):
            return self._command()
        return grammar.if_then(self._statement(self._rng.pick(PRESENT)), self._command())

    def _statement(self, tense: Tense) -> PhrasePair:
        self._phrases.begin_clause()
        if tense != "future" and self._rng.happens(20):
            return self._description(is_past=tense == "past")
        return self._deed(self._phrases.subject(), tense, STATEMENT)

    def _long_statement(self) -> PhrasePair:
        """Time in front, a relative clause, two verbs: `today the boy who is reading eats bread and drinks tea`."""
        self._phrases.begin_clause()
        subject = self._phrases.who_does() if self._rng.happens(40) else self._phrases.subject()
        order = self._rng.pick((STATEMENT, STATEMENT, TIME_FIRST))
        first = self._deed(subject, self._rng.pick(TENSES), order)
        if self._rng.happens(40):
            return first
        second = self._deed(Nominal(NOTHING, subject.agreement), self._rng.pick(TENSES), STATEMENT)
        return in_sequence(first, self._rng.pick((AND, BUT)), second)

    def _deed(self, subject: Nominal, tense: Tense, order: Order) -> PhrasePair:
        action, is_negative = self._phrases.action(), self._rng.happens(15)
        predicate = grammar.predicate(action.verb, tense, subject.agreement, is_negative=is_negative)
        has_time = order is TIME_FIRST or self._rng.happens(15)
        time = {"T": self._rng.pick(TIMES[tense])} if has_time else {}
        return grammar.clause(order, subject.phrase, predicate, {**action.parts, **time})

    def _description(self, *, is_past: bool) -> PhrasePair:
        """`the house is not big`, `Sita was in the garden`."""
        nouns = self._rng.pick((ALIVE, MOVABLE, LIFELESS))
        is_alive = nouns is ALIVE
        subject = self._phrases.name() if is_alive and self._rng.happens(40) else self._phrases.noun(nouns)
        if nouns is LIFELESS or self._rng.happens(50):
            english, hindi = self._rng.pick(words.OF_PEOPLE if is_alive else words.OF_THINGS)
            description = aligned(english, words.agree(hindi, subject.agreement))
        else:
            description = self._phrases.place(WHERE_PEOPLE_ARE if is_alive else WHERE_THINGS_ARE)
        complement = grammar.complement(description, is_negative=self._rng.happens(20))
        predicate = grammar.Predicate({"A": grammar.copula(subject.agreement, is_past=is_past), "V": complement})
        return grammar.clause(STATEMENT, subject.phrase, predicate, {})

    def _command(self) -> PhrasePair:
        self._phrases.begin_clause()
        action = self._phrases.action(may_be_it=True)
        has_time = self._rng.happens(10) or not action.parts
        time = {"T": self._rng.pick((NOW, TODAY, TOMORROW))} if has_time else {}
        return grammar.imperative(action.verb, {**action.parts, **time}, is_negative=self._rng.happens(15))

    def _question(self) -> PhrasePair:
        self._phrases.begin_clause()
        ask = self._rng.pick((self._yes_no, self._yes_no, self._who, self._what, self._where_is, self._where_done))
        return ask()

    def _yes_no(self) -> PhrasePair:
        subject, action = self._phrases.subject(), self._phrases.action()
        predicate = self._asked(action.verb, subject)
        return grammar.yes_no(subject.phrase, predicate, action.parts)

    def _who(self) -> PhrasePair:
        action = self._phrases.action()
        predicate = grammar.predicate(action.verb, self._rng.pick(TENSES), WHO.agreement)
        return grammar.clause(grammar.WHO, WHO.phrase, predicate, action.parts)

    def _what(self) -> PhrasePair:
        subject, frame = self._phrases.subject(), self._rng.pick(words.TRANSITIVE)
        return grammar.clause(grammar.WHAT, subject.phrase, self._asked(frame.verb, subject), {"O": WHAT})

    def _where_is(self) -> PhrasePair:
        subject = self._phrases.noun(LIFELESS) if self._rng.happens(60) else self._phrases.subject()
        predicate = grammar.Predicate({"A": grammar.copula(subject.agreement, is_past=self._rng.happens(30))})
        return grammar.clause(grammar.WHERE, subject.phrase, predicate, {"P": WHERE})

    def _where_done(self) -> PhrasePair:
        subject, frame = self._phrases.subject(), self._rng.pick(words.TRANSITIVE)
        parts = {"P": WHERE, "O": self._phrases.things(frame.objects)}
        return grammar.clause(grammar.WHERE, subject.phrase, self._asked(frame.verb, subject), parts)

    def _asked(self, verb: words.Verb, subject: Nominal) -> grammar.Predicate:
        return grammar.predicate(verb, self._rng.pick(TENSES), subject.agreement, is_question=True)
