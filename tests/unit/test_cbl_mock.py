"""The CBL stand-in: the published shapes, the refusals, and what they leave untouched."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cbl.book import ACCOUNT
from adapters.cbl.book_build import MAKER, PARTICIPANTS, TAKER
from adapters.cbl.book_entries import Deposit, TaxLot
from adapters.cbl.mock import CREDENTIALS, CblMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT
from tests.unit.cbl_line import Caller, codes, told

POSITIONS = f"/portfolio/account/{ACCOUNT}/position/action/search"
DEPOSITS = f"/exchanges/CBL/accounts/{ACCOUNT}/action/search-deposits"
DEPOSIT = f"/exchanges/CBL/execution-venues/CBL/accounts/{ACCOUNT}/action/deposit"
WITHDRAW = f"/exchanges/CBL/accounts/{ACCOUNT}/action/withdraw"
SETTLE = "/exchanges/CBL/execution-venues/CBL/action/settle"
TRANSFERS = f"/transfers/account/{ACCOUNT}/action/search"
RETIREMENTS = f"/retirements/account/{ACCOUNT}/action/search"
ATTRIBUTES = {"beneficialOwnerName": "Harbourlune Trading Ltd", "retirementReason": "VOLUNTARY"}


class Setting:
    """A stand-in, a caller, and a lot and a deposit of ours."""

    def __init__(self) -> None:
        self.clock = MockClock(STARTS_AT)
        self.mock: CblMock = build(5, self.clock, projects=6)
        self.book = self.mock.book
        self.caller = Caller(self.mock)
        ours = [one for one in self.book.lots.values() if one.account == ACCOUNT and one.available > 300]
        self.lot: TaxLot = ours[0]
        self.other: TaxLot = next(one for one in ours if one.instrument is not self.lot.instrument)
        self.deposit: Deposit = next(
            one for one in self.book.deposits.values() if one.lot.account == ACCOUNT and one.available > 200
        )

    def transfer_body(self, **changes: Any) -> dict[str, Any]:
        entry = {
            "externalTransferIdentifier": "ours-1",
            "ein": self.lot.instrument.ein,
            "unitPrice": {"currency": "USD", "amount": 0},
            "transferData": {"transferDataType": "TAX_LOTS", "taxLots": [{"taxLotId": self.lot.id, "quantity": 5}]},
        }
        body = {"counterpartyRegistryName": PARTICIPANTS[TAKER], "settlementDate": "2026-07-15", "transfers": [entry]}
        return body | changes

    def create(self, body: object) -> Any:
        program = self.lot.instrument.project.program
        return self.caller.post(f"/transfers/account/{ACCOUNT}/program/{program}/action/create", body)

    def retire(self, body: object, program: str | None = None) -> Any:
        program = program or self.lot.instrument.project.program
        return self.caller.post(f"/retirements/account/{ACCOUNT}/program/{program}/action/create", body)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_token_is_given_for_the_password_realm_grant_and_lives_a_day(setting: Setting) -> None:
    given = told(setting.caller.raw("POST", "/oauth/token", json.dumps(dict(CREDENTIALS)).encode(), {}))
    assert given["expires_in"] == 86400
    assert given["token_type"] == "Bearer"
    assert setting.caller.post(DEPOSITS).status_code == 200
    setting.clock.advance(timedelta(hours=24))
    assert setting.caller.post(DEPOSITS).status_code == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [({"password": "wrong"}, 403), ({"client_secret": "wrong"}, 401), ({"grant_type": "password"}, 403)],
)
def test_a_wrong_token_request_gets_no_token(setting: Setting, change: dict[str, str], status: int) -> None:
    reply = setting.caller.raw("POST", "/oauth/token", json.dumps({**CREDENTIALS, **change}).encode(), {})
    assert reply.status_code == status
    assert "access_token" not in told(reply)
    assert setting.caller.raw("POST", "/oauth/token", b"{", {}).status_code == 400


def test_positions_are_paged_by_the_query_and_say_certifications_only_when_asked(setting: Setting) -> None:
    first = told(setting.caller.post(f"{POSITIONS}?page=0&size=2", {}))
    assert (first["page"], first["size"], len(first["content"])) == (0, 2, 2)
    assert first["totalPages"] == -(-first["totalElements"] // 2)
    instrument = first["content"][0]["instrument"]
    assert "issuanceCertifications" not in instrument
    assert "establishQuantity" not in first["content"][0]["taxLots"][0]
    asked = told(setting.caller.post(f"{POSITIONS}?size=2&include=issuanceCertifications,establishQuantity", {}))
    assert "issuanceCertifications" in asked["content"][0]["instrument"]
    assert "projectCertifications" not in asked["content"][0]["instrument"]
    assert asked["content"][0]["taxLots"][0]["establishQuantity"] > 0
    beyond = told(setting.caller.post(f"{POSITIONS}?page=99&size=2", {}))
    assert beyond["content"] == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"{POSITIONS}?size=0", {}, "INVALID_PAGE_SIZE"),
        (f"{POSITIONS}?size=201", {}, "INVALID_PAGE_SIZE"),
        (f"{POSITIONS}?page=-1", {}, "INVALID_PAGE_NUMBER"),
        (POSITIONS, {"programs": ["NOWHERE"]}, "INVALID_PROGRAM"),
        (POSITIONS, {"vintagePeriod": {"start": {"year": 2023}, "end": {"year": 2020}}}, "INVALID_VINTAGE_PERIOD"),
        (POSITIONS, [], "INVALID_REQUEST"),
        (TRANSFERS, {"type": "SIDEWAYS"}, "INVALID_TRANSFER_TYPE"),
        (TRANSFERS, {"statuses": ["LOST"]}, "INVALID_TRANSFER_STATUS"),
        (TRANSFERS, {"lastUpdatedDateFrom": "yesterday"}, "INVALID_REQUEST"),
        (
            TRANSFERS,
            {"lastUpdatedDateFrom": "2026-07-02T00:00:00Z", "lastUpdatedDateTo": "2026-07-01T00:00:00Z"},
            "INVALID_DATE_RANGE",
        ),
        (RETIREMENTS, {"program": "NOWHERE"}, "INVALID_PROGRAM"),
        ("/exchanges/NYSE/accounts/5C0D11A7/action/search-deposits", {}, "INVALID_EXCHANGE"),
        ("/exchanges/CBL/accounts/00000000/action/search-deposits", {}, "INVALID_ACCOUNT"),
        (f"/retirements/account/{ACCOUNT}/action/check-status", {"retirementIdentifiers": []}, "EMPTY_REQUEST"),
    ],
)
def test_a_wrong_search_is_refused_with_its_code(setting: Setting, path: str, body: object, code: str) -> None:
    assert codes(setting.caller.post(path, body))[:2] == (400, code)


def test_unknown_paths_accounts_and_tokens_have_answers_of_their_own(setting: Setting) -> None:
    assert setting.caller.get("/nothing/here").status_code == 404
    assert setting.caller.get(POSITIONS).status_code == 404
    assert setting.caller.post("/portfolio/account/00000000/position/action/search", {}).status_code == 404
    refused = setting.caller.raw("POST", f"/app/api/v1{POSITIONS}", b"{}", {"authorization": "Bearer nobody"})
    assert (refused.status_code, told(refused)) == (401, {"message": "Unauthorized"})
    setting.mock.go_down()
    assert setting.caller.post(DEPOSITS).status_code == 500
    setting.mock.come_back()
    setting.mock.throttle(1)
    throttled = setting.caller.post(DEPOSITS)
    assert throttled.status_code == 429
    assert "retry-after" not in throttled.headers
    assert setting.caller.post(DEPOSITS).status_code == 200


def test_a_deposit_encumbers_its_tax_lot_and_is_active_later(setting: Setting) -> None:
    before, held = setting.lot.available, setting.lot.held
    body = {"market": "N-GEO", "deposits": [{"taxLotId": setting.lot.id, "quantity": 70, "priority": 2}]}
    [placed] = told(setting.caller.post(DEPOSIT, body))
    assert list(placed) == ["depositIdentifier"]
    listed = {one["depositIdentifier"]: one for one in told(setting.caller.post(DEPOSITS))}
    shown = listed[placed["depositIdentifier"]]
    assert (shown["quantity"], shown["availableQuantity"], shown["settledQuantity"]) == (70, 70, 0)
    assert (shown["status"], shown["depositMarket"]["market"]["apiCode"]) == ("PENDING", "N-GEO")
    assert shown["taxLot"] == {"name": setting.lot.name}
    assert (setting.lot.available, setting.lot.held) == (before - 70, held)
    setting.clock.advance(timedelta(minutes=1))
    listed = {one["depositIdentifier"]: one for one in told(setting.caller.post(DEPOSITS))}
    assert listed[placed["depositIdentifier"]]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("entries", "inner"),
    [
        ([(0, 10**9)], ["NOT_ENOUGH_QUANTITY"]),
        ([(1, 5)], ["TAX_LOT_NOT_FOUND"]),
        ([(0, 5), (0, 5)], ["DUPLICATE_TAX_LOT"]),
        ([(1, 5), (0, 10**9)], ["TAX_LOT_NOT_FOUND", "NOT_ENOUGH_QUANTITY"]),
    ],
)
def test_deposits_are_refused_together(setting: Setting, entries: list[tuple[int, int]], inner: list[str]) -> None:
    before = setting.lot.available
    listed = [{"taxLotId": name or setting.lot.id, "quantity": quantity} for name, quantity in entries]
    refused = setting.caller.post(DEPOSIT, {"market": "N-GEO", "deposits": listed})
    assert codes(refused) == (400, "INVALID_DEPOSITS", inner)
    assert setting.lot.available == before
    assert not setting.book.acts


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (DEPOSIT, {"market": "MOON", "deposits": []}, "INVALID_MARKET"),
        (DEPOSIT, {"market": "GEO", "deposits": []}, "INVALID_REQUEST"),
        (DEPOSIT, {"market": "GEO", "deposits": [{"taxLotId": "7", "quantity": 1}]}, "INVALID_REQUEST"),
        (DEPOSIT, {"market": "GEO", "deposits": [{"taxLotId": 7, "quantity": True}]}, "INVALID_REQUEST"),
        (DEPOSIT, {"market": "GEO", "deposits": [{"taxLotId": 7, "quantity": 1.5}]}, "INVALID_REQUEST"),
        (DEPOSIT, {"deposits": []}, "INVALID_REQUEST"),
        (DEPOSIT.replace("venues/CBL", "venues/XYZ"), {"market": "GEO", "deposits": []}, "INVALID_EXECUTION_VENUE"),
        (WITHDRAW, {"withdrawals": [{"depositIdentifier": "D0", "quantity": 1}]}, "DEPOSIT_NOT_FOUND"),
        (WITHDRAW, {"withdrawals": []}, "INVALID_REQUEST"),
        (SETTLE, {"tradeIdentifier": "X"}, "INVALID_REQUEST"),
    ],
)
def test_wrong_input_to_the_venue_is_refused_and_changes_nothing(
    setting: Setting, path: str, body: object, code: str
) -> None:
    before = told(setting.caller.post(DEPOSITS))
    assert codes(setting.caller.post(path, body))[:2] == (400, code)
    assert told(setting.caller.post(DEPOSITS)) == before
    assert setting.caller.raw("POST", f"/app/api/v1{path}", b"{not json").status_code == 400


def test_a_withdrawal_frees_units_and_says_its_status(setting: Setting) -> None:
    one = setting.deposit
    free, left = one.lot.available, one.available
    asked = {"withdrawals": [{"depositIdentifier": one.identifier, "quantity": 60}]}
    assert told(setting.caller.post(WITHDRAW, asked)) == [{"depositIdentifier": one.identifier, "status": "PENDING"}]
    assert (one.available, one.lot.available, one.status) == (left - 60, free + 60, "WITHDRAWING")
    too_many = {"withdrawals": [{"depositIdentifier": one.identifier, "quantity": left}]}
    assert codes(setting.caller.post(WITHDRAW, too_many)) == (400, "INVALID_WITHDRAWALS", ["NOT_ENOUGH_QUANTITY"])
    rest = {"withdrawals": [{"depositIdentifier": one.identifier, "quantity": left - 60}]}
    assert setting.caller.post(WITHDRAW, rest).status_code == 200
    setting.clock.advance(timedelta(minutes=1))
    setting.book.advance()
    assert (one.status, one.lot.encumbered) == ("WITHDRAWN", 0)


def test_settling_answers_201_with_no_body_and_the_same_trade_only_once(setting: Setting) -> None:
    body = {
        "tradeIdentifier": "TR-1",
        "sellerIdentifier": MAKER,
        "buyerIdentifier": ACCOUNT,
        "productCode": "GEO",
        "quantity": 30,
        "price": 3.12,
        "currency": "USD",
    }
    held = sum(one.held for one in setting.book.lots.values())
    ours = sum(one.held for one in setting.book.lots.values() if one.account == ACCOUNT)
    answered = setting.caller.post(SETTLE, body)
    assert (answered.status_code, answered.content) == (201, b"")
    assert sum(one.held for one in setting.book.lots.values()) == held
    assert sum(one.held for one in setting.book.lots.values() if one.account == ACCOUNT) == ours + 30
    assert codes(setting.caller.post(SETTLE, body))[:2] == (400, "DUPLICATED_REQUEST")
    again = body | {"tradeIdentifier": "TR-2"}
    for change, code in (
        ({"quantity": 10**9}, "NOT_ENOUGH_QUANTITY"),
        ({"productCode": "NONE"}, "DEPOSIT_NOT_FOUND"),
        ({"buyerIdentifier": "00000000"}, "ACCOUNT_NOT_FOUND"),
        ({"buyerIdentifier": "short"}, "INVALID_REQUEST"),
        ({"price": 0.001}, "INVALID_REQUEST"),
        ({"price": -1}, "INVALID_REQUEST"),
        ({"quantity": 0}, "INVALID_REQUEST"),
    ):
        assert codes(setting.caller.post(SETTLE, again | change))[:2] == (400, code)
    assert sum(one.held for one in setting.book.lots.values() if one.account == ACCOUNT) == ours + 30


def test_a_transfer_waits_for_the_other_side_and_then_for_the_registry(setting: Setting) -> None:
    before = setting.lot.available
    made = told(setting.create(setting.transfer_body()))
    name = made["transfers"][0]["transferIdentifier"]
    assert made["transfers"][0]["externalTransferIdentifier"] == "ours-1"
    assert (setting.lot.available, setting.lot.unsettled) == (before - 5, 5)
    states = []
    for wait in (0, 10, 5):
        setting.clock.advance(timedelta(minutes=wait))
        [found] = told(setting.caller.post(TRANSFERS, {"transferIdentifier": name}))["content"]
        states.append((found["status"], found["registryStatus"]))
    assert states == [("PENDING", "PENDING"), ("ACCEPTED", "SUBMITTED"), ("SETTLED", "COMPLETED")]
    assert (setting.lot.available, setting.lot.unsettled) == (before - 5, 0)


def test_a_transfer_has_no_idempotency_so_the_same_body_moves_twice(setting: Setting) -> None:
    first, second = told(setting.create(setting.transfer_body())), told(setting.create(setting.transfer_body()))
    assert first["batchIdentifier"] != second["batchIdentifier"]
    assert setting.lot.unsettled == 10


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"settlementDate": "2026-07-13"}, "SETTLEMENT_DATE_IN_PAST"),
        ({"settlementDate": "2026-07-18"}, "SETTLEMENT_DATE_HOLIDAY"),
        ({"settlementDate": "2026-09-01"}, "SETTLEMENT_DATE_OUTSIDE_TRADING_WINDOW"),
        ({"settlementDate": "15/07/2026"}, "INVALID_REQUEST"),
        ({"counterpartyRegistryName": "Nobody At All"}, "INVALID_COUNTERPARTY_NAME"),
        ({"transfers": []}, "EMPTY_REQUEST"),
        ({"transfers": [{}] * 501}, "REQUEST_TOO_LARGE"),
    ],
)
def test_a_transfer_is_refused_as_a_whole(setting: Setting, changes: dict[str, Any], code: str) -> None:
    assert codes(setting.create(setting.transfer_body(**changes)))[:2] == (400, code)
    assert setting.lot.unsettled == 0


def test_the_settlement_day_is_one_of_new_york(setting: Setting) -> None:
    # At 03:00 UTC on 15 July it is still the 14th there.
    assert setting.create(setting.transfer_body(settlementDate="2026-07-14")).status_code == 200


def test_a_transfer_is_refused_for_its_parts(setting: Setting) -> None:
    lots = {"transferDataType": "TAX_LOTS", "taxLots": [{"taxLotId": setting.lot.id, "quantity": 10**9}]}
    strategy = {"transferDataType": "STRATEGY", "taxLotSelectionStrategy": "FIFO", "quantity": 4}
    foreign = {"transferDataType": "TAX_LOTS", "taxLots": [{"taxLotId": setting.other.id, "quantity": 1}]}
    for change, code in (
        ({"transferData": lots}, "UNAVAILABLE_QUANTITY"),
        ({"transferData": foreign}, "INVALID_TAX_LOT"),
        ({"transferData": {"transferDataType": "ALL"}}, "INVALID_TRANSFER_DATA"),
        ({"transferData": strategy | {"taxLotSelectionStrategy": "BEST"}}, "INVALID_TAX_LOT_SELECTION_STRATEGY"),
        ({"ein": "EIN0"}, "INVALID_EIN"),
        ({"unitPrice": {"currency": "XAU", "amount": 0}}, "INVALID_PRICE"),
    ):
        body = setting.transfer_body()
        body["transfers"][0] |= change
        assert codes(setting.create(body)) == (400, "INVALID_TRANSFERS", [code])
    body = setting.transfer_body()
    body["transfers"] = [deepcopy(body["transfers"][0]) for _ in range(2)]
    assert codes(setting.create(body))[2] == ["DUPLICATE_EIN", "DUPLICATE_EIN"]
    body = setting.transfer_body(dryRun=True)
    body["transfers"][0]["transferData"] = strategy
    assert told(setting.create(body))["transfers"] == []
    assert setting.lot.unsettled == 0
    setting.book.quarantine(setting.lot.instrument.ein)
    assert codes(setting.create(body))[2] == ["QUARANTINED_POSITION"]


def test_a_transfer_of_ours_is_cancelled_by_name_or_as_a_batch(setting: Setting) -> None:
    program = setting.lot.instrument.project.program
    path = f"/transfers/account/{ACCOUNT}/program/{program}/action/cancel"
    before, made = setting.lot.available, told(setting.create(setting.transfer_body()))
    name, batch = made["transfers"][0]["transferIdentifier"], made["batchIdentifier"]
    assert codes(setting.caller.post(path, {"transfers": [name], "batchIdentifier": batch}))[1] == "TRANSFERS_OR_BATCH"
    assert codes(setting.caller.post(path, {}))[1] == "TRANSFERS_OR_BATCH"
    assert codes(setting.caller.post(path, {"batchIdentifier": "B0"}))[1] == "INVALID_BATCH"
    m_rets = path.replace(f"program/{program}", "program/M_RETS")
    assert codes(setting.caller.post(m_rets, {"transfers": [name]}))[1] == "BATCH_REQUIRED_M_RETS"
    cancelled = setting.caller.post(path, {"batchIdentifier": batch})
    assert (cancelled.status_code, cancelled.content) == (200, b"")
    assert setting.lot.available == before
    again = setting.caller.post(path, {"transfers": [name]})
    assert codes(again) == (400, "INVALID_TRANSFERS", ["INVALID_TRANSFER_STATUS"])


def test_an_incoming_transfer_is_answered_once_and_at_its_price(setting: Setting) -> None:
    [one, two, *_] = [one for one in setting.book.transfers.values() if not one.outgoing]
    path = f"/transfers/account/{ACCOUNT}/program/{one.instrument.project.program}/action"
    wrong = {"transfers": [{"transferIdentifier": one.identifier, "price": {"currency": "USD", "amount": 1.07}}]}
    assert codes(setting.caller.post(f"{path}/accept", wrong)) == (400, "INVALID_TRANSFERS", ["INVALID_PRICE"])
    right = {"transfers": [{"transferIdentifier": one.identifier, "price": {"currency": "USD", "amount": 4.15}}]}
    accepted = setting.caller.post(f"{path}/accept", right)
    assert (accepted.status_code, accepted.content) == (200, b"")
    [(lot, quantity)] = one.parts
    assert (lot.unsettled, lot.available, quantity) == (one.quantity, 0, one.quantity)
    setting.clock.advance(timedelta(minutes=5))
    setting.book.advance()
    assert (one.status, lot.unsettled, lot.available) == ("SETTLED", 0, one.quantity)
    assert codes(setting.caller.post(f"{path}/accept", right))[2] == ["INVALID_TRANSFER_STATUS"]
    path = f"/transfers/account/{ACCOUNT}/program/{two.instrument.project.program}/action/reject"
    assert codes(setting.caller.post(path, {"transfers": ["T0"]}))[2] == ["INVALID_TRANSFER"]
    twice = {"transfers": [two.identifier] * 2}
    assert codes(setting.caller.post(path, twice))[2] == ["DUPLICATE_TRANSFER", "DUPLICATE_TRANSFER"]
    assert setting.caller.post(path, {"transfers": [two.identifier]}).status_code == 200
    assert two.status == "REJECTED"


def test_retirements_are_refused_in_a_list_of_lists(setting: Setting) -> None:
    good = {"ein": setting.lot.instrument.ein, "quantity": 5}
    bad = {"ein": "EIN0", "quantity": 5}
    refused = setting.retire({"retirements": [good, bad], "attributes": ATTRIBUTES})
    assert refused.status_code == 400
    body = told(refused)
    assert body["code"] == "INVALID_RETIREMENTS"
    assert [[one["code"] for one in inner] for inner in body["retirementErrors"]] == [[], ["INVALID_EIN"]]
    assert set(body["retirementErrors"][1][0]) == {"code", "message", "field", "value"}
    assert setting.lot.unsettled == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": 0}, "ZERO_QUANTITY"),
        ({"quantity": -4}, "INVALID_VALUE"),
        ({"quantity": 10**9}, "INSUFFICIENT_QUANTITY"),
        ({"taxLotSelectionStrategy": "BEST"}, "INVALID_TAX_LOT_ALLOCATION_STRATEGY"),
        ({"quantityPerTaxLot": [{"taxLotId": 1, "quantity": 5}]}, "INVALID_TAX_LOT_ALLOCATION"),
        ({"quantityPerTaxLot": [{"taxLotId": 1, "quantity": 0}]}, "ZERO_QUANTITY_TAX_LOTS"),
        ({"quantityPerTaxLot": [{"taxLotId": 1, "quantity": 1}] * 2}, "DUPLICATE_TAX_LOTS"),
        ({"quantityPerTaxLot": [], "taxLotSelectionStrategy": "FIFO"}, "UNEXPECTED_QUANTITY_PER_TAX_LOT"),
        ({"quantityPerTaxLot": []}, "INVALID_QUANTITY_SUM"),
    ],
)
def test_a_retirement_is_refused_with_an_inner_code(setting: Setting, change: dict[str, Any], code: str) -> None:
    entry = {"ein": setting.lot.instrument.ein, "quantity": 5} | change
    refused = setting.retire({"retirements": [entry], "attributes": ATTRIBUTES})
    assert codes(refused) == (400, "INVALID_RETIREMENTS", [code])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"beneficialOwnerName": None}, "REQUIRED_FIELD"),
        ({"beneficialOwnerName": "A" * 101}, "INVALID_BENEFICIAL_OWNER_NAME"),
        ({"beneficialOwnerName": " "}, "INVALID_BENEFICIAL_OWNER_NAME"),
        ({"retirementReason": "FASHION"}, "INVALID_VALUE"),
        ({"retirementReason": 7}, "INVALID_TYPE"),
        ({"subAccount": "0"}, "INVALID_SUB_ACCOUNT"),
        ({"mood": "good"}, "UNEXPECTED_FIELD"),
    ],
)
def test_the_registry_wants_certain_attributes(setting: Setting, change: dict[str, Any], code: str) -> None:
    body = {"retirements": [{"ein": setting.lot.instrument.ein, "quantity": 5}], "attributes": ATTRIBUTES | change}
    assert codes(setting.retire(body)) == (400, "INVALID_ATTRIBUTES", [code])


def test_a_retirement_locks_its_instrument_until_it_is_done_and_is_never_undone(setting: Setting) -> None:
    held = setting.lot.held
    entry = {"ein": setting.lot.instrument.ein, "quantity": 5, "externalIdentifier": "ours-r"}
    body = {"retirements": [entry], "attributes": ATTRIBUTES}
    made = told(setting.retire(body))
    assert set(made) == {"retirementIdentifiers", "batchIdentifier"}
    assert codes(setting.retire(body))[2] == ["EIN_CURRENTLY_LOCKED"]
    certificate = f"/retirements/account/{ACCOUNT}/batch/{made['batchIdentifier']}/certificate"
    assert setting.caller.get(certificate).status_code == 404
    setting.clock.advance(timedelta(minutes=10))
    asked = {"retirementIdentifiers": made["retirementIdentifiers"]}
    [status] = told(setting.caller.post(f"/retirements/account/{ACCOUNT}/action/check-status", asked))[
        "retirementStatuses"
    ]
    assert (status["status"], status["externalIdentifier"]) == ("COMPLETED", "ours-r")
    assert status["registryTransferIdentifier"]
    assert setting.lot.held == held - 5
    assert setting.caller.get(certificate).content.startswith(b"%PDF-")
    [found] = told(setting.caller.post(RETIREMENTS, {"externalIdentifier": "ours-r"}))["retirements"]
    assert "transferTaxLots" not in found
    [found] = told(setting.caller.post(f"{RETIREMENTS}?include=transferTaxLots", {"externalIdentifier": "ours-r"}))[
        "retirements"
    ]
    assert found["transferTaxLots"][0]["quantity"] == 5


def test_withdraw_and_retire_needs_to_be_told_whether_it_is_a_dry_run(setting: Setting) -> None:
    one = setting.deposit
    program, ein = one.lot.instrument.project.program, one.lot.instrument.ein
    path = f"/exchanges/CBL/account/{ACCOUNT}/program/{program}/action/withdraw-and-retire"
    body = {"retirements": [{"ein": ein, "quantity": 20}], "attributes": ATTRIBUTES}
    assert codes(setting.caller.post(path, body))[1] == "INVALID_REQUEST"
    assert told(setting.caller.post(path, body | {"dryRun": True}))["retirements"] == []
    left, held = one.available, one.lot.held
    made = told(setting.caller.post(path, body | {"dryRun": False}))
    assert [one["status"] for one in made["retirements"]] == ["PENDING"]
    assert (one.available, one.lot.held) == (left - 20, held)
    setting.clock.advance(timedelta(minutes=10))
    setting.book.advance()
    assert one.lot.held == held - 20
    too_many = {"dryRun": False, "retirements": [{"ein": ein, "quantity": 10**9}], "attributes": ATTRIBUTES}
    assert codes(setting.caller.post(path, too_many))[2] == ["INSUFFICIENT_QUANTITY"]


def test_withdraw_and_export_leaves_through_the_registry(setting: Setting) -> None:
    one = setting.deposit
    program, ein = one.lot.instrument.project.program, one.lot.instrument.ein
    path = f"/exchanges/CBL/account/{ACCOUNT}/program/{program}/action/withdraw-and-export"
    entry = {"ein": ein, "quantity": 20, "externalIdentifier": "ours-x"}
    held = one.lot.held
    assert codes(setting.caller.post(path, {"exports": [entry | {"quantity": 0}]})) == (
        400,
        "INVALID_EXPORTS",
        ["ZERO_QUANTITY"],
    )
    assert told(setting.caller.post(path, {"exports": [entry], "dryRun": True}))["exports"] == []
    made = told(setting.caller.post(path, {"exports": [entry]}))
    assert made["exports"][0]["externalIdentifier"] == "ours-x"
    setting.clock.advance(timedelta(minutes=10))
    setting.book.advance()
    assert one.lot.held == held - 20


def test_a_registry_that_refuses_gives_the_units_back(setting: Setting) -> None:
    setting.book.refusing_registry = True
    before = setting.lot.available
    setting.retire({"retirements": [{"ein": setting.lot.instrument.ein, "quantity": 5}], "attributes": ATTRIBUTES})
    setting.clock.advance(timedelta(minutes=10))
    setting.book.advance()
    assert setting.lot.available == before
    assert {one.status for one in setting.book.retirements.values() if one.due is None} == {"COMPLETED", "FAILED"}


def test_an_amended_order_has_a_new_reference_and_its_first_one(setting: Setting) -> None:
    path = "/exchanges/CBL/listings/action/search?size=200"
    [first, *_] = told(setting.caller.post(path, {}))["content"]
    setting.book.amend(first["original"], price=1)
    now = {one["original"]: one for one in told(setting.caller.post(path, {}))["content"]}[first["original"]]
    assert now["orderRef"] != first["orderRef"]
    assert (now["original"], now["price"]["amount"]) == (first["original"], "0.01")
    setting.book.suspend(first["market"]["apiCode"])
    listed = told(setting.caller.post(path, {}))["content"]
    assert {one["status"] for one in listed if one["market"] == first["market"]} == {"SUSPENDED"}


def test_the_same_seed_gives_the_same_market(setting: Setting) -> None:
    other = Setting()
    for path in (f"{POSITIONS}?size=200", f"{TRANSFERS}?size=200", RETIREMENTS, DEPOSITS):
        assert setting.caller.post(path, {}).content == other.caller.post(path, {}).content


def test_a_book_needs_projects(setting: Setting) -> None:
    with pytest.raises(ValueError, match="found 3 projects"):
        build(1, setting.clock, projects=3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["deposit", "withdraw", "retire", "wait"]), st.integers(1, 900)), max_size=12)
)
def test_whatever_is_done_no_unit_is_lost_or_made(steps: list[tuple[str, int]]) -> None:
    setting = Setting()
    book, lot = setting.book, setting.lot
    for kind, quantity in steps:
        if kind == "deposit":
            setting.caller.post(DEPOSIT, {"market": "GEO", "deposits": [{"taxLotId": lot.id, "quantity": quantity}]})
        elif kind == "withdraw":
            name = max(book.deposits)
            setting.caller.post(WITHDRAW, {"withdrawals": [{"depositIdentifier": name, "quantity": quantity}]})
        elif kind == "retire":
            entry = {"ein": lot.instrument.ein, "quantity": quantity}
            path = f"/exchanges/CBL/account/{ACCOUNT}/program/{lot.instrument.project.program}/action"
            body = {"dryRun": False, "retirements": [entry], "attributes": ATTRIBUTES}
            setting.caller.post(f"{path}/withdraw-and-retire", body)
        else:
            setting.clock.advance(timedelta(seconds=quantity))
        book.advance()
        on_venue = {one.id: 0 for one in book.lots.values()}
        for one in book.deposits.values():
            on_venue[one.lot.id] += one.available
            assert one.available >= 0
        assert {one.id: one.encumbered for one in book.lots.values()} == on_venue
        assert all(min(one.available, one.encumbered, one.unsettled) >= 0 for one in book.lots.values())
        gone = sum(
            one.quantity for one in book.retirements.values() if one.instrument is lot.instrument and not one.due
        )
        ours = [one for one in book.lots.values() if one.account == ACCOUNT and one.instrument is lot.instrument]
        sent = sum(one.quantity for one in book.transfers.values() if one.outgoing and one.instrument is lot.instrument)
        assert sum(one.held for one in ours) == sum(one.began for one in ours) - gone - sent - settled(setting)


def settled(setting: Setting) -> int:
    """Units of the instrument that were traded away before."""
    mine = [one for one in setting.book.deposits.values() if one.lot.account == ACCOUNT]
    return sum(one.settled for one in mine if one.lot.instrument is setting.lot.instrument)
