"""How far what is known of a kind of record is whole: the instant of the last complete reading, and if it is the last.

Later the ledger says what is ours to offer; until then, and for what markets merely show, the last complete reading of
their accounts does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import pulls
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store.tables.catalogue import pull


@dataclass(frozen=True, slots=True)
class LastWhole:
    """The last reading in which all records of a kind were known whole.

    Attributes:
        as_of: the instant at which they were.
        began_at: when the reading began, by the database's clock.
        newest: whether nothing was read since that was not whole.
    """

    as_of: datetime
    began_at: datetime
    newest: bool


async def last(connection: AsyncConnection, market: str, kind: RecordKind) -> LastWhole | None:
    """The last complete reading of a kind of record at a market; None where there was none."""
    as_of = await pulls.whole_as_of(connection, market, kind)
    if as_of is None:
        return None
    whole = pull.c.summary[pulls.WHOLE].contains([kind.value])
    read = (
        pull.c.market == market,
        pull.c.origin == pulls.SYNC,
        pull.c.status.in_((PullStatus.COMPLETE.value, PullStatus.INCOMPLETE.value)),
    )
    last_first = select(pull.c.started_at, whole.label("whole")).where(*read).order_by(pull.c.id.desc()).limit(1)
    newest = (await connection.execute(last_first)).one_or_none()
    if newest is None:
        return None
    began_at = await connection.scalar(select(func.max(pull.c.started_at)).where(*read, whole))
    return LastWhole(as_of, began_at or newest.started_at, bool(newest.whole))
