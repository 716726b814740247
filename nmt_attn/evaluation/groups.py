"""Groups: quality by the tags of the source, and by how often its rarest part occurs in training."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nmt_attn.data.columns import TAG
from nmt_attn.evaluation.lengths import Bucket, GroupRow, group_row
from nmt_attn.evaluation.metrics import SystemMeasures

FREQUENCIES = (
    Bucket("0", 0, 0),
    Bucket("1", 1, 1),
    Bucket("2-9", 2, 9),
    Bucket("10-99", 10, 99),
    Bucket("100-999", 100, 999),
    Bucket(">999", 1000, None),
)
"""How often something occurs in training."""
NO_TAG = "none"


def by_tag(sources: Sequence[str], system: SystemMeasures) -> list[GroupRow]:
    """One row a tag, the commonest first, and one for sources without any; empty if no source has one."""
    tags = [set(filter(TAG.fullmatch, source.split())) for source in sources]
    counts = Counter(tag for each in tags for tag in each)
    if not counts:
        return []
    order = sorted(counts, key=lambda tag: (-counts[tag], tag))
    rows = [group_row(Bucket(tag, 0, None), np.array([tag in each for each in tags]), system) for tag in order]
    untagged = np.array([not each for each in tags])
    return [*rows, *([group_row(Bucket(NO_TAG, 0, None), untagged, system)] if untagged.any() else [])]


def by_frequency(units: Sequence[Sequence[str]], training: Counter[str], system: SystemMeasures) -> list[GroupRow]:
    """One row a range of frequencies: a line is where its rarest unit is. Lines without any are left out."""
    rarest = np.array([min((training[unit] for unit in line), default=-1) for line in units])
    return [group_row(bucket, bucket.holds(rarest), system) for bucket in FREQUENCIES]
