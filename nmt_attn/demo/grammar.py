"""Rules of the demo corpus: the words and word order of both languages, and which word translates which.

The parts of a rule have letters; arrange (nmt_attn/demo/synchronous.py) puts them in the order of each language:

    statement       S A V R O D P T  ->  S T P D R O V A     he is reading a book here -> वह यहाँ एक किताब पढ़ रहा है
    command           A V R O D P T  ->  T P D R O V         turn off the lights -> लाइट बंद करो
    noun phrase     D J H G X L      ->  L W X G D J H       the door of the house -> घर का दरवाज़ा
    preposition     P N              ->  N P                 on the table -> मेज़ पर
    relative        N R C            ->  R N C Y             the boy who is running -> जो लड़का दौड़ रहा है वह
    when            B W C            ->  W C Y B             B when C -> जब C तब B
    question          A S V R O D P  ->  Q S P D R O V A     does he read -> क्या वह पढ़ता है

S subject, A auxiliary, V verb with its negation, R pronoun that receives, O object, D "to" somebody, P place,
T time; D determiner, J adjectives, H head, G "of", X owner, L place, W वाला; C clause, Y the वह or तब that answers
R or W; Q क्या. A word without a counterpart (the, को after an object, वाला) has no link.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from nmt_attn.demo.synchronous import Order, PhrasePair, Tie, aligned, arrange, in_sequence
from nmt_attn.demo.words import (
    Adjective,
    Agreement,
    Noun,
    Verb,
    agree,
    future_form,
    imperative_form,
    is_form,
    noun_form,
    was_form,
)

Tense = Literal["habitual", "progressive", "past", "future"]
"""past is the past progressive; the simple past in Hindi would need ने."""

AND = aligned("and", "और")

STATEMENT = Order("SAVRODPT", "STPDROVA")
TIME_FIRST = Order("TSAVRODP", "TSPDROVA")
COMMAND = Order("AVRODPT", "TPDROV")
YES_NO = Order("ASVRODPT", "QSTPDROVA")
WHO = Order("SAVRODPT", "TPDROSVA")
WHAT = Order("OASVPT", "STPOVA")
WHERE = Order("PASVOT", "STOPVA")
NOUN_PHRASE = Order("DJHGXL", "LWXGDJH")
PLACES = Order("PC", "CP")
PREPOSITION = Order("PN", "NP")
RELATIVE = Order("NRC", "RNCY")
WHEN = Order("BWC", "WCYB")
IF = Order("ICTB", "ICTB")


class Nominal(NamedTuple):
    """A noun phrase and the agreement that it requires."""

    phrase: PhrasePair
    agreement: Agreement


class Head(NamedTuple):
    """A noun in its number and case."""

    noun: Noun
    is_plural: bool = False
    is_oblique: bool = False

    @property
    def agreement(self) -> Agreement:
        return Agreement(self.noun.is_feminine, self.is_plural)


class Extras(NamedTuple):
    """Optional modifiers of a head: adjectives, the owner (oblique), a prepositional phrase."""

    adjectives: tuple[Adjective, ...] = ()
    owner: PhrasePair | None = None
    place: PhrasePair | None = None


NO_EXTRAS = Extras()

DETERMINERS = {
    "the": ("", ""),
    "a": ("एक", "एक"),
    "this": ("यह", "इस"),
    "these": ("ये", "इन"),
    "my": ("मेरा", "मेरा"),
    "our": ("हमारा", "हमारा"),
    "every": ("हर", "हर"),
    "three": ("तीन", "तीन"),
    "four": ("चार", "चार"),
    "five": ("पाँच", "पाँच"),
}
"""English determiner: Hindi direct and oblique, before agreement."""


@lru_cache(maxsize=2**14)
def noun_phrase(head: Head, determiner: str = "", extras: Extras = NO_EXTRAS) -> Nominal:
    """`a big house of Ram near the river` -> `नदी के पास वाला राम का एक बड़ा घर`, in the head's number and case."""
    agreement, is_oblique = head.agreement, head.is_oblique
    english = head.noun.plural if head.is_plural else head.noun.english
    parts = {"H": aligned(english, noun_form(head.noun, is_plural=head.is_plural, is_oblique=is_oblique))}
    if extras.adjectives:
        parts["J"] = in_sequence(
            *(aligned(word, agree(hindi, agreement, is_oblique=is_oblique)) for word, hindi in extras.adjectives)
        )
    if determiner:
        hindi = agree(DETERMINERS[determiner][is_oblique], agreement, is_oblique=is_oblique)
        parts["D"] = aligned(determiner, hindi)
    if extras.owner:
        parts |= {"G": aligned("of", agree("का", agreement, is_oblique=is_oblique)), "X": extras.owner}
    if extras.place:
        parts |= {"L": extras.place, "W": aligned("", agree("वाला", agreement, is_oblique=is_oblique))}
    return Nominal(arrange(NOUN_PHRASE, parts), agreement)


def before_noun(preposition: PhrasePair, noun: PhrasePair) -> PhrasePair:
    """A preposition and an oblique noun phrase; the noun phrase is first in Hindi."""
    return arrange(PREPOSITION, {"P": preposition, "N": noun})


