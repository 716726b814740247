"""The section `tokenizer`: how text becomes tokens, for both sides and for each side alone."""

from typing import Annotated, Literal

from pydantic import Field

from nmt_attn.bounds import MOST_WORDS
from nmt_attn.config.base import Count, Section, TokenizerName

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")

Algorithm = Literal["unigram", "bpe"]
Units = Literal["code-points", "graphemes"]
NormalForm = Literal["none", "NFC", "NFD", "NFKC"]
Separator = Annotated[str, Field(min_length=1)]
VocabularySize = Annotated[int, Field(ge=8, le=MOST_WORDS)]
FACTOR_PATTERN = r"^[a-z][a-z0-9_]{0,30}$"
DIVIDER_PATTERN = r"^\S+$"
FactorName = Annotated[str, Field(pattern=FACTOR_PATTERN)]


class FactorsConfig(Section):
    """What each source word carries beside its text: `house|NOUN`."""

    names: tuple[FactorName, ...] = Field((), description="in the order in which they stand after a word")
    separator: str = Field("|", pattern=DIVIDER_PATTERN, description="what stands before each")


class SideTokenizerConfig(Section):
    """One side's own values of the keys of `tokenizer`; null: as there."""

    kind: TokenizerName | None = Field(None, description="of this side")
    separator: Separator | None = Field(None, description="of this side")
    units: Units | None = Field(None, description="of this side")
    algorithm: Algorithm | None = Field(None, description="of this side")
    vocab_size: VocabularySize | None = Field(None, description="of this side")
    min_frequency: Count | None = Field(None, description="of this side")
    lowercase: bool | None = Field(None, description="of this side")
    normalise: NormalForm | None = Field(None, description="of this side")


class TokenizerConfig(Section):
    """How text becomes tokens; learned from the training corpus when training starts."""

    kind: TokenizerName | None = Field(
        None,
        description="word splits on whitespace, symbols at `separator`, char everywhere; sentencepiece: subwords; "
        "null: as data.train suggests, with vocab_size and shared",
    )
    separator: Separator = Field(" ", description="symbols: what stands between two of them; ' ' is any white space")
    units: Units = Field(
        "code-points", description="char: a letter and its combining marks are one token each, or one together"
    )
    algorithm: Algorithm = Field("unigram", description="of SentencePiece")
    vocab_size: VocabularySize = Field(30000, description="largest number of tokens a side, special ones included")
    min_frequency: Count = Field(1, description="rarer words and characters become <unk>")
    shared: bool = Field(False, description="one vocabulary for both languages")
    lowercase: bool = Field(False, description="lowercase both sides before anything else")
    normalise: NormalForm = Field(
        "none", description="Unicode's normal form of the text, lowercased first; translations stay in that form"
    )
    like: str | None = Field(
        None,
        description="language models: run or model folder whose target vocabulary and tokenizer they have",
    )
    factors: FactorsConfig = Field(FactorsConfig(), description="what source words carry: house|NOUN")
    source: SideTokenizerConfig = Field(SideTokenizerConfig(), description="keys of the source side alone")
    target: SideTokenizerConfig = Field(SideTokenizerConfig(), description="keys of the target side alone")

    def side(self, name: Side) -> "TokenizerConfig":
        """The keys of one side: its own where they are set, else the common ones; factors are of the source."""
        own: SideTokenizerConfig = getattr(self, name)
        others: dict[str, Section] = {each: SideTokenizerConfig() for each in SIDES}
        if name == "target":
            others["factors"] = FactorsConfig()
        return self.model_copy(update=own.model_dump(exclude_none=True) | others)

    @property
    def known_kind(self) -> str:
        """The kind; `word` as long as the corpus has not been asked (nmt_attn/data/corpus_tokenizer.py)."""
        return self.kind or "word"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each side."""
        return tuple(self.side(name).known_kind for name in SIDES)
