"""Credit classes: what is fungible, and how a class is named.

Two units are of one class when programme, project, vintage period, unit kind and distinguishing labels agree. The
name is stable and a person can read it::

    VCS-1748 2021-01-01..2021-12-31 VCU +CCB-GOLD+CORSIA-PILOT-ELIGIBLE

Sustainable Development Goal labels describe a project and do not set a class apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

DESCRIBING_LABELS: Final = "SDG-"
"""Labels that begin so describe and do not distinguish."""


@dataclass(frozen=True, slots=True)
class CreditClass:
    """What makes two units interchangeable."""

    programme: str
    project_id: str
    vintage_start: dt.date
    vintage_end: dt.date
    unit_kind: str
    labels: frozenset[str]

    @property
    def class_id(self) -> str:
        """The class's stable, readable name."""
        head = (
            f"{self.programme}-{self.project_id} {self.vintage_start.isoformat()}..{self.vintage_end.isoformat()} "
            f"{self.unit_kind}"
        )
        labels = distinguishing(self.labels)
        return f"{head} +{'+'.join(labels)}" if labels else head


def distinguishing(labels: Iterable[str]) -> list[str]:
    """The labels that set a class apart, sorted."""
    return sorted({label for label in labels if not label.startswith(DESCRIBING_LABELS)})


def class_id_column(programme: pl.Expr) -> pl.Expr:
    """The class name of every row of a table with a block's columns; the same text as :attr:`CreditClass.class_id`."""
    labels = (
        pl.col("labels")
        .list.eval(pl.element().filter(~pl.element().str.starts_with(DESCRIBING_LABELS)))
        .list.unique()
        .list.sort()
        .list.join("+")
    )
    head = pl.format(
        "{}-{} {}..{} {}",
        programme,
        pl.col("project_id"),
        pl.col("vintage_start").dt.to_string("%Y-%m-%d"),
        pl.col("vintage_end").dt.to_string("%Y-%m-%d"),
        pl.col("unit_kind"),
    )
    return pl.when(labels.str.len_bytes() > 0).then(pl.format("{} +{}", head, labels)).otherwise(head)
