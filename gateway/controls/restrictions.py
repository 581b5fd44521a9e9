"""Restrictions: one concept for halts, freezes and breaks. One is placed with a reason and lifted with another.

A restriction lies on everything, a market, a programme, a project, a credit class, an offer or an account. It is kept
for ever with who placed it, when and why, and who lifted it; at most one is in force on the same thing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.controls import ScopeKind
from gateway.model.errors import ConfigurationError
from gateway.store import events
from gateway.store.tables.controls import restriction

TEXT_LIMIT: Final = 500
"""Characters of a scope, a reason or a name."""

_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, halves of a character, and ends of a line and a paragraph."""
_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Unicode's classes (UAX 9) of the marks that turn the direction of writing, so that a reason would read otherwise."""


class AlreadyRestricted(ConfigurationError):
    """A restriction is in force on the same thing already.

    Args:
        scope: on what.
        found: the restriction in force; None where it was lifted in this very moment.
    """

    def __init__(self, scope: Scope, found: Restriction | None) -> None:
        self.found = found
        by = (
            f", by {found.placed_by} since {found.placed_at.astimezone(UTC):%Y-%m-%d %H:%M}Z: {found.reason}"
            if found
            else ""
        )
        super().__init__(f"{scope} is restricted already{by}; see 'carbon-gateway restrictions'")


Names = Mapping[ScopeKind, Collection[str]]
"""What something is called, by the kinds of scope that may lie on it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a restriction lies on; ``value`` is empty for all.

    Raises ConfigurationError when it names nothing, or more than its kind has, or something that is no text.
    """

    kind: ScopeKind
    value: str = ""

    def __post_init__(self) -> None:
        if (self.kind is ScopeKind.ALL) != (self.value == ""):
            raise ConfigurationError(
                f"found the scope {self.kind.value} with {self.value!r}; expected a value for each scope but 'all', "
                "which takes none"
            )
        if self.kind is not ScopeKind.ALL:
            _require_text("scope", self.value)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """``all``, or ``class:VCS-1748 2021-…``. Raises ConfigurationError naming the kinds there are."""
        kind, _, value = text.partition(":")
        if kind not in {one.value for one in ScopeKind}:
            kinds = ", ".join(one.value if one is ScopeKind.ALL else f"{one.value}:…" for one in ScopeKind)
            raise ConfigurationError(f"found the scope {text!r}; expected one of {kinds}")
        return cls(ScopeKind(kind), value.strip())

    def __str__(self) -> str:
        """As it is written on the command line."""
        return self.kind.value if self.kind is ScopeKind.ALL else f"{self.kind.value}:{self.value}"


@dataclass(frozen=True, slots=True)
class Restriction:
    """A restriction in force."""

    id: int
    scope: Scope
    reason: str
    placed_by: str
    placed_at: datetime


class Restrictions:
    """The restrictions in force at one moment."""

    def __init__(self, found: Iterable[Restriction]) -> None:
        self._found = {one.scope: one for one in found}

    def exactly_on(self, scope: Scope) -> Restriction | None:
        """The restriction on just this scope; None where there is none."""
        return self._found.get(scope)

    def on(self, names: Names) -> Restriction | None:
        """The restriction that stops something with these names, the widest first; None where nothing does."""
        for kind in ScopeKind:
            for value in ("",) if kind is ScopeKind.ALL else names.get(kind, ()):
                if (kind is ScopeKind.ALL or value) and (found := self._found.get(Scope(kind, value))) is not None:
                    return found
        return None


async def place(connection: AsyncConnection, scope: Scope, *, reason: str, by: str) -> Restriction:
    """Places a restriction.

    Raises ConfigurationError for a reason or a name that is no text, AlreadyRestricted where one is in force on the
    same thing.
    """
    _require_text("reason", reason)
    _require_text("name", by)
    try:
        async with connection.begin_nested():
            row = (
                await connection.execute(
                    insert(restriction)
                    .values(scope_kind=scope.kind.value, scope=scope.value, reason=reason, placed_by=by)
                    .returning(restriction.c.id, restriction.c.placed_at)
                )
            ).one()
    except IntegrityError as error:
        raise AlreadyRestricted(scope, (await in_force(connection)).exactly_on(scope)) from error
    placed = Restriction(row.id, scope, reason, by, row.placed_at)
    await _tell(connection, "placed", placed, by, reason)
    return placed


