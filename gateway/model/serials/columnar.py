"""The grammars over a column of a million serials: the same patterns, in polars expressions.

The costly step is the regular expression, so it must run once. Polars does not find common subexpressions
here (measured: seven times slower), hence the steps are nested: each puts its results in a struct, and the
next reads them with ``pl.field``.

Most of its cost is in capturing the groups. So where a registry's columns are long, the pattern only decides what
matches, and what matched is cut at its separators (``_CUTS``): the same groups at half the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.model.serials.grammar import AGAIN, TEXT_FACTS, Form, Grammar
from gateway.model.serials.serial import RefusalCode

if TYPE_CHECKING:
    import polars as pl

_SERIAL_FIELDS: Final = (
    *("space", "first", "last", "count", "batch", "project", "country"),
    *("vintage_start", "vintage_end", "vintage_year", "unit_kind", "project_type", "flag"),
)


def parse_column(grammar: Grammar, column: pl.Expr, *, epoch: str | None = None) -> pl.Expr:
    """One struct per text of ``column``: what ``read`` gives, laid out in columns.

    Use it as ``frame.select(parse_column(grammar, pl.col("serial")).alias("serial")).unnest("serial")``; the
    method of the frame, since ``.struct.unnest()`` on the expression would run it once for each field.

    The fields, always all of them and in this order: ``space`` (the key), ``first``, ``last``, ``count``
    (Int64), ``batch``, ``project``, ``country``, ``vintage_start``, ``vintage_end`` (Date), ``vintage_year``
    (Int32), ``unit_kind``, ``project_type``, ``flag``, ``refused`` (a RefusalCode); String where not said.

    Of a text that is refused only ``refused`` is filled: half a serial is never used by mistake. ``read`` on
    that text gives the reason. A null has no serial: all its fields are null, ``refused`` too.

    Raises ValueError when ``epoch`` is none of the grammar's.
    """
    import polars as pl

    grammar.check_epoch(epoch)
    cut = _CUTS.get(grammar.name, _captured)
    matched = [cut(form, column).alias(f"form_{index}") for index, form in enumerate(grammar.forms)]
    refused = pl.field("refused")
    accepted = [pl.when(refused.is_null()).then(pl.field(name)).alias(name) for name in _SERIAL_FIELDS]
    return (
        pl.struct(column.is_not_null().alias("present"), *matched)
        .struct.with_fields(*_values(grammar, epoch))
        .struct.with_fields(_refusal(grammar).alias("refused"))
        .struct.with_fields(pl.struct(*accepted, refused).alias("serial"))
        .struct.field("serial")
    )


def _anchored(form: Form) -> str:
    return f"^(?:{form.pattern})$"


def _captured(form: Form, column: pl.Expr) -> pl.Expr:
    """The form's groups, captured by its pattern; all null where it does not match."""
    return column.str.extract_groups(_anchored(form))


def _cut_verra(form: Form, column: pl.Expr) -> pl.Expr:
    """The same groups: a text that matches has one part after each hyphen, and one more where it names a scope.

    The epoch ``VCS-VCU`` keeps its hyphen out of the way, and the rare underscore between the days is a hyphen here.
    """
    import polars as pl

    matching = pl.when(column.str.contains(_anchored(form))).then(column)
    even = matching.str.replace_all("_", "-", literal=True).str.replace_all("-VCS-VCU-", "-VCS_VCU-", literal=True)
    part = [pl.field("parts").struct.field(f"field_{index}") for index in range(12)]
    scoped = part[11].is_not_null()
    later = {
        name: pl.when(scoped).then(part[index + 1]).otherwise(part[index])
        for index, name in enumerate(("project", "vintage_start", "vintage_end", "flag"), start=7)
    }
    groups = {
        "batch": part[0],
        "first": part[1],
        "last": part[2],
        "epoch": part[3].str.replace("_", "-", literal=True),
        "country": part[6],
        "project_type": pl.when(scoped).then(part[7]),
        **later,
    }
    return (
        pl.struct(even.str.split_exact("-", 11).alias("parts"))
        .struct.with_fields(pl.struct(value.alias(name) for name, value in groups.items()).alias("groups"))
        .struct.field("groups")
    )


