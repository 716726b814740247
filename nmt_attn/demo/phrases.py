"""Random phrases of the demo corpus: subjects, objects, places and actions, by the rules of grammar.py.

Probabilities are in percent. They use only `Random.random`, whose sequence Python guarantees to be stable.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from nmt_attn.demo import grammar, words
from nmt_attn.demo.grammar import AND, Extras, Head, Nominal, Tense
from nmt_attn.demo.synchronous import NOTHING, PhrasePair, aligned, arrange, in_sequence
from nmt_attn.demo.words import Adjective, Agreement, Noun, Verb

T = TypeVar("T")

HE = Nominal(aligned("he", "वह"), Agreement(is_feminine=False, is_plural=False))
SHE = Nominal(aligned("she", "वह"), Agreement(is_feminine=True, is_plural=False))
THEY = Nominal(aligned("they", "वे"), Agreement(is_feminine=False, is_plural=True))
IT = aligned("it", "इसे")
RECEIVERS = (
    aligned("me", "मुझे"),
    aligned("us", "हमें"),
    aligned("him", "उसे"),
    aligned("her", "उसे"),
    aligned("them", "उन्हें"),
)
OR = aligned("or", "या")
HERE, THERE = aligned("here", "यहाँ"), aligned("there", "वहाँ")
IN, ON, INTO, FROM = aligned("in", "में"), aligned("on", "पर"), aligned("into", "में"), aligned("from", "से")
NEAR, BEHIND, UNDER = aligned("near", "के पास"), aligned("behind", "के पीछे"), aligned("under", "के नीचे")
TO, WITH = aligned("to", "को"), aligned("with", "के साथ")

ALIVE = (*words.PEOPLE, *words.PEOPLE, *words.ANIMALS)
MOVABLE = (*words.THINGS, *words.TEXTS, words.BOX)
LIFELESS = (*MOVABLE, *words.OPENABLES, *words.SPOTS)
BESIDE = ((NEAR, words.SPOTS), (BEHIND, words.SPOTS), (UNDER, (words.TREE,)))
WHERE_PEOPLE_ARE = ((IN, words.INSIDES), (IN, words.INSIDES), *BESIDE)
WHERE_THINGS_ARE = (
    (IN, (words.BOX, words.ROOM, words.HOUSE)),
    (ON, (words.TABLE, words.CHAIR)),
    (UNDER, (words.TABLE, words.CHAIR, words.TREE)),
    (NEAR, words.OPENABLES),
    (BEHIND, words.OPENABLES),
)
PRESENT: tuple[Tense, ...] = ("habitual", "progressive")
DETERMINERS_OF_ONE = ("the", "the", "the", "a", "a", "this", "my", "our")
DETERMINERS_OF_MANY = ("the", "the", "these", "my", "our", "three", "four", "five")
DETERMINERS_OF_STUFF = ("the", "the", "", "my", "our")
ACTIONS = ("alone", "moving", "watching", "handing", *["thing"] * 4)
NUMBERS_OF_THINGS = (*[1] * 17, 2, 2, 3, 4)


class Action(NamedTuple):
    """A verb, and the parts O, R, D, P of its clause."""

    verb: Verb
    parts: Mapping[str, PhrasePair]


class Sampler:
    """Random choices from one seeded stream."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, all equally likely."""
        return items[int(self._random.random() * len(items))]

    def some(self, items: Sequence[T], number: int) -> list[T]:
        """`number` distinct items, or all if there are fewer."""
        left, chosen = list(items), list[T]()
        while left and len(chosen) < number:
            chosen.append(left.pop(int(self._random.random() * len(left))))
        return chosen

    def happens(self, percent: int) -> bool:
        """True with a probability of `percent` / 100."""
        return self._random.random() * 100 < percent