async def lift(connection: AsyncConnection, scope: Scope, *, reason: str, by: str) -> Restriction:
    """Lifts the restriction in force on something.

    Raises ConfigurationError where there is none, and for a reason or a name that is no text.
    """
    _require_text("reason", reason)
    _require_text("name", by)
    row = (
        await connection.execute(
            update(restriction)
            .where(
                restriction.c.scope_kind == scope.kind.value,
                restriction.c.scope == scope.value,
                restriction.c.lifted_at.is_(None),
            )
            .values(lifted_by=by, lifted_at=func.clock_timestamp(), lift_reason=reason)
            .returning(restriction)
        )
    ).one_or_none()
    if row is None:
        raise ConfigurationError(f"no restriction is in force on {scope}; see 'carbon-gateway restrictions'")
    lifted = _restriction(row)
    await _tell(connection, "lifted", lifted, by, reason)
    return lifted


async def in_force(connection: AsyncConnection) -> Restrictions:
    """Every restriction that is in force now."""
    rows = await connection.execute(select(restriction).where(restriction.c.lifted_at.is_(None)))
    return Restrictions(_restriction(row) for row in rows)


async def listed(connection: AsyncConnection, *, lifted: bool, limit: int) -> list[dict[str, Any]]:
    """Restrictions as rows, the newest first; with ``lifted`` those that are history too."""
    asked = select(restriction).order_by(restriction.c.id.desc()).limit(limit)
    if not lifted:
        asked = asked.where(restriction.c.lifted_at.is_(None))
    rows = await connection.execute(asked)
    return [
        {
            "id": row.id,
            "scope": str(Scope(ScopeKind(row.scope_kind), row.scope)),
            "reason": row.reason,
            "placed_by": row.placed_by,
            "placed_at": row.placed_at,
            "lifted_by": row.lifted_by,
            "lifted_at": row.lifted_at,
            "lift_reason": row.lift_reason,
        }
        for row in rows
    ]


async def counted(connection: AsyncConnection, *, lifted: bool) -> int:
    """How many restrictions there are; with ``lifted`` those that are history too."""
    asked = select(func.count()).select_from(restriction)
    return int(await connection.scalar(asked if lifted else asked.where(restriction.c.lifted_at.is_(None))) or 0)


def _restriction(row: Any) -> Restriction:
    return Restriction(row.id, Scope(ScopeKind(row.scope_kind), row.scope), row.reason, row.placed_by, row.placed_at)


async def _tell(connection: AsyncConnection, verb: str, one: Restriction, actor: str, reason: str) -> None:
    await events.append(
        connection,
        kind=f"restriction.{verb}",
        subject=f"restriction/{one.id}",
        actor=actor,
        data={"scope": str(one.scope), "reason": reason},
    )


def _require_text(what: str, text: str) -> None:
    if not text.strip() or len(text) > TEXT_LIMIT:
        raise ConfigurationError(f"found a {what} of {len(text)} characters; expected 1 to {TEXT_LIMIT}")
    for place, letter in enumerate(text, start=1):
        if unicodedata.category(letter) in _NOT_TEXT or unicodedata.bidirectional(letter) in _TURNING:
            raise ConfigurationError(
                f"found U+{ord(letter):04X} as character {place} of the {what} {text!a:.120}; expected text that a "
                "person can read, in one line"
            )
    if all(unicodedata.category(letter)[0] in "CZ" for letter in text):
        raise ConfigurationError(f"found the {what} {text!a:.120}, in which nothing can be seen; expected text")