#: Grammars of one form whose matching texts can be cut instead of captured.
_CUTS: Final[Mapping[str, Callable[[Form, pl.Expr], pl.Expr]]] = MappingProxyType({"verra": _cut_verra})


def _values(grammar: Grammar, epoch: str | None) -> list[pl.Expr]:
    """What the texts say, typed; null where no form matches."""
    import polars as pl

    first, last = (_said(grammar, name).cast(pl.Int64) for name in ("first", "last"))
    # A field cannot see one made beside it, so the written days go on to the refusal under their own names.
    days = [_said(grammar, name) for name in ("vintage_start", "vintage_end")]
    spaces = [_space_key(form, _groups(index), epoch) for index, form in enumerate(grammar.forms)]
    return [
        pl.coalesce(spaces).alias("space"),
        first.alias("first"),
        last.alias("last"),
        (last - first + 1).alias("count"),
        *(day.alias(f"written_{index}") for index, day in enumerate(days)),
        *(
            day.str.to_date("%d%m%Y", strict=False).alias(name)
            for name, day in zip(("vintage_start", "vintage_end"), days, strict=True)
        ),
        _said(grammar, "vintage_year").cast(pl.Int32).alias("vintage_year"),
        *(_said(grammar, name).alias(name) for name in TEXT_FACTS),
    ]


def _refusal(grammar: Grammar) -> pl.Expr:
    """The code of the first fault, in the order in which ``read`` looks; null where there is none."""
    import polars as pl

    starts, ends = pl.field("vintage_start"), pl.field("vintage_end")
    impossible = [
        pl.field("written_0").is_not_null() & starts.is_null(),
        pl.field("written_1").is_not_null() & ends.is_null(),
        starts > ends,
    ]
    return (
        pl.when(pl.field("present") & pl.field("first").is_null())
        .then(pl.lit(RefusalCode.UNREADABLE.value))
        .when(_parts_disagree(grammar))
        .then(pl.lit(RefusalCode.PARTS_DISAGREE.value))
        .when(pl.field("first") > pl.field("last"))
        .then(pl.lit(RefusalCode.BACKWARDS.value))
        .when(reduce(or_, impossible))
        .then(pl.lit(RefusalCode.DATE.value))
        .otherwise(pl.lit(None, dtype=pl.String))
    )


def _groups(index: int) -> pl.Expr:
    import polars as pl

    return pl.field(f"form_{index}")


def _said(grammar: Grammar, name: str) -> pl.Expr:
    """The text of a group, from whichever form has it."""
    import polars as pl

    told = [_groups(index).struct.field(name) for index, form in enumerate(grammar.forms) if name in form.groups]
    return pl.coalesce(told) if told else pl.lit(None, dtype=pl.String)


def _parts_disagree(grammar: Grammar) -> pl.Expr:
    import polars as pl

    differ = [
        _groups(index).struct.field(name).ne_missing(_groups(index).struct.field(AGAIN + name))
        for index, form in enumerate(grammar.forms)
        for name in form.repeated
    ]
    return reduce(or_, differ, pl.lit(value=False))


def _space_key(form: Form, groups: pl.Expr, epoch: str | None) -> pl.Expr:
    """The text of ``NumberingSpace.key``; null where the form does not match."""
    import polars as pl

    parts = [_told(form, groups, "registry", form.registry), pl.lit(":")]
    scope = [groups.struct.field(name) for name in form.scope]
    if epoch or form.epoch or "epoch" in form.groups:
        parts.append(pl.lit(epoch) if epoch else _told(form, groups, "epoch", form.epoch))
        parts += [pl.lit("/")] if scope else []
    for index, part in enumerate(scope):
        parts += [pl.lit("-"), part] if index else [part]
    return pl.when(groups.struct.field("first").is_not_null()).then(pl.concat_str(parts))


def _told(form: Form, groups: pl.Expr, name: str, otherwise: str) -> pl.Expr:
    import polars as pl

    return groups.struct.field(name).str.to_lowercase() if name in form.groups else pl.lit(otherwise)
