"""The home venue's stand-in: its gate, its field rules, its exceptions, its trading, and what nothing changes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.hkvenue.book import AT_ONCE, FINISHED_AFTER, whole_price
from adapters.hkvenue.book_build import ACCOUNT, build_book
from adapters.hkvenue.book_entries import Refused
from adapters.hkvenue.config import HkVenueConfig, private_key
from adapters.hkvenue.credentials import AUDIENCE, Credentials, epoch_milliseconds, signed_text
from adapters.hkvenue.mock import HkVenueMock, build
from adapters.hkvenue.mock_access import REQUESTS, PortalKey
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT
from gateway.kit.signature import verify

HOST = "https://api.hkcv.example"
CONFIG = HkVenueConfig()
CREDENTIALS = Credentials(CONFIG)
OFFER: dict[str, Any] = {
    "offerId": "N-1",
    "revision": 1,
    "action": "PUT",
    "classId": "VCS-934 2021-01-01..2021-12-31 VCU",
    "offerName": "Lower Marrow Peatland Protection",
    "offerNameChi": "下馬羅泥炭地保護",
    "programme": "VCS",
    "projectId": "934",
    "vintageStart": "2021-01-01",
    "vintageEnd": "2021-12-31",
    "unitKind": "VCU",
    "labels": ["CCB-GOLD"],
    "quoteType": "FIRM",
    "quantity": 1000,
    "lotSize": 100,
    "price": "38.5",
    "currency": "HKD",
    "remarks": "",
}


@dataclass
class Caller:
    """A client of the stand-in that does everything right unless it is told otherwise."""

    clock: MockClock = field(default_factory=lambda: MockClock(STARTS_AT))
    asked: int = 0
    mock: HkVenueMock = field(init=False)
    token: str = ""

    def __post_init__(self) -> None:
        self.mock = build(5, self.clock, participants=3, trades=4)
        self.log_in()

    def login(self, form: bytes) -> httpx.Response:
        return self.mock.handle(httpx.Request("POST", f"{HOST}/hkcv/auth/token/v1", content=form))

    def log_in(self) -> None:
        reply = self.login(CREDENTIALS.token_request(self.clock()))
        assert reply.status_code == 200
        self.token = json.loads(reply.content)["access_token"]

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        request_id: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        self.asked += 1
        target = f"/hkcv/api{path}"
        signed = CREDENTIALS.request_headers(method, target, body, request_id or f"rq-{self.asked}", self.clock())
        all_headers = {"authorization": f"Bearer {self.token}", **signed, **(headers or {})}
        return self.mock.handle(httpx.Request(method, HOST + target, headers=all_headers, content=body))

    def publish(self, *offers: dict[str, Any], request_id: str | None = None, account: str = ACCOUNT) -> Any:
        body = json.dumps({"accountId": account, "offers": offers}).encode()
        return json.loads(self.send("POST", "/offers/publish/v1", body, request_id=request_id).content)

    def records(self, *offers: dict[str, Any]) -> list[tuple[str, str | None]]:
        """What became of each offer of a publication: its state and its code."""
        records = self.publish(*offers)["data"][0]["records"]
        return [
            (one["recordStatus"], one["exception"][0]["recordErrorCode"] if one["exception"] else None)
            for one in records
        ]


@pytest.fixture
def caller() -> Caller:
    return Caller()


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, json.loads(response.content)["code"]


def assertion(key: rsa.RSAPrivateKey, kid: str, **claims: Any) -> str:
    now = STARTS_AT
    told = {"iss": CONFIG.company_id, "aud": AUDIENCE, "iat": now, "exp": now + timedelta(minutes=5), **claims}
    return jwt.encode(told, key, algorithm="RS256", headers={"kid": kid})


AGENT, MACHINE = private_key(CONFIG.agent_key), private_key(CONFIG.machine_key)


def form_of(agent: str, machine: str, **changed: str) -> bytes:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": agent,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": machine,
        **changed,
    }
    return urlencode(form).encode()


def good_agent(**claims: Any) -> str:
    return assertion(AGENT, CONFIG.agent_key_id, **{"sub": CONFIG.company_id, **claims})


def good_machine(**claims: Any) -> str:
    return assertion(MACHINE, CONFIG.machine_key_id, **{"sub": CONFIG.machine_id, **claims})


class TestTokens:
    def test_a_token_lives_thirty_seconds_and_names_the_company(self, caller: Caller) -> None:
        reply = json.loads(caller.login(form_of(good_agent(), good_machine())).content)
        assert (reply["expires_in"], reply["scope"], reply["token_type"]) == (30, CONFIG.company_id, "Bearer")
        caller.clock.advance(timedelta(seconds=29))
        assert caller.send("GET", "/offers/v1").status_code == 200
        caller.clock.advance(timedelta(seconds=1))
        assert code_of(caller.send("GET", "/offers/v1")) == (401, "401001")

    @pytest.mark.parametrize(
        ("agent", "machine", "status", "error", "description"),
        [
            (good_agent(exp=STARTS_AT + timedelta(minutes=31)), good_machine(), 401, "invalid_grant", "unreasonable"),
            (good_agent(), good_machine(exp=STARTS_AT + timedelta(minutes=31)), 401, "invalid_client", "unreasonable"),
            (good_agent(exp=STARTS_AT), good_machine(), 401, "invalid_grant", "expired"),
            (good_agent(), good_agent(), 401, "invalid_client", "registered"),
            (good_machine(), good_machine(), 401, "invalid_grant", "registered"),
            (good_agent(sub="CP00001"), good_machine(), 401, "invalid_grant", "registered"),
            (good_agent(aud="another"), good_machine(), 401, "invalid_grant", "invalid"),
            (assertion(AGENT, "unknown", sub="x"), good_machine(), 401, "invalid_grant", "invalid"),
            (assertion(MACHINE, CONFIG.agent_key_id, sub="x"), good_machine(), 401, "invalid_grant", "invalid"),
            ("no.jwt", good_machine(), 401, "invalid_grant", "invalid"),
            (good_agent(), "", 401, "invalid_client", "invalid"),
        ],
    )
    def test_an_assertion_that_is_not_good_gets_no_token(
        self, caller: Caller, agent: str, machine: str, status: int, error: str, description: str
    ) -> None:
        response = caller.login(form_of(agent, machine))
        reply = json.loads(response.content)
        assert (response.status_code, reply["error"]) == (status, error)
        assert description in reply["error_description"]

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            (b"", "unsupported_grant_type"),
            (b"\xff", "invalid_request"),
            (form_of(good_agent(), good_machine(), grant_type="password"), "unsupported_grant_type"),
            (form_of(good_agent(), good_machine(), client_assertion_type="basic"), "invalid_client"),
        ],
    )
    def test_a_form_that_is_not_good_gets_no_token(self, caller: Caller, form: bytes, error: str) -> None:
        assert json.loads(caller.login(form).content)["error"] == error

    def test_a_key_of_the_portal_ends_and_can_be_replaced(self, caller: Caller) -> None:
        known = caller.mock.access.keys[CONFIG.agent_key_id]
        caller.mock.access.keys[CONFIG.agent_key_id] = PortalKey(known.owner, known.key, STARTS_AT)
        assert caller.login(form_of(good_agent(), good_machine())).status_code == 401
        caller.mock.access.keys["next"] = PortalKey(known.owner, known.key, STARTS_AT + timedelta(days=1))
        renewed = assertion(AGENT, "next", sub=CONFIG.company_id)
        assert caller.login(form_of(renewed, good_machine())).status_code == 200


class TestGate:
    def test_a_request_id_comes_once(self, caller: Caller) -> None:
        assert caller.send("GET", "/offers/v1", request_id="once").status_code == 200
        assert code_of(caller.send("GET", "/offers/v1", request_id="once")) == (400, "411002")
        assert code_of(caller.send("GET", "/positions/v1", request_id="once")) == (400, "411002")

    @pytest.mark.parametrize(
        ("header", "value", "code"),
        [
            ("X-HKCV-REQUEST-ID", "", "411001"),
            ("X-HKCV-REQUEST-ID", "with space", "411001"),
            ("X-HKCV-REQUEST-ID", "another", "411008"),
            ("X-HKCV-TIMESTAMP", "", "411003"),
            ("X-HKCV-TIMESTAMP", "2026-07-15", "411003"),
            ("X-HKCV-TIMESTAMP", epoch_milliseconds(STARTS_AT + timedelta(seconds=1)), "411008"),
            ("X-HKCV-SIGNATURE", "", "411008"),
            ("X-HKCV-SIGNATURE", "???", "411008"),
            ("X-HKCV-SIGNATURE", base64.b64encode(bytes(256)).decode(), "411008"),
        ],
    )
    def test_headers_are_checked(self, caller: Caller, header: str, value: str, code: str) -> None:
        assert code_of(caller.send("GET", "/offers/v1", request_id="r", headers={header: value})) == (400, code)
        assert caller.send("GET", "/offers/v1", request_id="r").status_code == 200, "a refused id is not used up"

    @pytest.mark.parametrize(("seconds", "code"), [(-61, "411004"), (-60, "0"), (60, "0"), (61, "411004")])
    def test_a_timestamp_is_of_the_last_minute(self, caller: Caller, seconds: int, code: str) -> None:
        told = epoch_milliseconds(STARTS_AT + timedelta(seconds=seconds))
        signed = MACHINE.sign(signed_text("GET", "/hkcv/api/offers/v1", told, "r", b""), PKCS1v15(), SHA256())
        headers = {"X-HKCV-TIMESTAMP": told, "X-HKCV-SIGNATURE": base64.b64encode(signed).decode()}
        assert code_of(caller.send("GET", "/offers/v1", request_id="r", headers=headers))[1] == code

    def test_the_signature_covers_method_target_and_body(self, caller: Caller) -> None:
        body = json.dumps({"accountId": ACCOUNT, "offers": [OFFER]}).encode()
        target = "/hkcv/api/offers/publish/v1"
        for signed in (("GET", target, body), ("POST", target + "?x=1", body), ("POST", target, body + b" ")):
            headers = CREDENTIALS.request_headers(*signed, "r", caller.clock())
            assert code_of(caller.send("POST", "/offers/publish/v1", body, headers=headers)) == (400, "411008")
        assert not caller.mock.book.offers

    def test_the_company_asks_480_times_a_minute(self, caller: Caller) -> None:
        bad = {"X-HKCV-REQUEST-ID": ""}
        for _ in range(REQUESTS):
            assert code_of(caller.send("GET", "/offers/v1", headers=bad)) == (400, "411001")
        response = caller.send("GET", "/offers/v1")
        assert code_of(response) == (429, "429001")
        assert "retry-after" not in response.headers
        caller.clock.advance(timedelta(seconds=60))
        caller.log_in()
        assert caller.send("GET", "/offers/v1").status_code == 200

    def test_each_function_needs_its_entitlement(self, caller: Caller) -> None:
        caller.mock.access.entitlements.discard("EU_hkcvTradeAPI")
        assert code_of(caller.send("GET", "/trades/v1?sinceTime=0")) == (403, "403001")
        assert caller.send("GET", "/offers/v1").status_code == 200

    def test_unknown_functions_and_methods(self, caller: Caller) -> None:
        assert code_of(caller.send("GET", "/orders/v1")) == (404, "404001")
        assert code_of(caller.send("GET", "/offers/v2")) == (404, "404001")
        assert code_of(caller.send("DELETE", "/offers/v1")) == (405, "405001")
        assert code_of(caller.mock.handle(httpx.Request("GET", f"{HOST}/"))) == (404, "404001")
        assert code_of(caller.mock.handle(httpx.Request("GET", f"{HOST}/hkcv/auth/token/v1"))) == (405, "405001")

    def test_a_venue_that_is_down_answers_with_its_proxys_page(self, caller: Caller) -> None:
        caller.mock.go_down()
        response = caller.send("GET", "/offers/v1")
        assert (response.status_code, response.headers["content-type"]) == (503, "text/html")
        caller.mock.come_back()
        assert caller.send("GET", "/offers/v1").status_code == 200


def changed(**fields: Any) -> dict[str, Any]:
    return {**OFFER, **fields}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in OFFER.items() if key != name}


class TestPublishing:
    def test_an_offer_is_put_up_and_shown(self, caller: Caller) -> None:
        answer = caller.publish(OFFER, changed(offerId="N-2", quoteType="INDICATIVE", currency="RMB"), request_id="p1")
        assert (answer["code"], answer["exception"]) == ("0", [])
        assert answer["data"][0]["publicationStatus"] == "COMPLETED"
        shown = json.loads(caller.send("GET", "/offers/v1").content)
        assert [(one["offerId"], one["quoteType"], one["currency"]) for one in shown["data"]] == [
            ("N-1", "FIRM", "HKD"),
            ("N-2", "INDICATIVE", "RMB"),
        ]
        first = shown["data"][0]
        assert (first["price"], first["offerNameChi"], first["remarks"]) == ("38.50", OFFER["offerNameChi"], None)
        assert first["publishedTime"] == "2026-07-15T11:00:00.000+08:00"

    def test_the_field_rules(self, caller: Caller) -> None:
        """Trimmed, unknown ignored, the first of repeated ones wins, empty is null."""
        offer = json.dumps(changed(offerId="  N-1 ", offerNameChi="  ", colour="green"))
        repeated = offer.replace('"revision": 1', '"revision": 1, "revision": "x"')
        body = f'{{"accountId": " {ACCOUNT}", "accountId": "OA9", "offers": [{repeated}]}}'.encode()
        assert code_of(caller.send("POST", "/offers/publish/v1", body)) == (200, "0")
        offer_kept = caller.mock.book.offers["N-1"]
        assert (offer_kept.revision, offer_kept.terms.line.name_native) == (1, None)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{", "405900"),
            (b"[]", "405900"),
            (b"\xff", "405900"),
            (b'{"accountId": NaN}', "405900"),
            (b"[" * 100_000, "405900"),
            (b"{}", "405901"),
            (json.dumps({"accountId": 7, "offers": [OFFER]}).encode(), "405902"),
            (json.dumps({"accountId": "A" * 1001, "offers": [OFFER]}).encode(), "405902"),
            (json.dumps({"accountId": ACCOUNT}).encode(), "405901"),
            (json.dumps({"accountId": ACCOUNT, "offers": {}}).encode(), "405902"),
            (json.dumps({"accountId": ACCOUNT, "offers": ["x"]}).encode(), "405902"),
            (json.dumps({"accountId": ACCOUNT, "offers": []}).encode(), "405904"),
            (json.dumps({"accountId": ACCOUNT, "offers": [{}] * 1001}).encode(), "405904"),
            (json.dumps({"accountId": ACCOUNT, "offers": [OFFER, OFFER]}).encode(), "405905"),
            (json.dumps({"accountId": "OA9999", "offers": [OFFER]}).encode(), "405101"),
        ],
    )
    def test_a_message_that_is_wrong_is_rejected_whole_and_kept_so(
        self, caller: Caller, body: bytes, code: str
    ) -> None:
        response = caller.send("POST", "/offers/publish/v1", body, request_id="m1")
        answer = json.loads(response.content)
        assert (response.status_code, answer["code"], answer["data"]) == (400, code, [])
        assert answer["exception"] == [{"recordErrorCode": code, "recordErrorMsg": answer["message"]}]
        assert not caller.mock.book.offers
        assert not caller.mock.book.effects
        kept = json.loads(caller.send("GET", "/offers/publications/v1?requestId=m1").content)["data"][0]
        assert (kept["publicationStatus"], kept["errorCode"], kept["records"]) == ("REJECTED", code, [])

    @pytest.mark.parametrize(
        ("offer", "code"),
        [
            (without("offerId"), "405901"),
            (changed(offerId="with space"), "405902"),
            (changed(offerId=7), "405902"),
            (without("revision"), "405901"),
            (changed(revision=0), "405902"),
            (changed(revision=True), "405902"),
            (changed(revision="1"), "405902"),
            (changed(action="DELETE"), "405913"),
            (changed(quoteType="MAYBE"), "405913"),
            (changed(classId=" "), "405901"),
            (changed(vintageStart="2021"), "405902"),
            (changed(vintageStart="2021-02-30"), "405902"),
            (changed(vintageStart="2022-01-01"), "405902"),
            (changed(labels="CCB"), "405902"),
            (changed(labels=[1]), "405902"),
            (changed(quantity=-1), "405902"),
            (changed(quantity=1.5), "405902"),
            (changed(quantity=10**15), "405902"),
            (changed(lotSize=0), "405902"),
            (changed(price="-1"), "405902"),
            (changed(price="1.1234567"), "405902"),
            (changed(price=True), "405902"),
            (changed(currency="USD"), "405914"),
            (changed(currency="CNY"), "405914"),
            (changed(price=None), "405916"),
            (without("currency"), "405916"),
            (changed(action="WITHDRAW"), "405923"),
        ],
    )
    def test_a_record_that_is_wrong_is_an_exception_of_its_own(
        self, caller: Caller, offer: dict[str, Any], code: str
    ) -> None:
        assert caller.records(offer, changed(offerId="GOOD")) == [("REJECTED", code), ("ACCEPTED", None)]
        assert list(caller.mock.book.offers) == ["GOOD"]

    def test_partly_and_wholly_rejected_publications_say_so(self, caller: Caller) -> None:
        bad = changed(currency="USD")
        assert caller.publish(bad, changed(offerId="N-2"))["data"][0]["publicationStatus"] == "PARTIAL"
        whole = caller.publish(bad)
        assert whole["code"] == "0"
        assert (whole["data"][0]["publicationStatus"], whole["data"][0]["errorCode"]) == ("REJECTED", "405914")

    def test_an_older_revision_never_replaces_a_newer_one(self, caller: Caller) -> None:
        assert caller.records(changed(revision=3, quantity=300)) == [("ACCEPTED", None)]
        assert caller.records(changed(revision=2, quantity=200)) == [("REJECTED", "405921")]
        assert caller.records(changed(revision=3, quantity=200)) == [("REJECTED", "405922")]
        assert caller.records(changed(revision=3, quantity=300)) == [("ACCEPTED", None)], "the same again"
        assert caller.mock.book.offers["N-1"].terms.quantity == 300
        assert caller.records(changed(revision=4, action="WITHDRAW")) == [("ACCEPTED", None)]
        assert caller.records(changed(revision=3, quantity=300)) == [("REJECTED", "405921")]
        assert caller.mock.book.offers["N-1"].status == "WITHDRAWN"

    def test_a_publication_that_comes_after_its_withdrawal_puts_nothing_up(self, caller: Caller) -> None:
        for revision in (2, 2, 1):
            assert caller.records(changed(revision=revision, action="WITHDRAW")) == [("REJECTED", "405923")]
        for revision in (1, 2):
            assert caller.records(changed(revision=revision)) == [("REJECTED", "405921")]
        assert caller.mock.book.offers == {}
        assert caller.records(changed(revision=3)) == [("ACCEPTED", None)]

    def test_the_same_revision_again_does_not_give_back_what_was_traded(self, caller: Caller) -> None:
        caller.publish(OFFER)
        caller.mock.book.trade("N-1", "P0001", 300)
        caller.publish(OFFER)
        assert caller.mock.book.offers["N-1"].remaining == 700

    def test_more_than_a_hundred_are_finished_later(self, caller: Caller) -> None:
        many = [changed(offerId=f"M-{number}") for number in range(AT_ONCE + 1)]
        answer = caller.publish(*many, request_id="many")["data"][0]
        assert (answer["publicationStatus"], answer["records"]) == ("PROCESSING", [])
        assert not caller.mock.book.offers
        caller.clock.advance(FINISHED_AFTER)
        kept = json.loads(caller.send("GET", "/offers/publications/v1?requestId=many").content)["data"][0]
        assert (kept["publicationStatus"], len(kept["records"])) == ("COMPLETED", AT_ONCE + 1)
        assert len(caller.mock.book.offers) == AT_ONCE + 1
        assert caller.mock.book.effects["many"] == 1

    def test_an_unknown_publication_is_an_empty_list(self, caller: Caller) -> None:
        answer = json.loads(caller.send("GET", "/offers/publications/v1?requestId=never").content)
        assert (answer["code"], answer["totalSize"], answer["data"]) == ("0", 0, [])
        assert code_of(caller.send("GET", "/offers/publications/v1")) == (400, "405901")


class TestPages:
    def test_pages_end_with_the_cursor_zero(self, caller: Caller) -> None:
        caller.publish(*(changed(offerId=f"N-{number}") for number in range(5)))
        seen, cursor = [], ""
        while cursor != "0":
            path = f"/offers/v1?size=2&nextCursor={cursor}"
            answer = json.loads(caller.send("GET", path).content)
            seen.append([one["offerId"] for one in answer["data"]])
            cursor = answer["nextCursor"]
            assert answer["totalSize"] == 5
        assert seen == [["N-0", "N-1"], ["N-2", "N-3"], ["N-4"]]

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/offers/v1?size=0", "405902"),
            ("/offers/v1?size=1001", "405902"),
            ("/offers/v1?size=many", "405902"),
            ("/offers/v1?nextCursor=%3F%3F", "405903"),
            ("/offers/v1?nextCursor=abc", "405903"),
            ("/trades/v1", "405901"),
            ("/trades/v1?sinceTime=yesterday", "405902"),
            ("/trades/v1?sinceTime=99999999999999", "405902"),
        ],
    )
    def test_wrong_parameters(self, caller: Caller, path: str, code: str) -> None:
        assert code_of(caller.send("GET", path)) == (400, code)

    def test_the_summary_is_the_sum_of_the_list(self, caller: Caller) -> None:
        rows = json.loads(caller.send("GET", "/positions/v1?size=1000").content)["data"]
        summary = json.loads(caller.send("GET", "/positions/summary/v1").content)["data"][0]
        assert summary == {"positionCount": len(rows), "totalQuantity": sum(one["totalQuantity"] for one in rows)}

    def test_trades_are_listed_by_their_last_change(self, caller: Caller) -> None:
        caller.publish(OFFER)
        first, second = (caller.mock.book.trade("N-1", "P0001", 100) for _ in range(2))
        caller.clock.advance(timedelta(seconds=10))
        caller.mock.book.settle_trade(first.trade_id)
        since = epoch_milliseconds(STARTS_AT)
        rows = json.loads(caller.send("GET", f"/trades/v1?sinceTime={since}").content)["data"]
        assert [(one["tradeId"], one["tradeStatus"]) for one in rows] == [
            (second.trade_id, "EXECUTED"),
            (first.trade_id, "SETTLED"),
        ]
        later = epoch_milliseconds(STARTS_AT + timedelta(seconds=10))
        assert json.loads(caller.send("GET", f"/trades/v1?sinceTime={later}").content)["totalSize"] == 1


class TestTrading:
    def test_a_trade_takes_from_the_offer_and_is_pushed(self, caller: Caller) -> None:
        caller.publish(OFFER)
        trade = caller.mock.book.trade("N-1", "P0002", 300)
        assert (trade.amount, trade.currency, trade.seller) == (1_155_000, "HKD", ACCOUNT)
        assert caller.mock.book.offers["N-1"].remaining == 700
        ((headers, body),) = caller.mock.webhooks()
        assert verify(headers, body, caller.mock.webhook_keys, caller.clock()).event_id == headers["webhook-id"]
        event = json.loads(body)
        assert (event["type"], event["data"][0]["tradeId"]) == ("trade.executed", trade.trade_id)
        assert caller.mock.webhooks() == []

    def test_half_a_hundredth_is_rounded_up(self) -> None:
        assert [whole_price(price, 1) for price in (4_999, 5_000, 14_999, 15_000)] == [0, 1, 1, 2]

    @pytest.mark.parametrize(
        ("prepare", "order", "code"),
        [
            (lambda c: None, ("X-1", "P0001", 100), "406001"),
            (lambda c: c.publish(changed(revision=2, action="HALT")), ("N-1", "P0001", 100), "406002"),
            (lambda c: c.publish(changed(revision=2, action="WITHDRAW")), ("N-1", "P0001", 100), "406001"),
            (lambda c: None, ("N-1", "P0009", 100), "406003"),
            (lambda c: c.mock.book.suspend("P0001"), ("N-1", "P0001", 100), "406003"),
            (lambda c: c.publish(changed(revision=2, quoteType="INDICATIVE")), ("N-1", "P0001", 100), "406004"),
            (lambda c: None, ("N-1", "P0001", 150), "406005"),
            (lambda c: None, ("N-1", "P0001", 0), "406005"),
            (lambda c: None, ("N-1", "P0001", 1100), "406005"),
            (lambda c: c.mock.book.close("Signal no. 10 (十號颶風信號)"), ("N-1", "P0001", 100), "408001"),
            (lambda c: c.clock.advance(timedelta(hours=1)), ("N-1", "P0001", 100), "408002"),
            (lambda c: c.clock.advance(timedelta(hours=5)), ("N-1", "P0001", 100), "408002"),
            (lambda c: c.clock.advance(timedelta(days=3)), ("N-1", "P0001", 100), "408002"),
        ],
        ids=[
            "unknown", "halted", "withdrawn", "no member", "suspended", "indicative", "lot", "nothing", "too many",
            "typhoon", "lunch", "after hours", "Saturday",
        ],
    )  # fmt: skip
    def test_what_may_not_be_traded_is_not(
        self, caller: Caller, prepare: Callable[[Caller], object], order: tuple[str, str, int], code: str
    ) -> None:
        caller.publish(OFFER)
        prepare(caller)
        before = deepcopy((caller.mock.book.trades, caller.mock.book.offers))
        with pytest.raises(Refused) as refused:
            caller.mock.book.trade(*order)
        assert refused.value.code == code
        assert (caller.mock.book.trades, caller.mock.book.offers) == before

    def test_a_half_day_ends_at_noon_but_the_list_is_read_all_day(self) -> None:
        caller = Caller(MockClock(datetime(2026, 12, 24, 3, 59, tzinfo=UTC)))
        caller.publish(OFFER)
        caller.mock.book.trade("N-1", "P0001", 100)
        caller.clock.advance(timedelta(hours=2))
        with pytest.raises(Refused, match="408002"):
            caller.mock.book.trade("N-1", "P0001", 100)
        caller.log_in()
        assert caller.send("GET", "/offers/v1").status_code == 200

    def test_severe_weather_closes_trading_until_it_is_over(self, caller: Caller) -> None:
        caller.publish(OFFER)
        caller.mock.book.close("Extreme conditions (極端情況)")
        assert caller.publish(changed(revision=2, action="HALT"))["code"] == "0", "a halt still gets through"
        caller.mock.book.reopen()
        caller.publish(changed(revision=3))
        caller.mock.book.trade("N-1", "P0001", 100)
        kinds = [json.loads(body)["type"] for _, body in caller.mock.webhooks()]
        assert kinds == ["venue.closed", "venue.reopened", "trade.executed"]

    def test_settling_books_the_units_and_is_final(self, caller: Caller) -> None:
        caller.publish(OFFER)
        trade, other = (caller.mock.book.trade("N-1", "P0003", 100) for _ in range(2))
        before = sum(one.quantity for one in caller.mock.book.positions.values())
        caller.mock.book.settle_trade(trade.trade_id)
        caller.mock.book.cancel_trade(other.trade_id)
        assert sum(one.quantity for one in caller.mock.book.positions.values()) == before + 100
        for final in (trade, other):
            with pytest.raises(Refused, match="406006"):
                caller.mock.book.settle_trade(final.trade_id)

    def test_a_frozen_position_has_nothing_available(self, caller: Caller) -> None:
        position = next(iter(caller.mock.book.positions))
        caller.mock.book.freeze(position, "Court order (法院命令)")
        rows = {one["positionId"]: one for one in json.loads(caller.send("GET", "/positions/v1").content)["data"]}
        assert (rows[position]["availableQuantity"], rows[position]["positionStatus"]) == (0, "FROZEN")
        frozen = caller.mock.book.positions[position]
        caller.mock.book.add_position(frozen.participant.participant_id, frozen.line, 100)
        assert frozen.frozen == frozen.quantity
        caller.mock.book.unfreeze(position)
        assert caller.mock.book.positions[position].frozen == 0


def test_the_same_seed_gives_the_same_book_and_nothing_in_it_is_of_the_future() -> None:
    clock = MockClock(STARTS_AT)
    first, second = (build_book(3, clock, participants=6, trades=24) for _ in range(2))
    assert first.positions == second.positions
    assert first.trades == second.trades
    assert all(trade.traded_at < STARTS_AT for trade in first.trades.values())
    assert [trade.traded_at for trade in first.trades.values()] == sorted(
        trade.traded_at for trade in first.trades.values()
    )
    with pytest.raises(ValueError, match="expected 1 to 8"):
        build_book(3, clock, participants=9, trades=0)
