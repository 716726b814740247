"""Words of the demo corpus: an English-Hindi dictionary and Hindi inflection.

Every English form has one Hindi form for each gender, number and case, so a source sentence has one translation. Words
that end in the sign ा agree like adjectives: adjectives proper, का, वाला, मेरा, the participles in ता and रहा, and गा of
the future. Tenses with ने are not used.
"""

from typing import NamedTuple


class Agreement(NamedTuple):
    """The agreement of a noun with its adjectives, its genitive and its verb."""

    is_feminine: bool
    is_plural: bool


class Noun(NamedTuple):
    """A noun; the plural is empty if only the singular is used. `hindi` is the direct singular."""

    english: str
    plural: str
    hindi: str
    is_feminine: bool


class Verb(NamedTuple):
    """A verb; `particle` follows the English verb (turn off), `preverb` comes before the Hindi one (बंद करो)."""

    base: str
    third: str
    gerund: str
    stem: str
    preverb: str = ""
    particle: str = ""


class Adjective(NamedTuple):
    """An adjective; `hindi` is the masculine direct singular."""

    english: str
    hindi: str


def agree(form: str, agreement: Agreement, *, is_oblique: bool = False) -> str:
    """`form` (masculine direct singular) inflected for `agreement`: ा, े or ी; other endings are unchanged."""
    if not form.endswith("ा"):
        return form
    if agreement.is_feminine:
        return form[:-2] + "ई" if form == "नया" else form[:-1] + "ी"
    if agreement.is_plural or is_oblique:
        return form[:-2] + "ए" if form == "नया" else form[:-1] + "े"
    return form


def noun_form(noun: Noun, *, is_plural: bool, is_oblique: bool) -> str:
    """The Hindi noun in its number and case; oblique is the form before a postposition."""
    word = noun.hindi
    if not is_plural:
        return agree(word, Agreement(False, False), is_oblique=is_oblique) if not noun.is_feminine else word
    if word.endswith("ी"):
        return word[:-1] + ("ियों" if is_oblique else "ियाँ")
    stem = word.removesuffix("ा")
    if is_oblique:
        return stem + "ों"
    if noun.is_feminine:
        return stem + "ें"
    return agree(word, Agreement(is_feminine=False, is_plural=True))


def future_form(stem: str, agreement: Agreement) -> str:
    """The future of a verb stem: पढ़ेगा, खाएँगे, पिएगी, देंगी."""
    if stem == "दे":
        person = "दें" if agreement.is_plural else "दे"
    elif stem[-1] in "ाोीआ":
        person = stem.removesuffix("ी") + ("ि" if stem[-1] == "ी" else "") + ("एँ" if agreement.is_plural else "ए")
    else:
        person = stem + ("ें" if agreement.is_plural else "े")
    return person + agree("गा", agreement)


def imperative_form(stem: str) -> str:
    """The familiar imperative of a verb stem: करो, खाओ, पियो, दो."""
    if stem == "दे":
        return "दो"
    if stem.endswith("ी"):
        return stem[:-1] + "ियो"
    return stem + ("ओ" if stem[-1] in "ाोआ" else "ो")


def is_form(agreement: Agreement) -> str:
    """है or हैं."""
    return "हैं" if agreement.is_plural else "है"


def was_form(agreement: Agreement) -> str:
    """था, थे, थी or थीं."""
    return "थीं" if agreement.is_feminine and agreement.is_plural else agree("था", agreement)


FRIEND = Noun("friend", "friends", "दोस्त", False)
SISTER = Noun("sister", "sisters", "बहन", True)
STRANGERS = (
    Noun("boy", "boys", "लड़का", False),
    Noun("girl", "girls", "लड़की", True),
    Noun("child", "children", "बच्चा", False),
    Noun("woman", "women", "औरत", True),
    Noun("farmer", "farmers", "किसान", False),
    Noun("doctor", "doctors", "डॉक्टर", False),
)
PEOPLE = (*STRANGERS, FRIEND, SISTER)
ANIMALS = (
    Noun("dog", "dogs", "कुत्ता", False),
    Noun("cat", "cats", "बिल्ली", True),
    Noun("horse", "horses", "घोड़ा", False),
    Noun("cow", "cows", "गाय", True),
)
FOODS = (
    Noun("rice", "", "चावल", False),
    Noun("bread", "", "रोटी", True),
    Noun("mango", "mangoes", "आम", False),
    Noun("carrot", "carrots", "गाजर", True),
    Noun("banana", "bananas", "केला", False),
)
DRINKS = (
    Noun("water", "", "पानी", False),
    Noun("milk", "", "दूध", False),
    Noun("tea", "", "चाय", True),
)
EDIBLE = (*FOODS, *DRINKS)
LETTER = Noun("letter", "letters", "चिट्ठी", True)
STORY = Noun("story", "stories", "कहानी", True)
TEXTS = (
    LETTER,
    STORY,
    Noun("book", "books", "किताब", True),
    Noun("newspaper", "newspapers", "अख़बार", False),
)
BOX = Noun("box", "boxes", "डिब्बा", False)
OF_BUILDINGS = (Noun("door", "doors", "दरवाज़ा", False), Noun("window", "windows", "खिड़की", True))
OPENABLES = (BOX, *OF_BUILDINGS)
LIGHTS = Noun("lights", "", "लाइट", True)
MACHINES = (
    Noun("fan", "fans", "पंखा", False),
    Noun("computer", "computers", "कंप्यूटर", False),
    Noun("machine", "machines", "मशीन", True),
)
CHAIR = Noun("chair", "chairs", "कुर्सी", True)
CUP = Noun("cup", "cups", "प्याला", False)
SHIRT = Noun("shirt", "shirts", "कमीज़", True)
THINGS = (
    CHAIR,
    CUP,
    SHIRT,
    Noun("picture", "pictures", "तस्वीर", True),
    Noun("key", "keys", "चाबी", True),
    Noun("flower", "flowers", "फूल", False),
)
HOUSE = Noun("house", "houses", "घर", False)
ROOM = Noun("room", "rooms", "कमरा", False)
INSIDES = (
    HOUSE,
    ROOM,
    Noun("school", "schools", "स्कूल", False),
    Noun("garden", "gardens", "बगीचा", False),
    Noun("village", "villages", "गाँव", False),
    Noun("market", "markets", "बाज़ार", False),
)
TABLE = Noun("table", "tables", "मेज़", True)
TREE = Noun("tree", "trees", "पेड़", False)
SPOTS = (*INSIDES, TABLE, TREE, Noun("river", "rivers", "नदी", True))

