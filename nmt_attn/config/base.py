"""What every section of the configuration is made of."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler

from nmt_attn import registries
from nmt_attn.bounds import LARGEST, LARGEST_SEED, LONGEST, MOST_LAYERS, MOST_UNITS, WIDEST
from nmt_attn.registry import Registry

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Whole = Annotated[int, Field(ge=0, le=LARGEST)]
Column = Annotated[int, Field(le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Length = Annotated[int, Field(ge=1, le=LONGEST)]
Units = Annotated[int, Field(ge=1, le=MOST_UNITS)]
Layers = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
EncoderLayers = Annotated[int, Field(ge=0, le=MOST_LAYERS)]
Width = Annotated[int, Field(ge=1, le=WIDEST)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class NameOf:
    """Annotation of text that must be a name of `registry`, whenever that was registered, or one of `also`."""

    def __init__(self, registry: Registry[Any], *also: str) -> None:
        self.registry = registry
        self.also = also

    @property
    def choices(self) -> tuple[str, ...]:
        """Every accepted value, as of now."""
        return (*self.also, *self.registry)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": list(self.choices), "type": "string"}

    def _check(self, name: str) -> str:
        if name not in self.choices:
            raise ValueError(f"none of {', '.join(self.choices)}")  # nmt_attn/config/file.py says more
        return name


ScoreName = Annotated[str, NameOf(registries.SCORES, "none")]
WindowName = Annotated[str, NameOf(registries.WINDOWS)]
AlignmentName = Annotated[str, NameOf(registries.TRANSITIONS, "soft")]
NormaliserName = Annotated[str, NameOf(registries.NORMALISERS)]
CoverageName = Annotated[str, NameOf(registries.COVERAGES, "none")]
CopyingName = Annotated[str, NameOf(registries.COPYINGS, "none")]
ContextGateName = Annotated[str, NameOf(registries.CONTEXT_GATES, "none")]
DecoderName = Annotated[str, NameOf(registries.DECODERS)]
CellName = Annotated[str, NameOf(registries.CELLS)]
InitialStateName = Annotated[str, NameOf(registries.INITIAL_STATES)]
InitialCellStateName = Annotated[str, NameOf(registries.INITIAL_CELL_STATES, "copy")]
ReadoutName = Annotated[str, NameOf(registries.READOUTS)]
InitialisationName = Annotated[str, NameOf(registries.INITIALISATIONS)]
OptimizerName = Annotated[str, NameOf(registries.OPTIMIZERS)]
ScheduleName = Annotated[str, NameOf(registries.SCHEDULES)]
DecayName = Annotated[str, NameOf(registries.DECAYS)]
TokenizerName = Annotated[str, NameOf(registries.TOKENIZERS)]
RankingName = Annotated[str, NameOf(registries.RANKINGS)]
MetricName = Annotated[str, NameOf(registries.METRICS)]
RiskName = Annotated[str, NameOf(registries.RISKS, "none")]
ExpectedMetric = Annotated[str, NameOf(registries.METRICS, "none")]
ValidationMetric = Annotated[str, NameOf(registries.METRICS, "loss")]
