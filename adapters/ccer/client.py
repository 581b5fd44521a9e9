"""The registry in its own words: the public lists as they are known, and the account side as we simulate it.

Reads are POSTs too. Every answer is one envelope, ``{successful, msg, total, dataInfo}``, at status 200 also where it
says no; on the account side it has a ``code`` beside the words, and a page its sum of units (``totalNum``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from adapters.ccer.config import CcerConfig
from adapters.ccer.words import ITEM_IDS, REFUSALS, SECONDARY_ID, ZONE, State, Tab
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number
from gateway.kit.errors import ContractBreach, OutcomeUnknown, Rejected
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Refusal, Response, Transport

SCOPE: Final = "ccer"
MARKET: Final = "ccer"
ROWS: Final = "dataInfo[]"
OPEN: Final = "/api/projectmanage/open"
HOLDER: Final = "/api/carbon-manage/holder"
OPERATE: Final = "/api/exchangeOperate"


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list.

    Attributes:
        total: how many rows the whole list has, as stated on this page.
        quantity: its units, where the page states them.
        rows: the page's rows, every value as text.
        body: the page as it was received.
    """

    total: int
    quantity: int | None
    rows: pl.DataFrame
    body: bytes


@dataclass(frozen=True, slots=True)
class SetAside:
    """Units that the registry set aside for an instruction."""

    block: str
    serial: str
    units: int


@dataclass(frozen=True, slots=True)
class InstructionState:
    """What the registry says of an instruction.

    Attributes:
        reference: ours (外部流水号).
        number: the registry's (业务流水号).
        state: its word.
        code: why it was refused or lapsed, and ``words`` the same in words.
        lots: its units.
    """

    reference: str
    number: str
    state: State
    code: str | None
    words: str | None
    lots: tuple[SetAside, ...]


class CcerClient:
    """Asks the registry, and instructs it through its two operators.

    Args:
        config: where it is, and who we are there.
        transport: the line to it.
    """

    def __init__(self, config: CcerConfig, transport: Transport) -> None:
        self._config = config
        self._transport = transport

    # The public side.

    async def openings(self, tab: Tab, page: int) -> ListPage:
        """A page of a public list. Raises ContractBreach when it is not the page that was asked for."""
        url = f"{self._config.public_url}{OPEN}/getOpeningApply"
        asked = {"dataType": str(tab.value)}
        return await self._list(url, f"openings of dataType {tab.value}", page, asked, {}, summed=False)

    async def opening_detail(self, tab: Tab, item: Mapping[str, str | None]) -> tuple[pl.DataFrame, bytes] | None:
        """The detail of an item, as one row of text, and its body; None for an item that cannot be asked about.

        All four ids are echoed. Without its own and the secondary one of its list the registry says 公示编号为空.
        """
        if not (item.get("applyId") and item.get(SECONDARY_ID[tab])):
            return None
        asked = {key: item.get(key) for key in ITEM_IDS} | {"dataType": str(tab.value)}
        operation = f"detail of {asked['applyId']} in dataType {tab.value}"
        url = f"{self._config.public_url}{OPEN}/getOpeningApplyDetail"
        envelope, body = await self._read(url, operation, asked, {})
        try:
            return tabulate({"rows": [members(envelope.get("dataInfo"), "dataInfo")]}, "rows[]"), body
        except Undecodable as error:
            raise _breach(str(error), operation) from error

    # The account side, read.

    async def statement(self, page: int) -> ListPage:
        """A page of the account's statement."""
        url = f"{self._config.account_url}{HOLDER}/statement"
        return await self._list(url, "statement", page, self._ours({}), self._as_maker(), summed=True)

    async def flows(self, since: datetime, page: int) -> ListPage:
        """A page of the account's movements from an instant on (to the second), the oldest first."""
        url = f"{self._config.account_url}{OPERATE}/flow/list"
        asked = self._ours({"startTime": f"{since.astimezone(ZoneInfo(ZONE)):%Y%m%d%H%M%S}"})
        return await self._list(url, "flows", page, asked, self._as_maker(), summed=True)

    async def instruction(self, account: str, reference: str) -> InstructionState | None:
        """What became of an instruction, by our reference; None where the registry never got it."""
        operation = f"instruction {reference}"
        url = f"{self._config.account_url}{OPERATE}/instruction/query"
        asked = {"accountNo": account, "outFlowNo": reference}
        envelope, _ = await self._read(url, operation, asked, self._as_maker())
        try:
            if envelope.get("dataInfo") is None and _total(envelope) == 0:
                return None
            return _instruction(envelope.get("dataInfo"), reference)
        except Undecodable as error:
            raise _breach(str(error), operation) from error

    async def certificate(self, account: str, reference: str) -> bytes:
        """The certificate of a redemption, as received."""
        operation = f"certificate {reference}"
        url = f"{self._config.account_url}{OPERATE}/offset/certificate"
        asked = {"accountNo": account, "outFlowNo": reference}
        envelope, body = await self._read(url, operation, asked, self._as_maker())
        try:
            proof = members(envelope.get("dataInfo"), "dataInfo")
            _require_reference(proof, reference)
            _text(proof, "certificateNo")
        except Undecodable as error:
            raise _breach(str(error), operation) from error
        return body

    # The account side, instructed.

    async def submit(self, form: Mapping[str, object], reference: str) -> InstructionState:
        """Sends an instruction as its maker (登记系统发起代表); it moves nothing until it is confirmed.

        Raises Rejected for a code after which nothing was done, OutcomeUnknown for any other answer that is not good.
        """
        url = f"{self._config.account_url}{OPERATE}/instruction/apply"
        return await self._instruct(url, f"submit {reference}", form, self._as_maker(), reference)

    async def confirm(self, account: str, reference: str) -> InstructionState:
        """Confirms an instruction as its checker (登记系统确认代表), by our reference.

        One that is past that is answered as it is, so this can be sent again. Raises as ``submit`` does.
        """
        url = f"{self._config.account_url}{OPERATE}/instruction/confirm"
        form = {"accountNo": account, "outFlowNo": reference}
        return await self._instruct(url, f"confirm {reference}", form, self._as_checker(), reference)

    async def _instruct(
        self, url: str, operation: str, form: Mapping[str, object], session: Mapping[str, str], reference: str
    ) -> InstructionState:
        place = {"market": MARKET, "operation": operation}
        answer = await self._transport.command_json(
            "POST",
            url,
            operation=operation,
            refusal=_refused,
            headers=_json_headers(session),
            content=_content(form),
            scope=SCOPE,
        )
        try:
            envelope = members(answer, "the answer")
            if envelope.get("successful") is not True:
                refusal = _refusal_of(envelope)
                if refusal is not None:
                    raise Rejected(refusal.message, code=refusal.code, **place)
                raise OutcomeUnknown(f"the registry says {_words(envelope)}", code=_code(envelope), **place)
            return _instruction(envelope.get("dataInfo"), reference)
        except Undecodable as error:
            raise OutcomeUnknown(str(error), **place) from error

    # Envelopes.

    async def _list(
        self,
        url: str,
        operation: str,
        page: int,
        asked: Mapping[str, object],
        session: Mapping[str, str],
        *,
        summed: bool,
    ) -> ListPage:
        size = self._config.page_size
        operation = f"{operation}, page {page}"
        envelope, body = await self._read(url, operation, {**asked, "pageNumber": page, "pageSize": size}, session)
        try:
            total = _total(envelope)
            quantity = whole_number(envelope.get("totalNum"), "totalNum") if summed else None
            rows = tabulate(envelope, ROWS)
        except Undecodable as error:
            raise _breach(str(error), operation) from error
        expected = max(0, min(size, total - (page - 1) * size))
        if rows.height != expected:
            raise _breach(f"found {rows.height} rows, expected {expected} of a list of {total}", operation)
        return ListPage(total, quantity, rows, body)

    async def _read(
        self, url: str, operation: str, asked: Mapping[str, object], session: Mapping[str, str]
    ) -> tuple[dict[str, Json], bytes]:
        document, body = await self._transport.read_json(
            "POST", url, operation=operation, headers=_json_headers(session), content=_content(asked), scope=SCOPE
        )
        try:
            envelope = members(document, "the answer")
        except Undecodable as error:
            raise _breach(str(error), operation) from error
        if envelope.get("successful") is not True:
            message = f"the registry says {_words(envelope)}"
            raise ContractBreach(message, market=MARKET, operation=operation, code=_code(envelope))
        return envelope, body

    def _ours(self, asked: Mapping[str, object]) -> dict[str, object]:
        return {"accountNo": self._config.account, **asked}

    def _as_maker(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._config.maker_token.get_secret_value()}"}

    def _as_checker(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._config.checker_token.get_secret_value()}"}


