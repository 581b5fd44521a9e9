"""The national CCER registry as a market of ours: its public projects, our account, and instructions of two persons.

The account side is simulated, our own shape. Instructions are off unless a person switches them on: rules for the
cross-border use of these reductions are still to be made (Measures of 2023, article 29).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from adapters.ccer.client import MARKET, CcerClient, InstructionState, ListPage
from adapters.ccer.config import CcerConfig
from adapters.ccer.words import BENEFICIARY_LIMIT, Business, State, Tab
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, RetirementRules, StatedTotal
from gateway.kit.errors import AdapterError, ContractBreach, OutcomeUnknown, Unavailable
from gateway.kit.transport import Transport
from gateway.model.commands import (
    CommandState,
    CommandStatus,
    Lot,
    Retirement,
    RetirementPurpose,
    Transfer,
    TransferKind,
)
from gateway.model.errors import CapabilityMissing, ConfigurationError

PROJECTS: Final = "projects"
HOLDINGS: Final = "holdings"
MOVEMENTS: Final = "movements"
PAGES_LIMIT: Final = 10_000
DETAIL: Final = "detail."
"""Begins the columns that come from a project's detail."""

STATES: Final = {
    State.AWAITS_CONFIRMATION: CommandState.ACCEPTED,
    State.PROCESSING: CommandState.ACCEPTED,
    State.DONE: CommandState.CONFIRMED,
    State.REFUSED: CommandState.REJECTED,
    State.LAPSED: CommandState.REJECTED,
}
"""An instruction that awaits its second person is at the registry and may still happen: it is not in doubt there."""

