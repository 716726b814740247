"""Sentences derived by hand: both texts, and the links as Pharaoh text (English position - Hindi position)."""

import pytest

from nmt_attn.alignment.formats import pharaoh_line
from nmt_attn.demo import grammar, words
from nmt_attn.demo.grammar import STATEMENT, WHO, Extras, Head, Nominal, Tense
from nmt_attn.demo.synchronous import NOTHING, Order, PhrasePair, Tie, aligned, arrange, in_sequence
from nmt_attn.demo.words import Adjective, Agreement, Noun, Verb

BOY, GIRL = Noun("boy", "boys", "लड़का", False), Noun("girl", "girls", "लड़की", True)
KEY, DOOR = Noun("key", "keys", "चाबी", True), Noun("door", "doors", "दरवाज़ा", False)
BOOK, RIVER = Noun("book", "books", "किताब", True), Noun("river", "rivers", "नदी", True)
HE = Nominal(aligned("he", "वह"), Agreement(False, False))
THEY = Nominal(aligned("they", "वे"), Agreement(False, True))
SITA = grammar.noun_phrase(Head(Noun("Sita", "", "सीता", True)))
MIRA = grammar.noun_phrase(Head(Noun("Mira", "", "मीरा", True)))
RAM = grammar.noun_phrase(Head(Noun("Ram", "", "राम", False)))
NEAR, ON = aligned("near", "के पास"), aligned("on", "पर")


def the(noun: Noun, *, is_plural: bool = False, is_oblique: bool = False) -> Nominal:
    return grammar.noun_phrase(Head(noun, is_plural, is_oblique), "the")


def state(subject: Nominal, verb: Verb, tense: Tense = "habitual", **parts: PhrasePair) -> PhrasePair:
    return grammar.clause(STATEMENT, subject.phrase, grammar.predicate(verb, tense, subject.agreement), parts)


def check(phrase: PhrasePair, english: str, hindi: str, links: str) -> None:
    assert " ".join(phrase.source) == english
    assert " ".join(phrase.target) == hindi
    assert pharaoh_line(sorted(phrase.links)) == links


def test_parts_keep_their_links_in_either_order() -> None:
    # a b c -> c a b with one word a part, but two Hindi words in b: c is 0, a is 1, b is 2 and 3.
    parts = {"A": aligned("a", "अ"), "B": aligned("b", "ब भ"), "C": aligned("c", "स")}
    check(arrange(Order("ABC", "CAB"), parts), "a b c", "स अ ब भ", "0-1 1-2 1-3 2-0")


def test_a_tie_links_with_the_last_word_of_the_other_part() -> None:
    parts = {"A": aligned("a", ""), "B": aligned("b", "ब भ", "0-0")}
    check(arrange(Order("AB", "BA"), parts, (Tie("A", "B"),)), "a b", "ब भ", "0-1 1-0")


def test_an_imperative_has_its_verb_last() -> None:
    lights = {"O": the(words.LIGHTS).phrase}
    check(grammar.imperative(words.TURN_OFF, lights), "turn off the lights", "लाइट बंद करो", "0-2 1-1 3-0")


def test_a_forbidding_imperative_has_its_negation_before_the_verb() -> None:
    door = {"O": the(DOOR).phrase}
    check(grammar.imperative(words.RUN, {}, is_negative=True), "do not run", "मत दौड़ो", "1-0 2-1")
    # The preverb stays before the negation; close translates बंद and करो.
    english, hindi = "do not close the door", "दरवाज़ा बंद मत करो"
    check(grammar.imperative(words.CLOSE, door, is_negative=True), english, hindi, "1-2 2-1 2-3 4-0")


def test_subject_verb_object_becomes_subject_object_verb() -> None:
    book = grammar.noun_phrase(Head(BOOK), "a").phrase
    check(state(SITA, words.READ, O=book), "Sita reads a book", "सीता एक किताब पढ़ती है", "0-0 1-3 1-4 2-1 3-2")


def test_a_living_object_is_oblique_and_has_an_unlinked_postposition() -> None:
    boy = grammar.animate_object(grammar.noun_phrase(Head(BOY, is_oblique=True), "a").phrase)
    english, hindi = "the girl watches a boy", "लड़की एक लड़के को देखती है"
    check(state(the(GIRL), words.WATCH, O=boy), english, hindi, "1-0 2-4 2-5 3-1 4-2")


def test_a_preposition_follows_its_noun() -> None:
    table = grammar.before_noun(ON, the(words.TABLE, is_oblique=True).phrase)
    predicate = grammar.Predicate({"A": grammar.copula(the(KEY).agreement, is_past=False), "V": table})
    phrase = grammar.clause(STATEMENT, the(KEY).phrase, predicate, {})
    check(phrase, "the key is on the table", "चाबी मेज़ पर है", "1-0 2-3 3-2 5-1")


def test_owners_come_first_and_agree_with_what_they_own() -> None:
    house = grammar.noun_phrase(Head(words.HOUSE, is_oblique=True), "the", Extras(owner=RAM.phrase)).phrase
    # घर is oblique before का, so राम has के; दरवाज़ा is direct, so घर has का.
    door = grammar.noun_phrase(Head(DOOR), "the", Extras(owner=house)).phrase
    check(door, "the door of the house of Ram", "राम के घर का दरवाज़ा", "1-4 2-3 4-2 5-1 6-0")
    key = grammar.noun_phrase(Head(KEY), "the", Extras(owner=RAM.phrase)).phrase
    check(key, "the key of Ram", "राम की चाबी", "1-2 2-1 3-0")


