import unicodedata

import pytest

from nmt_attn.demo import words
from nmt_attn.demo.words import Agreement, Noun, agree, future_form, imperative_form, noun_form, was_form

MASCULINE, MASCULINE_PLURAL = Agreement(False, False), Agreement(False, True)
FEMININE, FEMININE_PLURAL = Agreement(True, False), Agreement(True, True)

# The four forms, from any Hindi grammar: direct and oblique singular, direct and oblique plural.
NOUN_FORMS = [
    (Noun("boy", "boys", "लड़का", False), ["लड़का", "लड़के", "लड़के", "लड़कों"]),
    (Noun("house", "houses", "घर", False), ["घर", "घर", "घर", "घरों"]),
    (Noun("girl", "girls", "लड़की", True), ["लड़की", "लड़की", "लड़कियाँ", "लड़कियों"]),
    (Noun("book", "books", "किताब", True), ["किताब", "किताब", "किताबें", "किताबों"]),
]


@pytest.mark.parametrize(("noun", "forms"), NOUN_FORMS)
def test_nouns_are_declined_by_their_ending_and_gender(noun: Noun, forms: list[str]) -> None:
    assert [
        noun_form(noun, is_plural=is_plural, is_oblique=is_oblique)
        for is_plural in (False, True)
        for is_oblique in (False, True)
    ] == forms


def test_a_feminine_name_in_long_a_stays_as_it_is_before_a_postposition() -> None:
    assert noun_form(Noun("Sita", "", "सीता", True), is_plural=False, is_oblique=True) == "सीता"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("बड़ा", ["बड़ा", "बड़े", "बड़ी", "बड़ी"]),
        ("नया", ["नया", "नए", "नई", "नई"]),
        ("सुंदर", ["सुंदर", "सुंदर", "सुंदर", "सुंदर"]),
    ],
)
def test_adjectives_agree_in_gender_and_number(form: str, expected: list[str]) -> None:
    agreements = (MASCULINE, MASCULINE_PLURAL, FEMININE, FEMININE_PLURAL)
    assert [agree(form, agreement) for agreement in agreements] == expected


def test_a_masculine_adjective_in_the_oblique_looks_plural() -> None:
    assert agree("मेरा", MASCULINE, is_oblique=True) == "मेरे"
    assert agree("मेरा", FEMININE, is_oblique=True) == "मेरी"


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("पढ़", ["पढ़ेगा", "पढ़ेंगे", "पढ़ेगी", "पढ़ेंगी"]),
        ("खा", ["खाएगा", "खाएँगे", "खाएगी", "खाएँगी"]),
        ("पी", ["पिएगा", "पिएँगे", "पिएगी", "पिएँगी"]),
        ("दे", ["देगा", "देंगे", "देगी", "देंगी"]),
    ],
)
def test_the_future_agrees_in_gender_and_number(stem: str, expected: list[str]) -> None:
    agreements = (MASCULINE, MASCULINE_PLURAL, FEMININE, FEMININE_PLURAL)
    assert [future_form(stem, agreement) for agreement in agreements] == expected


@pytest.mark.parametrize(("stem", "form"), [("कर", "करो"), ("खा", "खाओ"), ("आ", "आओ"), ("पी", "पियो"), ("दे", "दो")])
def test_the_imperative_follows_the_end_of_the_stem(stem: str, form: str) -> None:
    assert imperative_form(stem) == form


def test_was_is_the_only_form_with_a_feminine_plural_of_its_own() -> None:
    agreements = (MASCULINE, MASCULINE_PLURAL, FEMININE, FEMININE_PLURAL)
    assert [was_form(agreement) for agreement in agreements] == ["था", "थे", "थी", "थीं"]


def test_no_noun_has_two_translations() -> None:
    groups = (words.PEOPLE, words.ANIMALS, words.EDIBLE, words.TEXTS, words.OPENABLES, words.MACHINES, words.THINGS)
    nouns = {noun for group in (*groups, words.SPOTS, words.NAMES) for noun in group}
    assert len({noun.english for noun in nouns}) == len(nouns)
    assert len({noun.hindi for noun in nouns}) == len(nouns)
    assert all(unicodedata.is_normalized("NFC", noun.hindi) for noun in nouns)