NAMES = (
    Noun("Sita", "", "सीता", True),
    Noun("Mira", "", "मीरा", True),
    Noun("Asha", "", "आशा", True),
    Noun("Ram", "", "राम", False),
    Noun("Arun", "", "अरुण", False),
    Noun("Ravi", "", "रवि", False),
)

GOOD, SMALL, BEAUTIFUL = Adjective("good", "अच्छा"), Adjective("small", "छोटा"), Adjective("beautiful", "सुंदर")
OF_PEOPLE = (GOOD, SMALL, BEAUTIFUL, Adjective("hungry", "भूखा"), Adjective("happy", "ख़ुश"), Adjective("tall", "लंबा"))
OF_FOOD = (GOOD, Adjective("hot", "गरम"), Adjective("cold", "ठंडा"))
OF_THINGS = (GOOD, SMALL, BEAUTIFUL, Adjective("big", "बड़ा"), Adjective("new", "नया"), Adjective("cheap", "सस्ता"))
COLOURS = (Adjective("red", "लाल"), Adjective("white", "सफ़ेद"), Adjective("black", "काला"))
COLOURED = (*THINGS, *OPENABLES, HOUSE, TABLE)

SLEEP = Verb("sleep", "sleeps", "sleeping", "सो")
RUN = Verb("run", "runs", "running", "दौड़")
SING = Verb("sing", "sings", "singing", "गा")
WORK = Verb("work", "works", "working", "कर", preverb="काम")
GO = Verb("go", "goes", "going", "जा")
COME = Verb("come", "comes", "coming", "आ")
EAT = Verb("eat", "eats", "eating", "खा")
DRINK = Verb("drink", "drinks", "drinking", "पी")
READ = Verb("read", "reads", "reading", "पढ़")
WRITE = Verb("write", "writes", "writing", "लिख")
BUY = Verb("buy", "buys", "buying", "ख़रीद")
BRING = Verb("bring", "brings", "bringing", "ला")
OPEN = Verb("open", "opens", "opening", "खोल")
CLOSE = Verb("close", "closes", "closing", "कर", preverb="बंद")
WASH = Verb("wash", "washes", "washing", "धो")
CLEAN = Verb("clean", "cleans", "cleaning", "कर", preverb="साफ़")
REPAIR = Verb("repair", "repairs", "repairing", "कर", preverb="ठीक")
TURN_ON = Verb("turn", "turns", "turning", "कर", preverb="चालू", particle="on")
TURN_OFF = Verb("turn", "turns", "turning", "कर", preverb="बंद", particle="off")
WATCH = Verb("watch", "watches", "watching", "देख")
GIVE = Verb("give", "gives", "giving", "दे")
SEND = Verb("send", "sends", "sending", "भेज")


class Frame(NamedTuple):
    """A verb and the nouns that can be its objects."""

    verb: Verb
    objects: tuple[Noun, ...]


INTRANSITIVE = (SLEEP, RUN, SING, WORK)
TRANSITIVE = (
    Frame(EAT, FOODS),
    Frame(DRINK, DRINKS),
    Frame(READ, TEXTS),
    Frame(WRITE, (LETTER, STORY)),
    Frame(BUY, (*THINGS, *FOODS, *TEXTS, *MACHINES, TABLE)),
    Frame(BRING, (*THINGS, *FOODS, *DRINKS, *TEXTS, BOX)),
    Frame(OPEN, OPENABLES),
    Frame(CLOSE, OPENABLES),
    Frame(WASH, (SHIRT, CUP, BOX, TABLE, CHAIR)),
    Frame(CLEAN, (ROOM, HOUSE, TABLE, CHAIR, BOX)),
    Frame(REPAIR, (*MACHINES, *OPENABLES, TABLE, CHAIR)),
    Frame(TURN_ON, (LIGHTS, *MACHINES)),
    Frame(TURN_OFF, (LIGHTS, *MACHINES)),
)
HANDED = (Frame(GIVE, (*THINGS, *FOODS, *DRINKS, *TEXTS)), Frame(SEND, (*TEXTS, *THINGS)))
