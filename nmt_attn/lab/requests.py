"""What programs may ask the lab's server for. Every field is checked here; the documented schema is made from these."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

MAX_BODY_BYTES = 64 * 1024
MAX_CHARACTERS = 4000
"""Of one text."""
MAX_TOKENS = 200
"""Of one sentence: a matrix of more is no picture."""
MAX_BEAM = 10
MAX_TEXTS = 64
"""Of one request."""

Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
Token = Annotated[str, Field(min_length=1, max_length=200)]
Beam = Annotated[int, Field(ge=1, le=MAX_BEAM, strict=True)]
Prefix = Annotated[list[Token], Field(max_length=MAX_TOKENS)]
Weight = Annotated[FiniteFloat, Field(ge=0)]
StepNumber = Annotated[int, Field(ge=0, le=2 * MAX_TOKENS)]
Given = Annotated[
    dict[StepNumber, Annotated[list[Weight], Field(min_length=1, max_length=MAX_TOKENS + 1)]],
    Field(max_length=MAX_TOKENS),
]


class _Body(BaseModel):
    """Contract: unknown fields are refused; `model` is a name of /api/models, by default the first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(max_length=200)] | None = None


class TranslateBody(_Body):
    """POST /api/translate: one text or several, each a sentence."""

    text: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    beam: Beam = 1
    nbest: Beam = 1
    prefix: Annotated[str, Field(max_length=MAX_CHARACTERS)] = ""
    alignments: bool = False  # with the weights
    details: bool = False  # with tokens and their log-probabilities


class TraceBody(_Body):
    """What /api/steps and /api/beam have in common."""

    text: Text
    beam: Beam = 1
    prefix: Prefix = []
    given: Given = {}


class StepsBody(TraceBody):
    """POST /api/steps: every number of every step of one translation."""

    vectors: Annotated[int, Field(ge=0, le=4096, strict=True)] = 4


class FormulaBody(TraceBody):
    """POST /api/formula: the terms of one score e_tj."""

    step: StepNumber
    position: Annotated[int, Field(ge=0, le=MAX_TOKENS)]


class PairBody(_Body):
    """POST /api/score: a text and a given translation."""

    source: Text
    target: Annotated[str, Field(max_length=MAX_CHARACTERS)]


class AlignBody(PairBody):
    """POST /api/align: the same; links of single words where the weight is `threshold`, or the best ones."""

    shift: Literal[0, 1] = 0
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class NeighboursBody(TraceBody):
    """POST /api/neighbours: the states of the training set that are nearest to one of this sentence."""

    layer: Literal["encoder", "state", "context"]
    place: Annotated[int, Field(ge=0, le=2 * MAX_TOKENS)]
    count: Annotated[int, Field(ge=1, le=50)] = 10


class OpenNMTItem(BaseModel):
    """One sentence of POST /translator/translate, as clients of OpenNMT-py's server send it."""

    model_config = ConfigDict(frozen=True)

    src: Text
    id: int | str | None = None
