"""Sentences of the demo corpus drawn at random, as long as asked for: clauses, questions and chains of clauses.

What keeps a source sentence unambiguous, and so its translation unique: subjects are joined by `and` only if they
are alive, objects only if they are not; a prepositional phrase follows a noun only in a subject; statements and
commands are not mixed in one chain, but for a last `because`; `when`, `if` and `who` take simple clauses.
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
    Dice,
    PhraseWriter,
)
from nmt_attn.demo.synchronous import NOTHING, Order, Phrase, aligned, in_sequence
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
TIMES: dict[Tense, tuple[Phrase, ...]] = {
    "habitual": (aligned("every day", "हर दिन", "0-0 1-1"), AT_NIGHT),
    "progressive": (NOW, TODAY),
    "past": (TODAY, AT_NIGHT),
    "future": (TODAY, TOMORROW),
}
ROOM = 4
"""Source words, with their conjunction, in which a last clause always can be found: `and read it`."""

LONGEST_QUESTION = 10
"""Source words, or so: a question is one clause, so a long one would have to be waited for."""

UNITS = ("when", "if", "long", "long", "long", *["plain"] * 9)


class SentenceWriter:
    """Draws sentences from one stream of random numbers."""

    def __init__(self, seed: str) -> None:
        self._dice = Dice(seed)
        self._phrases = PhraseWriter(self._dice)

    def sentence(self, shortest: int, longest: int) -> Phrase:
        """A sentence of `shortest` to `longest` source words; it has no capital letter yet."""
        while True:
            sentence = self._draw(shortest, longest)
            if shortest <= len(sentence.source) <= longest:
                return sentence

    def _draw(self, shortest: int, longest: int) -> Phrase:
        if shortest <= LONGEST_QUESTION and self._dice.chance(15):
            return self._question()
        if self._dice.chance(67):
            return self._chain(shortest, longest, self._linked_statement, (AND, AND, BUT, BECAUSE, SO))
        chain = self._chain(shortest, longest, self._linked_command, (AND, AND, AND, BUT))
        if self._dice.chance(90):
            return chain
        return in_sequence(chain, BECAUSE, self._statement(self._dice.pick(TENSES)))

    def _chain(self, shortest: int, longest: int, draw: Callable[[], Phrase], conjunctions: Sequence[Phrase]) -> Phrase:
        """Clauses until a length in between is reached; what would be too long is drawn again."""
        clauses = [draw()]
        length, goal = len(clauses[0].source), self._dice.pick(range(shortest, longest + 1)) - ROOM
        while length < goal:
            clause = draw()
            if length + 1 + len(clause.source) <= longest:
                clauses += [self._dice.pick(conjunctions), clause]
                length += 1 + len(clause.source)
        return in_sequence(*clauses)

    def _linked_statement(self) -> Phrase:
        kind = self._dice.pick(UNITS)
        if kind == "when":
            tense = self._dice.pick((*PRESENT, "past"))
            return grammar.when(self._statement(tense), self._statement(tense))
        if kind == "if":
            condition, tense = self._dice.pick(PRESENT), self._dice.pick((*PRESENT, "future"))
            return grammar.if_then(self._statement(condition), self._statement(tense))
        return self._long_statement() if kind == "long" else self._statement(self._dice.pick(TENSES))

    def _linked_command(self) -> Phrase:
        if self._dice.chance(92):
            return self._command()
        return grammar.if_then(self._statement(self._dice.pick(PRESENT)), self._command())

    def _statement(self, tense: Tense) -> Phrase:
        self._phrases.begin_clause()
        if tense != "future" and self._dice.chance(20):
            return self._description(is_past=tense == "past")
        return self._deed(self._phrases.subject(), tense, STATEMENT)

    def _long_statement(self) -> Phrase:
        """Time in front, a relative clause, two verbs: `today the boy who is reading eats bread and drinks tea`."""
        self._phrases.begin_clause()
        subject = self._phrases.who_does() if self._dice.chance(40) else self._phrases.subject()
        order = self._dice.pick((STATEMENT, STATEMENT, TIME_FIRST))
        first = self._deed(subject, self._dice.pick(TENSES), order)
        if self._dice.chance(40):
            return first
        second = self._deed(Nominal(NOTHING, subject.agreement), self._dice.pick(TENSES), STATEMENT)
        return in_sequence(first, self._dice.pick((AND, BUT)), second)

    def _deed(self, subject: Nominal, tense: Tense, order: Order) -> Phrase:
        action, is_negative = self._phrases.action(), self._dice.chance(15)
        predicate = grammar.predicate(action.verb, tense, subject.agreement, is_negative=is_negative)
        has_time = order is TIME_FIRST or self._dice.chance(15)
        time = {"T": self._dice.pick(TIMES[tense])} if has_time else {}
        return grammar.clause(order, subject.phrase, predicate, {**action.parts, **time})

    def _description(self, *, is_past: bool) -> Phrase:
        """`the house is not big`, `Sita was in the garden`."""
        nouns = self._dice.pick((ALIVE, MOVABLE, LIFELESS))
        is_alive = nouns is ALIVE
        subject = self._phrases.name() if is_alive and self._dice.chance(40) else self._phrases.noun(nouns)
        if nouns is LIFELESS or self._dice.chance(50):
            english, hindi = self._dice.pick(words.OF_PEOPLE if is_alive else words.OF_THINGS)
            description = aligned(english, words.agree(hindi, subject.agreement))
        else:
            description = self._phrases.place(WHERE_PEOPLE_ARE if is_alive else WHERE_THINGS_ARE)
        complement = grammar.complement(description, is_negative=self._dice.chance(20))
        predicate = grammar.Predicate({"A": grammar.copula(subject.agreement, is_past=is_past), "V": complement})
        return grammar.clause(STATEMENT, subject.phrase, predicate, {})

    def _command(self) -> Phrase:
        self._phrases.begin_clause()
        action = self._phrases.action(may_be_it=True)
        has_time = self._dice.chance(10) or not action.parts
        time = {"T": self._dice.pick((NOW, TODAY, TOMORROW))} if has_time else {}
        return grammar.imperative(action.verb, {**action.parts, **time}, is_negative=self._dice.chance(15))

    def _question(self) -> Phrase:
        self._phrases.begin_clause()
        ask = self._dice.pick((self._yes_no, self._yes_no, self._who, self._what, self._where_is, self._where_done))
        return ask()

    def _yes_no(self) -> Phrase:
        subject, action = self._phrases.subject(), self._phrases.action()
        predicate = self._asked(action.verb, subject)
        return grammar.yes_no(subject.phrase, predicate, action.parts)

    def _who(self) -> Phrase:
        action = self._phrases.action()
        predicate = grammar.predicate(action.verb, self._dice.pick(TENSES), WHO.agreement)
        return grammar.clause(grammar.WHO, WHO.phrase, predicate, action.parts)

    def _what(self) -> Phrase:
        subject, frame = self._phrases.subject(), self._dice.pick(words.TRANSITIVE)
        return grammar.clause(grammar.WHAT, subject.phrase, self._asked(frame.verb, subject), {"O": WHAT})

    def _where_is(self) -> Phrase:
        subject = self._phrases.noun(LIFELESS) if self._dice.chance(60) else self._phrases.subject()
        predicate = grammar.Predicate({"A": grammar.copula(subject.agreement, is_past=self._dice.chance(30))})
        return grammar.clause(grammar.WHERE, subject.phrase, predicate, {"P": WHERE})

    def _where_done(self) -> Phrase:
        subject, frame = self._phrases.subject(), self._dice.pick(words.TRANSITIVE)
        parts = {"P": WHERE, "O": self._phrases.things(frame.objects)}
        return grammar.clause(grammar.WHERE, subject.phrase, self._asked(frame.verb, subject), parts)

    def _asked(self, verb: words.Verb, subject: Nominal) -> grammar.Predicate:
        return grammar.predicate(verb, self._dice.pick(TENSES), subject.agreement, is_question=True)