class PhraseWriter:
    """Draws the phrases of a clause; call `begin_clause` before each clause."""

    def __init__(self, sampler: Sampler) -> None:
        self._rng = sampler
        self._unused_names: Sequence[Noun] = words.NAMES

    def begin_clause(self) -> None:
        """Starts a clause: all names may be used again."""
        self._unused_names = words.NAMES

    def subject(self) -> Nominal:
        """A name, a pronoun, a noun, two of them, or a noun beside something."""
        kinds = (self.name, self.name, self._pronoun, self._pronoun, self.living, self.living, self.living)
        return self._rng.pick((*kinds, self._couple, self._beside))()

    def who_does(self) -> Nominal:
        """`the boy who is running`: the subject of an independent statement."""
        noun, action = self.noun(words.PEOPLE, ("the",)), self.action()
        predicate = grammar.predicate(action.verb, self._rng.pick(PRESENT), noun.agreement)
        return grammar.relative(noun, grammar.clause(grammar.STATEMENT, NOTHING, predicate, action.parts))

    def name(self) -> Nominal:
        """A name not yet used in the clause: repeating the subject would require अपना."""
        name = self._rng.pick(self._unused_names or words.NAMES)
        self._unused_names = [unused for unused in self._unused_names if unused != name]
        return grammar.noun_phrase(Head(name))

    def living(self) -> Nominal:
        """A person or an animal."""
        return self.noun(ALIVE)

    def noun(
        self,
        nouns: Sequence[Noun],
        determiners: Sequence[str] = (),
        place: PhrasePair | None = None,
        *,
        is_oblique: bool = False,
    ) -> Nominal:
        """One of `nouns` with a determiner, perhaps adjectives, perhaps an owner."""
        noun = self._rng.pick(nouns)
        is_plural = bool(noun.plural) and noun not in words.SPOTS and self._rng.happens(30)
        usual = DETERMINERS_OF_MANY if is_plural else DETERMINERS_OF_ONE if noun.plural else DETERMINERS_OF_STUFF
        determiner = self._rng.pick(determiners or usual)
        if noun in words.STRANGERS and determiner in ("my", "our"):
            determiner = "the" if is_plural else "every"
        has_owner = determiner == "the" and not place and noun not in words.STRANGERS and self._rng.happens(25)
        extras = Extras(self._adjectives(noun), self._owner(noun) if has_owner else None, place)
        return grammar.noun_phrase(Head(noun, is_plural, is_oblique), determiner, extras)

    def someone(self) -> PhrasePair:
        """A person or animal before a postposition."""
        return self.name().phrase if self._rng.happens(50) else self.noun(ALIVE, is_oblique=True).phrase

    def things(self, nouns: Sequence[Noun]) -> PhrasePair:
        """One to four distinct lifeless objects, joined by `and` or by `or`."""
        conjunction, number = self._rng.pick((AND, AND, OR)), self._rng.pick(NUMBERS_OF_THINGS)
        things = NOTHING
        for noun in self._rng.some(nouns, number):
            thing = self.noun((noun,)).phrase
            things = in_sequence(things, conjunction, thing) if things.source else thing
        return things

    def place(self, places: Sequence[tuple[PhrasePair, Sequence[Noun]]]) -> PhrasePair:
        """Here, there, or one of `places`."""
        return self._rng.pick((HERE, THERE)) if self._rng.happens(10) else self._located(places)

    def action(self, *, may_be_it: bool = False) -> Action:
        """A verb and its complements, without tense and person."""
        kind = self._rng.pick(ACTIONS)
        if kind == "moving":
            return self._moving()
        if kind == "handing":
            return self._handing()
        if kind == "alone":
            return self._with_place(Action(self._rng.pick(words.INTRANSITIVE), {}))
        if kind == "watching":
            watched = self._rng.pick(RECEIVERS) if self._rng.happens(30) else grammar.animate_object(self.someone())
            return self._with_place(Action(words.WATCH, {"O": watched}))
        verb, objects = self._rng.pick(words.TRANSITIVE)
        is_it = may_be_it and not verb.particle and self._rng.happens(15)
        return self._with_place(Action(verb, {"O": IT if is_it else self.things(objects)}))

    def _pronoun(self) -> Nominal:
        return self._rng.pick((HE, SHE, THEY))

    def _couple(self) -> Nominal:
        first, second = (self.name() if self._rng.happens(50) else self.living() for _ in range(2))
        return grammar.couple(first, second)

    def _beside(self) -> Nominal:
        return self.noun(ALIVE, place=self._located(BESIDE))

    def _owner(self, noun: Noun) -> PhrasePair:
        if noun in words.OF_BUILDINGS and self._rng.happens(60):
            return self.noun(words.INSIDES, is_oblique=True).phrase
        return self.name().phrase if self._rng.happens(50) else self.noun(words.PEOPLE, is_oblique=True).phrase

    def _adjectives(self, noun: Noun) -> tuple[Adjective, ...]:
        if not self._rng.happens(25):
            return ()
        if noun in ALIVE:
            return (self._rng.pick(words.OF_PEOPLE),)
        if noun in words.EDIBLE:
            return (self._rng.pick(words.OF_FOOD),)
        colours = (self._rng.pick(words.COLOURS),) if noun in words.COLOURED and self._rng.happens(40) else ()
        return (self._rng.pick(words.OF_THINGS), *colours) if not colours or self._rng.happens(40) else colours

    def _located(self, places: Sequence[tuple[PhrasePair, Sequence[Noun]]]) -> PhrasePair:
        preposition, nouns = self._rng.pick(places)
        return grammar.before_noun(preposition, self.noun(nouns, is_oblique=True).phrase)

    def _moving(self) -> Action:
        if self._rng.happens(20):
            return self._rng.pick((Action(words.GO, {"P": THERE}), Action(words.COME, {"P": HERE})))
        verb, preposition = self._rng.pick(((words.GO, INTO), (words.COME, FROM)))
        return Action(verb, {"P": self._located([(preposition, words.INSIDES)])})

    def _handing(self) -> Action:
        """`gives me the key` or `gives the key to the girl`."""
        frame = self._rng.pick(words.HANDED)
        things = self.things(frame.objects)
        if self._rng.happens(50):
            return Action(frame.verb, {"O": things, "R": self._rng.pick(RECEIVERS)})
        return Action(frame.verb, {"O": things, "D": grammar.before_noun(TO, self.someone())})

    def _with_place(self, action: Action) -> Action:
        """The action, sometimes with a place (`in the garden`) or company (`with Sita`)."""
        parts = {}
        if self._rng.happens(25):
            parts["P"] = self.place(WHERE_PEOPLE_ARE)
        if self._rng.happens(12):
            parts["C"] = grammar.before_noun(WITH, self.someone())
        return Action(action.verb, {**action.parts, "P": arrange(grammar.PLACES, parts)}) if parts else action
