"""The section `data.columns`: which columns or fields of a corpus are its two sides, and which of them hold tags."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer

from nmt_attn.bounds import LARGEST
from nmt_attn.config.base import Section

ColumnName = Annotated[int, Field(ge=1, le=LARGEST)] | Annotated[str, Field(min_length=1)]


class ColumnConfig(Section):
    """One column of the source side."""

    column: ColumnName = Field(description="number from 1 (tsv), or name of a field (jsonl, dataset)")
    as_: Literal["text", "tags", "tag"] = Field(
        "text",
        alias="as",
        description="text; tags: symbols of their own; tag: one that each text must have, such as its language",
    )
    split: str | None = Field(
        None, min_length=1, description="tags: each of these characters stands between two of them"
    )
    default: str | None = Field(None, description="what an empty cell, or a text without this column, stands for")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        """Only what was said, by the names of the file."""
        found = {"column": self.column, "as": self.as_, "split": self.split, "default": self.default}
        return {key: value for key, value in found.items() if value is not None}


class ColumnsConfig(Section):
    """Columns of all three corpora, in place of their own keys `source` and `target`."""

    source: ColumnName | tuple[ColumnName | ColumnConfig, ...] | None = Field(
        None, description="column, or several in a row: [1, {column: 2, as: tags, split: ;}]"
    )
    target: ColumnName | None = Field(None, description="column")
