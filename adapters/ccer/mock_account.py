"""The stand-in's account side: simulated, our own shape.

Public of it are the names of services (``/api/common/datetime``, ``/api/calendar``, ``/api/timeSlice``,
``/api/exchangeOperate``, ``/api/carbon-manage/holder``), and that an instruction has a maker, a checker, a window of
business and, where units are redeemed, a review and a certificate. The rest of the paths, every body and every code is
ours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.ccer.book import Book
from adapters.ccer.book_entries import Asked, AskedLot, Instruction, Operator, RefusedHere
from adapters.ccer.book_hours import business_day, hours_of, is_working_day
from adapters.ccer.mock_body import Body
from adapters.ccer.mock_rows import (
    block_row,
    certificate_row,
    day_text,
    flow_row,
    instruction_row,
    time_text,
)
from adapters.ccer.words import BUSINESS_NAMES, Business, Code

OPERATE: Final = "/api/exchangeOperate"
HOLDER: Final = "/api/carbon-manage/holder"
CALENDAR_DAYS: Final = 31
REFERENCE_LIMIT: Final = 32
COMMANDED: Final = (
    Business.TO_TRADING_ACCOUNT,
    Business.TO_TRADING_PLATFORM,
    Business.TRANSFER,
    Business.OFFSET,
    Business.VOLUNTARY,
)

_Answer = Callable[[Body, Operator, datetime], dict[str, Any]]


class AccountSide:
    """Answers an operator who is logged in.

    Args:
        book: what the registry holds.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    def paths(self) -> dict[str, _Answer]:
        """What is answered, by path."""
        return {
            "/api/common/datetime": self._time,
            "/api/calendar/list": self._calendar,
            "/api/timeSlice/list": self._hours,
            f"{HOLDER}/statement": self._statement,
            f"{OPERATE}/flow/list": self._flows,
            f"{OPERATE}/instruction/apply": self._apply,
            f"{OPERATE}/instruction/confirm": self._confirm,
            f"{OPERATE}/instruction/query": self._query,
            f"{OPERATE}/offset/certificate": self._certificate,
        }

    def _time(self, _body: Body, _operator: Operator, now: datetime) -> dict[str, Any]:
        return _good(time_text(now))

    def _calendar(self, body: Body, _operator: Operator, now: datetime) -> dict[str, Any]:
        """The days from one on, each with whether the registry works on it."""
        first = body.day_or_none("startDate") or business_day(now)
        days = [first + timedelta(days=number) for number in range(CALENDAR_DAYS)]
        rows = [{"natureDay": day_text(day), "isWorkday": "1" if is_working_day(day) else "0"} for day in days]
        return _good(rows, len(rows))

    def _hours(self, _body: Body, _operator: Operator, _now: datetime) -> dict[str, Any]:
        """The windows of business."""
        rows = [
            {
                "businessType": business.value,
                "businessTypeName": BUSINESS_NAMES[business],
                "startTime": f"{start // 60:02}{start % 60:02}00",
                "endTime": f"{end // 60:02}{end % 60:02}00",
            }
            for business in COMMANDED
            for start, end in hours_of(business).spans
        ]
        return _good(rows, len(rows))

    def _statement(self, body: Body, operator: Operator, _now: datetime) -> dict[str, Any]:
        account = self._account(body, operator)
        blocks = self._book.statement(account)
        holder = self._book.accounts[account].name
        rows = [block_row(one, holder) for one in body.page(blocks)]
        return _good(rows, len(blocks)) | {"totalNum": sum(one.units for one in blocks)}

    def _flows(self, body: Body, operator: Operator, _now: datetime) -> dict[str, Any]:
        flows = self._book.movements(self._account(body, operator), body.moment("startTime"))
        rows = [flow_row(one) for one in body.page(flows)]
        return _good(rows, len(flows)) | {"totalNum": sum(one.units for one in flows)}

    def _apply(self, body: Body, operator: Operator, now: datetime) -> dict[str, Any]:
        return _good(instruction_row(self._book.submit(operator, _asked(body), now)), 1)

    def _confirm(self, body: Body, operator: Operator, now: datetime) -> dict[str, Any]:
        confirmed = self._book.confirm(operator, body.text("accountNo"), body.text("outFlowNo"), now)
        return _good(instruction_row(confirmed), 1)

    def _query(self, body: Body, operator: Operator, _now: datetime) -> dict[str, Any]:
        """An instruction by its maker's reference; success without one where the registry never got it."""
        found = self._book.instruction(self._account(body, operator), body.text("outFlowNo"))
        return _good(None if found is None else instruction_row(found), 0 if found is None else 1)

    def _certificate(self, body: Body, operator: Operator, _now: datetime) -> dict[str, Any]:
        account = self._account(body, operator)
        found: Instruction | None = self._book.instruction(account, body.text("outFlowNo"))
        if found is None:
            raise RefusedHere(Code.NO_SUCH_INSTRUCTION, body.text("outFlowNo"))
        if found.certificate is None:
            raise RefusedHere(Code.NO_CERTIFICATE, found.state.value)
        return _good(certificate_row(found, self._book.accounts[account].name), 1)

    def _account(self, body: Body, operator: Operator) -> str:
        """The account that is asked about: an operator sees its own only."""
        account = body.text("accountNo")
        if account != operator.account or account not in self._book.accounts:
            raise RefusedHere(Code.NOT_PERMITTED, account)
        return account


def _asked(body: Body) -> Asked:
    """An instruction as it was asked for."""
    word, reference = body.text("businessType"), body.text("outFlowNo")
    business = next((one for one in COMMANDED if one.value == word), None)
    if business is None:
        raise RefusedHere(Code.MALFORMED, "businessType")
    if len(reference) > REFERENCE_LIMIT:
        raise RefusedHere(Code.MALFORMED, "outFlowNo")
    lots = tuple(
        AskedLot(lot.text("holdId"), lot.whole("num"), lot.text_or_none("serialNo")) for lot in body.bodies("lots")
    )
    return Asked(
        reference=reference,
        business=business,
        account=body.text("accountNo"),
        counter=body.text_or_none("counterAccountNo"),
        lots=lots,
        day=body.day_or_none("businessDate"),
        beneficiary=body.text_or_none("beneficiaryName"),
        uscc=body.text_or_none("uscc"),
        remark=body.text_or_none("remark"),
    )


def _good(data: object, total: int = 1) -> dict[str, Any]:
    return {"successful": True, "code": "0", "msg": "操作成功", "total": total, "dataInfo": data}