_PURPOSES: Final = {RetirementPurpose.OFFSET: Business.OFFSET, RetirementPurpose.VOLUNTARY: Business.VOLUNTARY}
_PLACE: Final = re.compile(r"([12]):([1-9][0-9]{0,4}):([0-9]{1,9})", re.ASCII)
_PAGE: Final = re.compile(r"([1-9][0-9]{0,4}):([0-9]{1,9})", re.ASCII)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class CcerAdapter:
    """Reads the registry and, where that is switched on, instructs it.

    Args:
        config: where it is, and who we are there.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: CcerConfig, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._client = CcerClient(config, transport)
        self._clock = clock

    # What the registry publishes.

    def catalogue_feeds(self) -> Sequence[Feed]:
        """Projects alone: no public list states a serial or a vintage, so no issuance becomes a batch."""
        return [Feed(PROJECTS, mapping=PROJECTS)]

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """The different projects of both lists; each list is read, since one project may be in both."""
        _require_feed(feed, PROJECTS)
        registered = await self._apply_ids(Tab.REGISTERED_PROJECTS)
        return StatedTotal(len(registered | await self._apply_ids(Tab.PROJECTS_IN_NOTICE)), None)

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """A page of the registered projects, or after them of those in notice that are not registered.

        A project takes two answers, its row and its detail; the page's document has them all, as received, in one
        JSON object of ours: ``{"list": …, "details": […]}``.
        """
        _require_feed(feed, PROJECTS)
        tab, number, before = _place(cursor)
        page = await self._client.openings(tab, number)
        _require_no_fewer(before, page.total, "read_catalogue")
        rows = page.rows
        if tab is Tab.PROJECTS_IN_NOTICE and rows.height and "applyId" in rows.columns:
            registered = list(await self._apply_ids(Tab.REGISTERED_PROJECTS))
            rows = rows.filter(~pl.col("applyId").is_in(registered).fill_null(value=False))
        table, details = await self._with_details(tab, rows)
        answers = [body.removeprefix(_BYTE_ORDER_MARK) for body in (page.body, *details)]
        content = b'{"list":' + answers[0] + b',"details":[' + b",".join(answers[1:]) + b"]}"
        following = f"{tab.value}:{number + 1}:{page.total}" if self._goes_on(page, number) else None
        if following is None and tab is Tab.REGISTERED_PROJECTS:
            following = f"{Tab.PROJECTS_IN_NOTICE.value}:1:0"
        origin = f"POST getOpeningApply dataType={tab.value} page={number}, with {len(details)} details"
        return Page(Document(content, "application/json", origin), table, following, self._clock())

    async def _with_details(self, tab: Tab, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[bytes]]:
        """The rows with a column for each key of their details; an item that has no detail leaves them empty."""
        tables, bodies = [], []
        for row in rows.iter_rows(named=True):
            found = await self._client.opening_detail(tab, row)
            if found is None:
                tables.append(pl.DataFrame({DETAIL: [None]}, schema={DETAIL: pl.String}))
                continue
            detail, body = found
            bodies.append(body)
            tables.append(detail.rename({name: f"{DETAIL}{name}" for name in detail.columns}))
        if not bodies:
            return rows, []
        return rows.hstack(pl.concat(tables, how="diagonal").drop(DETAIL, strict=False)), bodies

    async def _apply_ids(self, tab: Tab) -> set[str]:
        """The ids of all items of a list."""
        found: set[str] = set()
        before = 0
        for number in range(1, PAGES_LIMIT):
            page = await self._client.openings(tab, number)
            _require_no_fewer(before, page.total, "read_catalogue")
            before = page.total
            if page.rows.height:
                if "applyId" not in page.rows.columns:
                    raise _breach(f"found no applyId in the rows of dataType {tab.value}", "read_catalogue")
                found |= set(page.rows.get_column("applyId").drop_nulls())
            if not self._goes_on(page, number):
                return found
        raise _breach(f"found more than {PAGES_LIMIT} pages", "read_catalogue")

    # Our account.

    def holding_feeds(self) -> Sequence[Feed]:
        """The account's statement."""
        return [Feed(HOLDINGS, mapping=HOLDINGS)]

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Blocks and units as the statement states them itself."""
        _require_feed(feed, HOLDINGS)
        return _stated(await self._client.statement(1))

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """A page of the statement, one row a block in one place and condition."""
        _require_feed(feed, HOLDINGS)
        number, before = _number(cursor)
        page = await self._client.statement(number)
        _require_no_fewer(before, page.total, "read_holdings")
        return self._page(page, number, f"POST statement page={number}")

    def movement_feeds(self) -> Sequence[Feed]:
        """The account's movements (流水)."""
        return [Feed(MOVEMENTS, mapping=MOVEMENTS)]

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """Movements and their units since then, as the registry states them itself."""
        _require_feed(feed, MOVEMENTS)
        return _stated(await self._client.flows(since, 1))

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """A page of the account's movements, the oldest first; ``since`` counts to the second."""
        _require_feed(feed, MOVEMENTS)
        number, before = _number(cursor)
        page = await self._client.flows(since, number)
        _require_no_fewer(before, page.total, "read_movements")
        return self._page(page, number, f"POST flow/list page={number}")

    def _page(self, page: ListPage, number: int, origin: str) -> Page:
        following = f"{number + 1}:{page.total}" if self._goes_on(page, number) else None
        return Page(Document(page.body, "application/json", origin), page.rows, following, self._clock())

    def _goes_on(self, page: ListPage, number: int) -> bool:
        return number * self._config.page_size < page.total

    # Instructions of two persons.

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Moves units to another account, or towards the trading system.

        That takes two moves, each a command of its own: an earmark whose counter account is our trading account is
        转移至交易账户, one whose counter account is the trading platform is 转移至交易平台.

        Raises CapabilityMissing for a release, which is begun at the venue (CCER转出), and what ``_carry_out`` raises.
        """
        if order.kind is TransferKind.RELEASE:
            raise CapabilityMissing("market ccer releases nothing: units come back by CCER转出 at the trading system")
        business = Business.TRANSFER
        if order.kind is TransferKind.EARMARK:
            to_platform = order.counter_account == self._config.trading_platform
            business = Business.TO_TRADING_PLATFORM if to_platform else Business.TO_TRADING_ACCOUNT
        day = None if order.business_date is None else f"{order.business_date:%Y%m%d}"
        return await self._carry_out(order, business, {"counterAccountNo": order.counter_account, "businessDate": day})

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """What became of a transfer."""
        return await self._status_of(order)

    def retirement_rules(self) -> RetirementRules:
        """The purposes are 抵销 (use against an obligation) and 自愿注销; forced cancellation is only seen.

        ``uscc`` is the beneficiary's 统一社会信用代码: an 抵销 is refused without it.
        """
        return RetirementRules(
            beneficiary_limit=BENEFICIARY_LIMIT,
            purposes=(RetirementPurpose.OFFSET.value, RetirementPurpose.VOLUNTARY.value),
            attributes={"uscc": False},
        )

    async def retire(self, order: Retirement) -> CommandStatus:
        """Redeems units for a beneficiary; after both persons the registry reviews it. Raises as ``transfer`` does."""
        form = {**order.attributes, "beneficiaryName": order.beneficiary, "remark": order.remarks}
        return await self._carry_out(order, _PURPOSES[order.purpose], form)

    async def retirement_status(self, order: Retirement) -> CommandStatus:
        """What became of a redemption."""
        return await self._status_of(order)

    async def certificate(self, order: Retirement) -> Document:
        """The registry's certificate. Raises ContractBreach with the registry's code while there is none."""
        body = await self._client.certificate(order.account, order.command_id)
        return Document(body, "application/json", f"POST offset/certificate {order.command_id}")

    async def _carry_out(
        self, order: Transfer | Retirement, business: Business, form: dict[str, str | None]
    ) -> CommandStatus:
        """Submits as the maker, then confirms as the checker by our reference.

        A submission moves nothing by itself, and one that nobody confirms lapses when the registry closes. So where
        its answer is lost it is confirmed all the same: that does nothing where the registry never got it. The doubt
        is raised then, and the status tells. Whatever goes wrong with the confirmation is doubt too, never a refusal:
        the submission is there, and a person may confirm it.

        Raises ConfigurationError while commands are switched off, and the AdapterErrors of a command.
        """
        self._require_commands()
        lots = [{"holdId": one.holding, "serialNo": one.serial, "num": one.quantity} for one in order.lots]
        base = {
            "outFlowNo": order.command_id,
            "businessType": business.value,
            "accountNo": order.account,
            "lots": lots,
        }
        doubt: OutcomeUnknown | None = None
        try:
            await self._client.submit({**form, **base}, order.command_id)
        except OutcomeUnknown as error:
            doubt = error
        try:
            confirmed = await self._client.confirm(order.account, order.command_id)
        except AdapterError as error:
            if doubt is not None:
                raise doubt from error
            raise OutcomeUnknown(
                f"the instruction is submitted and awaits its second person; confirming it: {error}",
                market=MARKET,
                operation=f"confirm {order.command_id}",
                code=error.code,
            ) from error
        if doubt is not None:
            raise doubt
        return self._status(order, confirmed)

    async def _status_of(self, order: Transfer | Retirement) -> CommandStatus:
        """What the registry says of an order, by our reference; a reference that it does not know never came."""
        found = await self._client.instruction(order.account, order.command_id)
        if found is None:
            return CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
        return self._status(order, found)

    def _status(self, order: Transfer | Retirement, found: InstructionState) -> CommandStatus:
        state = STATES[found.state]
        # Units that were set aside for an instruction which was refused or lapsed have not moved.
        moved = () if state is CommandState.REJECTED else found.lots
        return CommandStatus(
            command_id=order.command_id,
            state=state,
            native_state=found.state.value,
            reference=found.number,
            code=found.code,
            message=found.words,
            lots=tuple(Lot(holding=one.block, serial=one.serial, quantity=one.units) for one in moved),
            as_of=self._clock(),
        )

    def _require_commands(self) -> None:
        if not self._config.commands_enabled:
            raise ConfigurationError(
                "market ccer: commands are switched off. Cross-border trade and use of these reductions has no rules "
                "yet (Measures of 2023, article 29). Set commands_enabled only for the stand-in, or when there are "
                "rules that allow it; nothing was sent"
            )


def _require_feed(feed: str, expected: str) -> None:
    if feed != expected:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r} here; it has {expected}")


def _place(cursor: str | None) -> tuple[Tab, int, int]:
    """The list and the page that a cursor stands for, and how long the list was; the registered projects come first."""
    if cursor is None:
        return Tab.REGISTERED_PROJECTS, 1, 0
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise ConfigurationError(f"market {MARKET}: found the cursor {cursor[:80]!r}, expected one of this feed")
    return Tab(int(found[1])), int(found[2]), int(found[3])


def _number(cursor: str | None) -> tuple[int, int]:
    """The page that a cursor stands for, and how long the list was."""
    if cursor is None:
        return 1, 0
    found = _PAGE.fullmatch(cursor)
    if found is None:
        raise ConfigurationError(f"market {MARKET}: found the cursor {cursor[:80]!r}, expected one of this feed")
    return int(found[1]), int(found[2])


def _require_no_fewer(before: int, now: int, operation: str) -> None:
    """Raises Unavailable for a list that became shorter while it was read: rows moved up to pages already read."""
    if now < before:
        message = f"the list had {before} rows and now has {now}: it changed while it was read; read it again"
        raise Unavailable(message, market=MARKET, operation=operation)


def _stated(page: ListPage) -> StatedTotal:
    return StatedTotal(page.total, page.quantity)


def _breach(message: str, operation: str) -> ContractBreach:
    return ContractBreach(message, market=MARKET, operation=operation)