def couple(first: Nominal, second: Nominal) -> Nominal:
    """`Sita and the boy`: plural, and feminine only if both are."""
    is_feminine = first.agreement.is_feminine and second.agreement.is_feminine
    return Nominal(in_sequence(first.phrase, AND, second.phrase), Agreement(is_feminine, is_plural=True))


class Predicate(NamedTuple):
    """The parts A and V of a clause, and their ties."""

    parts: Mapping[str, PhrasePair]
    ties: tuple[Tie, ...] = ()


@cache
def predicate(
    verb: Verb, tense: Tense, subject: Agreement, *, is_negative: bool = False, is_question: bool = False
) -> Predicate:
    """Auxiliary and verb, agreeing with the subject."""
    negation = "नहीं" if is_negative else ""
    if tense == "future":
        action = verb_phrase(verb, verb.base, future_form(verb.stem, subject), negation)
        return Predicate({"A": aligned("will", ""), "V": action}, (Tie("A", "V"),))
    if tense != "habitual":
        action = verb_phrase(verb, verb.gerund, f"{verb.stem} {agree('रहा', subject)}", negation)
        return Predicate({"A": copula(subject, is_past=tense == "past"), "V": action})
    participle, present = agree(verb.stem + "ता", subject), is_form(subject)
    if is_negative or is_question:
        auxiliary = aligned("do" if subject.is_plural else "does", present)
        return Predicate({"A": auxiliary, "V": verb_phrase(verb, verb.base, participle, negation)})
    english = verb.base if subject.is_plural else verb.third
    return Predicate({"V": verb_phrase(verb, english, f"{participle} {present}", negation)})


def verb_phrase(verb: Verb, english: str, hindi: str, negation: str) -> PhrasePair:
    """V: `not`, the English form, its particle; preverb, negation, the Hindi form.

    turns off -> बंद करता है has the links 0-1 0-2 1-0; not clean -> साफ़ नहीं करता has 0-1 1-0 1-2.
    """
    parts = {"F": aligned(english, hindi)}
    if verb.preverb:
        parts["P"] = aligned(verb.particle, verb.preverb)
    if negation:
        parts["N"] = aligned("not", negation)
    return arrange(Order("NFP", "PNF"), parts, (Tie("F", "P"),) if verb.preverb and not verb.particle else ())


def copula(subject: Agreement, *, is_past: bool) -> PhrasePair:
    """is, are, was or were."""
    if is_past:
        return aligned("were" if subject.is_plural else "was", was_form(subject))
    return aligned("are" if subject.is_plural else "is", is_form(subject))


def complement(description: PhrasePair, *, is_negative: bool) -> PhrasePair:
    """V after a copula: `not big` -> `बड़ा नहीं`."""
    parts = {"J": description}
    if is_negative:
        parts["N"] = aligned("not", "नहीं")
    return arrange(Order("NJ", "JN"), parts)


def animate_object(noun: PhrasePair) -> PhrasePair:
    """A person or animal as an object: the oblique noun phrase and को, which has no English counterpart."""
    return in_sequence(noun, aligned("", "को"))


def clause(order: Order, subject: PhrasePair, action: Predicate, others: Mapping[str, PhrasePair]) -> PhrasePair:
    """The clause of these parts; with NOTHING as subject it continues the clause before."""
    return arrange(order, {**others, **action.parts, "S": subject}, action.ties)


def yes_no(subject: PhrasePair, action: Predicate, others: Mapping[str, PhrasePair]) -> PhrasePair:
    """`does Sita read` -> `क्या सीता पढ़ती है`; in English the auxiliary comes first."""
    parts = {**others, **action.parts, "S": subject, "Q": aligned("", "क्या")}
    return arrange(YES_NO, parts, (*action.ties, Tie("A", "Q")))


def relative(noun: Nominal, clause: PhrasePair) -> Nominal:
    """`the boy` and `is running` -> `the boy who is running`, `जो लड़का दौड़ रहा है वह`."""
    answer = aligned("", "वे" if noun.agreement.is_plural else "वह")
    parts = {"N": noun.phrase, "R": aligned("who", "जो"), "C": clause, "Y": answer}
    return Nominal(arrange(RELATIVE, parts, (Tie("R", "Y"),)), noun.agreement)


def when(main: PhrasePair, condition: PhrasePair) -> PhrasePair:
    """`main when condition` -> `जब condition तब main`."""
    parts = {"B": main, "W": aligned("when", "जब"), "C": condition, "Y": aligned("", "तब")}
    return arrange(WHEN, parts, (Tie("W", "Y"),))


def if_then(condition: PhrasePair, main: PhrasePair) -> PhrasePair:
    """`if condition then main` -> `अगर condition तो main`."""
    return arrange(IF, {"I": aligned("if", "अगर"), "C": condition, "T": aligned("then", "तो"), "B": main})


def imperative(verb: Verb, others: Mapping[str, PhrasePair], *, is_negative: bool = False) -> PhrasePair:
    """`turn off the lights` -> `लाइट बंद करो`, `do not run` -> `मत दौड़ो`."""
    action = verb_phrase(verb, verb.base, imperative_form(verb.stem), "मत" if is_negative else "")
    auxiliary = {"A": aligned("do", "")} if is_negative else {}
    return arrange(COMMAND, {**others, **auxiliary, "V": action})