def _json_headers(session: Mapping[str, str]) -> dict[str, str]:
    return {"accept": "application/json", "content-type": "application/json", **session}


def _content(asked: Mapping[str, object]) -> bytes:
    return json.dumps(asked, ensure_ascii=False).encode()


def _breach(message: str, operation: str) -> ContractBreach:
    return ContractBreach(message, market=MARKET, operation=operation)


def _words(envelope: Mapping[str, Json]) -> str:
    said = envelope.get("msg")
    return repr(said) if isinstance(said, str) else "no, without words"


def _code(envelope: Mapping[str, Json]) -> str | None:
    code = envelope.get("code")
    return code if isinstance(code, str) else None


def _refusal_of(envelope: Mapping[str, Json]) -> Refusal | None:
    code = _code(envelope)
    if envelope.get("successful") is not False or code not in REFUSALS:
        return None
    return Refusal(code, f"the registry says {_words(envelope)}")


def _refused(response: Response) -> Refusal | None:
    return _refusal_of(members(decode_json(response.body), "the answer"))


def _total(envelope: Mapping[str, Json]) -> int:
    return whole_number(envelope.get("total"), "total")


def _text(row: Mapping[str, Json], key: str) -> str:
    found = row.get(key)
    if not isinstance(found, str) or not found:
        raise Undecodable(f"{key} is {found!r}, expected a text")
    return found


def _text_or_none(row: Mapping[str, Json], key: str) -> str | None:
    return None if row.get(key) is None else _text(row, key)


def _require_reference(row: Mapping[str, Json], reference: str) -> None:
    if row.get("outFlowNo") != reference:
        raise Undecodable(f"outFlowNo is {row.get('outFlowNo')!r}, asked for {reference!r}")


def _instruction(value: Json, reference: str) -> InstructionState:
    row = members(value, "dataInfo")
    _require_reference(row, reference)
    word = _text(row, "statusName")
    try:
        state = State(word)
    except ValueError as error:
        raise Undecodable(f"found the state {word!r}, expected one of {', '.join(State)}") from error
    lots = [members(one, "a lot") for one in elements(row.get("lots"), "lots")]
    return InstructionState(
        reference=reference,
        number=_text(row, "flowNo"),
        state=state,
        code=_text_or_none(row, "rejectCode"),
        words=_text_or_none(row, "rejectReason"),
        lots=tuple(
            SetAside(_text(one, "holdId"), _text(one, "serialNo"), whole_number(one.get("num"), "num")) for one in lots
        ),
    )