def test_determiner_and_adjective_agree_in_the_oblique_too() -> None:
    big = Extras((Adjective("big", "बड़ा"),))
    room = Head(words.ROOM, is_oblique=True)
    check(grammar.noun_phrase(room, "this", big).phrase, "this big room", "इस बड़े कमरे", "0-0 1-1 2-2")
    check(grammar.noun_phrase(room, "my").phrase, "my room", "मेरे कमरे", "0-0 1-1")


def test_a_place_after_a_subject_goes_in_front_of_it() -> None:
    river = grammar.before_noun(NEAR, the(RIVER, is_oblique=True).phrase)
    boy = grammar.noun_phrase(Head(BOY), "the", Extras(place=river)).phrase
    check(boy, "the boy near the river", "नदी के पास वाला लड़का", "1-4 2-1 2-2 4-0")


def test_a_negated_verb_keeps_its_auxiliary_last() -> None:
    predicate = grammar.predicate(words.CLEAN, "habitual", SITA.agreement, is_negative=True)
    phrase = grammar.clause(STATEMENT, SITA.phrase, predicate, {"O": the(words.ROOM).phrase})
    check(phrase, "Sita does not clean the room", "सीता कमरा साफ़ नहीं करती है", "0-0 1-5 2-3 3-2 3-4 5-1")


@pytest.mark.parametrize(
    ("tense", "english", "hindi", "links"),
    [
        ("habitual", "they sing", "वे गाते हैं", "0-0 1-1 1-2"),
        ("progressive", "they are singing", "वे गा रहे हैं", "0-0 1-3 2-1 2-2"),
        ("past", "they were singing", "वे गा रहे थे", "0-0 1-3 2-1 2-2"),
        ("future", "they will sing", "वे गाएँगे", "0-0 1-1 2-1"),
    ],
)
def test_tenses(tense: Tense, english: str, hindi: str, links: str) -> None:
    check(state(THEY, words.SING, tense), english, hindi, links)


def test_the_auxiliary_in_front_is_what_asks() -> None:
    girls = the(GIRL, is_plural=True)
    predicate = grammar.predicate(words.SING, "future", girls.agreement, is_question=True)
    phrase = grammar.yes_no(girls.phrase, predicate, {})
    check(phrase, "will the girls sing", "क्या लड़कियाँ गाएँगी", "0-0 0-2 2-1 3-2")


def test_who_stands_before_the_verb() -> None:
    who = Nominal(aligned("who", "कौन"), Agreement(False, False))
    parts = {"R": aligned("me", "मुझे"), "O": the(KEY).phrase}
    phrase = grammar.clause(WHO, who.phrase, grammar.predicate(words.GIVE, "habitual", who.agreement), parts)
    check(phrase, "who gives me the key", "मुझे चाबी कौन देता है", "0-2 1-3 1-4 2-0 4-1")


@pytest.mark.parametrize(("second", "verb"), [(MIRA, "गाती"), (RAM, "गाते")])
def test_a_couple_is_plural_and_feminine_only_if_both_are(second: Nominal, verb: str) -> None:
    assert state(grammar.couple(SITA, second), words.SING).target[-2:] == (verb, "हैं")


def test_a_relative_clause_is_answered_by_a_pronoun() -> None:
    boys = the(BOY, is_plural=True)
    running = state(Nominal(NOTHING, boys.agreement), words.RUN, "progressive")
    phrase = state(grammar.relative(boys, running), words.SLEEP)
    english, hindi = "the boys who are running sleep", "जो लड़के दौड़ रहे हैं वे सोते हैं"
    check(phrase, english, hindi, "1-1 2-0 2-5 3-4 4-2 4-3 5-6 5-7")


def test_the_clause_of_when_comes_first() -> None:
    phrase = grammar.when(state(HE, words.SLEEP), state(THEY, words.RUN))
    english, hindi = "he sleeps when they run", "जब वे दौड़ते हैं तब वह सोता है"
    check(phrase, english, hindi, "0-5 1-6 1-7 2-0 2-4 3-1 4-2 4-3")


def test_if_and_then_stay_where_they_are() -> None:
    phrase = grammar.if_then(state(HE, words.SLEEP), grammar.imperative(words.READ, {"O": aligned("it", "इसे")}))
    english, hindi = "if he sleeps then read it", "अगर वह सोता है तो इसे पढ़ो"
    check(phrase, english, hindi, "0-0 1-1 2-2 2-3 3-4 4-6 5-5")


def test_joined_clauses_are_reordered_one_by_one() -> None:
    rice, water = aligned("rice", "चावल"), aligned("water", "पानी")
    eat, drink = (grammar.imperative(*action) for action in ((words.EAT, {"O": rice}), (words.DRINK, {"O": water})))
    phrase = in_sequence(eat, grammar.AND, drink)
    check(phrase, "eat rice and drink water", "चावल खाओ और पानी पियो", "0-1 1-0 2-2 3-4 4-3")
