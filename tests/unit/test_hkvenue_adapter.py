"""The home venue's adapter against its stand-in: pages, tokens, ids, publications and every doubt about one."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import stamina
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr, ValidationError

from adapters.hkvenue import MANIFEST
from adapters.hkvenue.adapter import HkVenueAdapter
from adapters.hkvenue.book_build import ACCOUNT
from adapters.hkvenue.config import HkVenueConfig
from adapters.hkvenue.development_key import WEBHOOK_KEY, DevelopmentKey, development_pem
from adapters.hkvenue.mock import LOGIN, HkVenueMock
from adapters.hkvenue.publication import decimal
from adapters.hkvenue.rehearsal import rehearse
from gateway.kit.contract import Page
from gateway.kit.errors import (
    AccessDenied,
    AdapterError,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
    WebhookRefused,
)
from gateway.kit.faults import Fault, FaultPlan, with_faults
from gateway.kit.manifest import Idempotency, MarketRole
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping
from gateway.kit.mock import MockClock, in_process, serve
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.kit.signature import WebhookKey, sign
from gateway.kit.transport import Transport
from gateway.model.commands import CommandState, OfferAction, OfferEntry, Publication
from gateway.model.errors import CapabilityMissing
from gateway.model.money import Currency

LIBRARY = Library.of_package("mappings.hkvenue")
PUBLISH = "/hkcv/api/offers/publish/v1"


@dataclass
class Venue:
    """A rehearsal's stand-in, what was asked of it, and what is done to its answers."""

    clock: MockClock = field(default_factory=lambda: MockClock(STARTS_AT))
    rehearsal: Rehearsal = field(init=False)
    mock: HkVenueMock = field(init=False)
    asked: list[httpx.Request] = field(default_factory=list)
    after: Callable[[httpx.Request, httpx.Response], httpx.Response] = lambda _request, response: response

    def __post_init__(self) -> None:
        self.rehearsal = rehearse(3, self.clock)
        assert isinstance(self.rehearsal.mock, HkVenueMock)
        self.mock = self.rehearsal.mock

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.after(request, self.mock.handle(request))

    @asynccontextmanager
    async def adapter(self, mounted: Any = None, **settings: Any) -> AsyncIterator[HkVenueAdapter]:
        config = HkVenueConfig.model_validate({**self.rehearsal.settings, **settings})
        async with Transport("hkvenue", httpx.AsyncClient(transport=in_process(mounted or self))) as transport:
            yield HkVenueAdapter(config, transport, self.clock)

    def publish_faults(self, *script: Fault | None) -> Any:
        """The stand-in behind a network that spoils publications."""
        return with_faults(self, FaultPlan(1, script=script, hits=lambda request: request.url.path == PUBLISH))

    def answering(self, path: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes the documents that one function answers."""

        def after(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if request.url.path != path:
                return response
            document = json.loads(response.content)
            change(document)
            return httpx.Response(response.status_code, json=document)

        self.after = after


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


async def every(read: Callable[[str | None], Awaitable[Page]]) -> list[Page]:
    pages = [await read(None)]
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < 200
        pages.append(await read(cursor))
    return pages


def entry(offer_id: str = "E-1", **changed: Any) -> OfferEntry:
    publication = Venue().rehearsal.publications[0]
    return publication.offers[0].model_copy(update={"offer_id": offer_id, **changed})


FIRST = entry()


def order(*offers: OfferEntry, command_id: str = "CMD-1") -> Publication:
    return Publication(command_id=command_id, account="OA0001", offers=offers or (FIRST,))


def other(offer_id: str, **changed: Any) -> OfferEntry:
    return FIRST.model_copy(update={"offer_id": offer_id, **changed})


class TestManifest:
    def test_it_holds_together(self) -> None:
        MANIFEST.verify()
        assert MANIFEST.capabilities() == {
            "PublishesOffers",
            "ReadsHoldings",
            "ReadsListings",
            "ReadsTrades",
            "SendsWebhooks",
        }
        assert getattr(HkVenueConfig(), MANIFEST.account_setting) == ACCOUNT
        assert (MANIFEST.role, MANIFEST.idempotency) == (MarketRole.HOME_VENUE, Idempotency.BY_REFERENCE)

    async def test_the_default_stand_in_and_the_default_settings_know_each_other_over_tcp(self) -> None:
        clock = MockClock(STARTS_AT)
        async with serve(MANIFEST.mock_factory(1, clock)) as url:
            defaults = HkVenueConfig()
            moved = {name: url + urlsplit(getattr(defaults, name)).path for name in ("login_url", "api_url")}
            async with Transport("hkvenue", httpx.AsyncClient(trust_env=False)) as transport:
                adapter = HkVenueAdapter(HkVenueConfig.model_validate(moved), transport, clock)
                assert (await adapter.holdings_total("positions")).rows > 3
                assert (await adapter.publish(order())).status.state is CommandState.CONFIRMED


class TestSettings:
    @pytest.mark.parametrize(
        "url", ["https://api.hkcv.hk/v1", "https://example.com", "http://192.168.1.5:80", "https://notlocalhost"]
    )
    @pytest.mark.parametrize("name", ["login_url", "api_url"])
    def test_development_keys_are_refused_where_they_reach_somebody(self, name: str, url: str) -> None:
        with pytest.raises(ValidationError, match="agent_key, machine_key, webhook_keys"):
            HkVenueConfig.model_validate({name: url})

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:8080/x", "http://localhost:1", "http://[::1]:2", "https://a.test"]
    )
    def test_they_are_accepted_where_they_do_not(self, url: str) -> None:
        assert HkVenueConfig(login_url=url, api_url=url).api_url == url

    def test_one_development_key_left_is_refused_too(self) -> None:
        own = {"agent_key": OWN_PEM, "webhook_keys": "whsec_" + "QUJD" * 8, "api_url": "https://api.hkcv.hk"}
        with pytest.raises(ValidationError, match=r"\(machine_key\)"):
            HkVenueConfig.model_validate(own)
        assert HkVenueConfig.model_validate({**own, "machine_key": OWN_PEM}).api_url == "https://api.hkcv.hk"
        both = {**own, "machine_key": OWN_PEM, "webhook_keys": f"{own['webhook_keys']} {WEBHOOK_KEY}"}
        with pytest.raises(ValidationError, match=r"\(webhook_keys\)"):
            HkVenueConfig.model_validate(both)

    @pytest.mark.parametrize("name", ["agent_key", "machine_key", "webhook_keys"])
    def test_a_key_that_is_none_is_refused_without_repeating_it(self, name: str) -> None:
        for text in ("the-secret-itself", "whsec_the-secret-itself", SMALL_PEM, CURVE_PEM, " "):
            with pytest.raises(ValidationError) as refused:
                HkVenueConfig.model_validate({name: text})
            assert "the-secret-itself" not in str(refused.value)
            assert SMALL_PEM[40:80] not in str(refused.value)

    def test_a_page_has_at_most_a_thousand_rows(self) -> None:
        for size in (0, 1001):
            with pytest.raises(ValidationError):
                HkVenueConfig(page_size=size)

    def test_secrets_are_in_no_repr_and_no_log(self, venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
        config = HkVenueConfig.model_validate(venue.rehearsal.settings)
        shown = repr(config) + str(config)
        assert not any(secret in shown for secret in venue.rehearsal.secrets)

    async def test_errors_and_logs_do_not_tell_them_either(
        self, venue: Venue, caplog: pytest.LogCaptureFixture
    ) -> None:
        venue.mock.access.keys.clear()
        with caplog.at_level(logging.DEBUG):
            async with venue.adapter() as adapter:
                with pytest.raises(AccessDenied) as denied:
                    await adapter.listings_total("offers")
        assert not any(secret in caplog.text + repr(denied.value) for secret in venue.rehearsal.secrets)


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


OWN_PEM = pem_of(rsa.generate_private_key(65537, 2048))
SMALL_PEM = pem_of(rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be refused
CURVE_PEM = pem_of(ec.generate_private_key(ec.SECP256R1()))


def test_the_development_keys_are_two() -> None:
    assert development_pem(DevelopmentKey.AGENT) != development_pem(DevelopmentKey.MACHINE)


class TestReading:
    @pytest.mark.parametrize("size", [1, 2, 200])
    async def test_every_feed_is_read_to_its_stated_end_and_mapped_whole(self, venue: Venue, size: int) -> None:
        async with venue.adapter(page_size=size) as adapter:
            since = venue.rehearsal.since
            reads: dict[str, tuple[Any, Any]] = {
                "offers": (adapter.read_listings, adapter.listings_total),
                "positions": (adapter.read_holdings, adapter.holdings_total),
                "trades": (
                    lambda feed, cursor: adapter.read_trades(feed, since, cursor),
                    lambda feed: adapter.trades_total(feed, since),
                ),
            }
            for feed, (read, total) in reads.items():
                pages = await every(lambda cursor, feed=feed, read=read: read(feed, cursor))  # type: ignore[misc]
                mapped = [Mapping(feed, LIBRARY).apply(page.rows) for page in pages]
                stated = await total(feed)
                assert sum(one.rows.height for one in mapped) == stated.rows >= 3
                assert stated.quantity in {None, sum(one.units for one in mapped)}
                assert all((one.unknown, one.missing, one.defects.height) == ((), (), 0) for one in mapped)
                assert max(one.rows.height for one in mapped) <= size
                keys = [key for one in mapped for key in one.rows["native_key"]]
                assert len(set(keys)) == len(keys)

    async def test_offers_are_read_as_they_were_published(self, venue: Venue) -> None:
        published = order(
            FIRST,
            other("E-2", currency=Currency.CNH, firm=False, labels=("CORSIA-ELIGIBLE", "CCP"), price=12_345_678),
            other("E-3", action=OfferAction.HALT, price=None, currency=None, firm=False, quantity=0),
        )
        async with venue.adapter() as adapter:
            await adapter.publish(published)
            rows = Mapping("offers", LIBRARY).apply((await adapter.read_listings("offers", None)).rows).rows
        found = {row["native_key"]: row for row in rows.to_dicts()}
        shown = [tuple(found[key][name] for name in ("firmness", "state", "currency")) for key in ("E-1", "E-2", "E-3")]
        assert shown == [("firm", "open", "HKD"), ("indicative", "open", "CNH"), ("indicative", "halted", None)]
        assert [found[key]["price"] for key in ("E-1", "E-2", "E-3")] == [38_500_000, 12_345_678, None]
        assert found["E-2"]["labels"] == ["CORSIA-ELIGIBLE", "CCP"]
        assert found["E-1"]["instrument"] == FIRST.class_id
        assert found["E-1"]["vintage_end"] == FIRST.vintage_end
        assert found["E-1"]["valid_from"] == STARTS_AT

    async def test_trades_are_read_in_minor_units_and_their_own_currency(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            await adapter.publish(order(other("E-1", currency=Currency.CNH)))
            trade = venue.mock.book.trade("E-1", "P0002", 300)
            page = await adapter.read_trades("trades", STARTS_AT, None)
        row = Mapping("trades", LIBRARY).apply(page.rows).rows.filter(native_key=trade.trade_id).to_dicts()[0]
        assert (row["amount"], row["price"], row["currency"]) == (1_155_000, 38_500_000, "CNH")
        assert (row["listing"], row["buyer"], row["traded_at"]) == ("E-1", "P0002", STARTS_AT)

    async def test_a_frozen_position_is_on_hold(self, venue: Venue) -> None:
        key = next(iter(venue.mock.book.positions))
        venue.mock.book.freeze(key, "Court order (法院命令)")
        async with venue.adapter() as adapter:
            page = await adapter.read_holdings("positions", None)
        row = Mapping("positions", LIBRARY).apply(page.rows).rows.filter(native_key=key).to_dicts()[0]
        assert (row["state"], row["available"], row["hold_reason_native"]) == ("on_hold", 0, "Court order (法院命令)")

    async def test_an_unknown_state_is_quarantined(self, venue: Venue) -> None:
        venue.answering("/hkcv/api/offers/v1", lambda document: document["data"][0].update(offerStatus="PAUSED"))
        async with venue.adapter() as adapter:
            mapped = Mapping("offers", LIBRARY).apply((await adapter.read_listings("offers", None)).rows)
        assert mapped.defects["code"].to_list() == ["STATE_UNKNOWN"]
        assert mapped.quarantined().len() == 1

    async def test_what_appears_while_pages_are_turned_loses_no_other_row(self, venue: Venue) -> None:
        async with venue.adapter(page_size=1) as adapter:
            before = {
                row
                for page in await every(lambda c: adapter.read_listings("offers", c))
                for row in page.rows["offerId"]
            }
            first = await adapter.read_listings("offers", None)
            venue.rehearsal.insert()
            rest = [first]
            while (cursor := rest[-1].next_cursor) is not None:
                rest.append(await adapter.read_listings("offers", cursor))
        seen = [row for page in rest for row in page.rows["offerId"]]
        assert before < set(seen)
        assert len(set(seen)) == len(seen)

    async def test_unknown_feeds_are_refused(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            for ask in (adapter.listings_total("x"), adapter.read_holdings("offers", None)):
                with pytest.raises(CapabilityMissing):
                    await ask

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda d: d.update(code="501001", message="Try later"), "501001"),
            (lambda d: d.pop("code"), "code"),
            (lambda d: d.update(nextCursor=None), "nextCursor"),
            (lambda d: d.update(nextCursor=""), "nextCursor"),
            (lambda d: d.update(totalSize="many"), "totalSize"),
            (lambda d: d.update(data={}), "data"),
            (lambda d: d.update(data=["x"]), "data"),
            (lambda d: d["data"].extend(d["data"]), "asked for"),
        ],
    )
    async def test_an_envelope_of_another_shape_is_a_breach(
        self, venue: Venue, change: Callable[[dict[str, Any]], object], told: str
    ) -> None:
        venue.answering("/hkcv/api/offers/v1", change)
        async with venue.adapter(page_size=4) as adapter:
            with pytest.raises(ContractBreach, match=told):
                await adapter.read_listings("offers", None)

    async def test_html_and_cut_answers_are_breaches(self, venue: Venue) -> None:
        for content in (b"<html>maintenance</html>", b'{"code":"0","da', b""):
            venue.after = lambda request, response, content=content: (  # type: ignore[misc]
                response if request.url.path == LOGIN else httpx.Response(200, content=content)
            )
            async with venue.adapter() as adapter:
                with pytest.raises(ContractBreach):
                    await adapter.listings_total("offers")

    async def test_a_venue_that_is_down_or_busy_is_read_again_later(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            venue.mock.go_down()
            with pytest.raises(Unavailable):
                await adapter.listings_total("offers")
            venue.mock.come_back()
            await adapter.listings_total("offers")
            while (venue.mock.handle(venue.asked[-1])).status_code != 429:
                pass
            with pytest.raises(RateLimited):
                await adapter.listings_total("offers")


class TestTokensAndIds:
    def logins(self, venue: Venue) -> int:
        return sum(request.url.path == LOGIN for request in venue.asked)

    async def test_a_token_is_used_for_twenty_of_its_thirty_seconds(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            for expected, seconds in ((1, 0), (1, 19), (2, 1), (2, 19), (3, 1)):
                venue.clock.advance(timedelta(seconds=seconds))
                await adapter.listings_total("offers")
                assert self.logins(venue) == expected

    async def test_a_denied_token_is_forgotten(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            await adapter.listings_total("offers")
            venue.mock.access._tokens.clear()
            with pytest.raises(AccessDenied):
                await adapter.listings_total("offers")
            await adapter.listings_total("offers")
        assert self.logins(venue) == 2

    async def test_a_token_that_ended_while_its_request_waited_is_no_denial(self, venue: Venue) -> None:
        """Neither a person nor an operator is told of it: the read is repeated, the command never left."""

        def wait(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if request.url.path == LOGIN:
                return response
            venue.clock.advance(timedelta(seconds=30))
            return httpx.Response(401, json={"code": "401001", "message": "Access token is expired"})

        venue.after = wait
        async with venue.adapter() as adapter:
            with pytest.raises(Unavailable):
                await adapter.listings_total("offers")
            with pytest.raises(NotSent):
                await adapter.publish(order())

    async def test_a_denial_that_took_long_is_still_one(self, venue: Venue) -> None:
        venue.mock.access.entitlements.clear()

        def wait(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            venue.clock.advance(timedelta(seconds=0 if request.url.path == LOGIN else 30))
            return response

        venue.after = wait
        async with venue.adapter() as adapter:
            for ask in (adapter.listings_total("offers"), adapter.publish(order())):
                with pytest.raises(AccessDenied, match="403001"):
                    await ask

    async def test_a_function_without_entitlement_is_denied(self, venue: Venue) -> None:
        venue.mock.access.entitlements.clear()
        async with venue.adapter() as adapter:
            for ask in (adapter.listings_total("offers"), adapter.publish(order())):
                with pytest.raises(AccessDenied):
                    await ask
        assert "CMD-1" not in venue.mock.book.publications

    @pytest.mark.parametrize(
        ("reply", "told"),
        [
            ({"token_type": "Bearer", "expires_in": 30, "scope": "CP00088"}, "access_token"),
            ({"access_token": "x", "token_type": "MAC", "expires_in": 30, "scope": "CP00088"}, "Bearer"),
            ({"access_token": "x", "token_type": "Bearer", "expires_in": -1, "scope": "CP00088"}, "expires_in"),
            ({"access_token": "x", "token_type": "Bearer", "expires_in": 10**9, "scope": "CP00088"}, "lives"),
            ({"access_token": "x", "token_type": "Bearer", "expires_in": 30, "scope": "CP00001"}, "is for"),
            ([], "object"),
        ],
    )
    async def test_a_token_reply_of_another_shape(self, venue: Venue, reply: object, told: str) -> None:
        venue.after = lambda request, response: (
            httpx.Response(200, json=reply) if request.url.path == LOGIN else response
        )
        async with venue.adapter() as adapter:
            with pytest.raises(ContractBreach, match=told):
                await adapter.listings_total("offers")
            with pytest.raises(NotSent):
                await adapter.publish(order())

    async def test_an_assertion_that_is_not_accepted_is_a_denial_also_for_a_command(self, venue: Venue) -> None:
        for name, changed in (("agent", {"company_id": "CP00001"}), ("machine", {"machine_id": "MC1"})):
            async with venue.adapter(**changed) as adapter:
                with pytest.raises(AccessDenied):
                    await adapter.listings_total("offers")
                with pytest.raises(AccessDenied):
                    await adapter.publish(order(command_id=f"CMD-{name}"))

    async def test_each_attempt_of_a_read_has_an_id_and_a_time_of_its_own(self, venue: Venue) -> None:
        with stamina.set_testing(True, attempts=3):
            plan = FaultPlan(
                1,
                script=(Fault.LOST_REPLY, Fault.SERVER_ERROR_AFTER_EFFECT),
                hits=lambda request: request.url.path != LOGIN,
            )
            async with venue.adapter(with_faults(venue, plan)) as adapter:
                assert (await adapter.listings_total("offers")).rows == 4
        ids = [request.headers["X-HKCV-REQUEST-ID"] for request in venue.asked if request.url.path != LOGIN]
        assert len(set(ids)) == len(ids) == 3

    async def test_two_processes_never_meet_in_a_request_id(self, venue: Venue) -> None:
        for _ in range(2):
            async with venue.adapter() as adapter:
                await adapter.listings_total("offers")


class TestPublishing:
    async def test_a_publication_is_sent_under_its_own_id(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            answer = await adapter.publish(order(FIRST, other("E-2")))
        sent = next(request for request in venue.asked if request.url.path == PUBLISH)
        assert sent.headers["X-HKCV-REQUEST-ID"] == "CMD-1"
        assert (answer.status.state, answer.status.native_state) == (CommandState.CONFIRMED, "COMPLETED")
        assert answer.status.reference == venue.mock.book.publications["CMD-1"].reference
        assert [(one.offer_id, one.accepted) for one in answer.entries] == [("E-1", True), ("E-2", True)]

    async def test_every_publication_of_the_rehearsal_takes_effect_once(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            for publication in venue.rehearsal.publications:
                await adapter.publish(publication)
                venue.rehearsal.settle()
                found = await adapter.publication_status(publication)
                assert found.status.state is CommandState.CONFIRMED
                assert len(found.entries) == len(publication.offers)
                assert venue.rehearsal.effects(publication) == 1

    async def test_every_refused_one_says_why_and_changes_nothing(self, venue: Venue) -> None:
        offers = set(venue.mock.book.offers)
        async with venue.adapter() as adapter:
            for refused in venue.rehearsal.refused:
                try:
                    code = (await adapter.publish(refused.order)).status.code
                except Rejected as error:
                    code = error.code
                found = await adapter.publication_status(refused.order)
                assert code == found.status.code == refused.code
                assert found.status.state is CommandState.REJECTED
                assert venue.rehearsal.effects(refused.order) == 0
        assert set(venue.mock.book.offers) == offers

    async def test_each_offer_is_answered_for_itself(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            await adapter.publish(order(other("E-1", revision=5), command_id="CMD-0"))
            answer = await adapter.publish(
                order(other("E-1", revision=4), other("E-2", currency=Currency.CNY), other("E-3"))
            )
            assert (answer.status.state, answer.status.native_state) == (CommandState.CONFIRMED, "PARTIAL")
            assert [(one.accepted, one.code) for one in answer.entries] == [
                (False, "405921"),
                (False, "405914"),
                (True, None),
            ]
            assert (
                await adapter.publication_status(order(other("E-1", revision=4), other("E-2"), other("E-3")))
            ).entries
        assert venue.mock.book.offers["E-1"].revision == 5

    async def test_a_large_one_is_accepted_and_confirmed_later(self, venue: Venue) -> None:
        large = venue.rehearsal.publications[3]
        async with venue.adapter() as adapter:
            assert (await adapter.publish(large)).status.state is CommandState.ACCEPTED
            pending = await adapter.publication_status(large)
            assert (pending.status.state, pending.entries) == (CommandState.ACCEPTED, ())
            venue.rehearsal.settle()
            assert len((await adapter.publication_status(large)).entries) == len(large.offers)

    async def test_after_a_lost_reply_the_status_says_confirmed(self, venue: Venue) -> None:
        async with venue.adapter(venue.publish_faults(Fault.LOST_REPLY)) as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())
            found = await adapter.publication_status(order())
        assert (found.status.state, len(found.entries)) == (CommandState.CONFIRMED, 1)
        assert venue.rehearsal.effects(order()) == 1

    async def test_after_a_lost_reply_the_status_says_rejected(self, venue: Venue) -> None:
        wrong = order().model_copy(update={"account": "OA9999"})
        async with venue.adapter(venue.publish_faults(Fault.SERVER_ERROR_AFTER_EFFECT)) as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(wrong)
            found = await adapter.publication_status(wrong)
        assert (found.status.state, found.status.code, found.entries) == (CommandState.REJECTED, "405101", ())

    async def test_after_a_lost_request_the_status_says_not_found(self, venue: Venue) -> None:
        async with venue.adapter(venue.publish_faults(Fault.SERVER_ERROR)) as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())
            found = await adapter.publication_status(order())
        assert (found.status.state, found.status.native_state, found.entries) == (CommandState.NOT_FOUND, None, ())

    async def test_a_late_one_is_refused_by_its_age(self, venue: Venue) -> None:
        """What arrives after the venue's minute does nothing: that bounds how long a command can be under way."""
        faulty = venue.publish_faults(Fault.LATE)
        async with venue.adapter(faulty) as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())
            venue.clock.advance(MANIFEST.processing_limit)
            faulty.deliver_late()
            found = await adapter.publication_status(order())
        assert found.status.state is CommandState.NOT_FOUND
        assert venue.rehearsal.effects(order()) == 0

    async def test_the_venue_knows_an_id_that_it_had(self, venue: Venue) -> None:
        """411002 is no refusal: the first copy may have happened."""
        async with venue.adapter(venue.publish_faults(Fault.DUPLICATE)) as adapter:
            with pytest.raises(OutcomeUnknown, match="411002"):
                await adapter.publish(order())
            with pytest.raises(OutcomeUnknown, match="411002"):
                await adapter.publish(order(other("E-9")))
            assert (await adapter.publication_status(order())).status.state is CommandState.CONFIRMED
        assert venue.rehearsal.effects(order()) == 1
        assert "E-9" not in venue.mock.book.offers

    @pytest.mark.parametrize("code", ["411001", "411003", "411004", "411008", "411002", "999999", 7, None])
    async def test_a_400_with_another_code_proves_nothing(self, venue: Venue, code: object) -> None:
        body = {"code": code, "message": "x"}
        venue.after = lambda request, response: (
            httpx.Response(400, json=body) if request.url.path == PUBLISH else response
        )
        async with venue.adapter() as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())

    @pytest.mark.parametrize("status", [404, 409, 429, 500, 302])
    async def test_other_statuses_prove_nothing(self, venue: Venue, status: int) -> None:
        body = {"code": "405101", "message": "x"}
        venue.after = lambda request, response: (
            httpx.Response(status, json=body) if request.url.path == PUBLISH else response
        )
        async with venue.adapter() as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d.update(code="405101", message="x"),
            lambda d: d.update(data=[]),
            lambda d: d["data"].append(d["data"][0]),
            lambda d: d["data"][0].update(requestId="CMD-2"),
            lambda d: d["data"][0].update(publicationStatus="DONE"),
            # The whole and its parts contradict each other: neither is believed.
            lambda d: d["data"][0].update(publicationStatus="REJECTED"),
            lambda d: d["data"][0].update(publicationStatus="PARTIAL"),
            lambda d: d["data"][0].update(publicationStatus="PROCESSING"),
            lambda d: d["data"][0]["records"][0].update(
                recordStatus="REJECTED", exception=[{"recordErrorCode": "1", "recordErrorMsg": "x"}]
            ),
            lambda d: d["data"][0].pop("referenceNo"),
            lambda d: d["data"][0].update(records=None),
            lambda d: d["data"][0].update(records=[]),
            lambda d: d["data"][0]["records"][0].update(offerId="E-2"),
            lambda d: d["data"][0]["records"][0].update(revision=2),
            lambda d: d["data"][0]["records"][0].update(recordStatus="MAYBE"),
            lambda d: d["data"][0]["records"][0].update(recordStatus="REJECTED"),
            lambda d: d["data"][0]["records"][0].update(exception=[{"recordErrorCode": "1", "recordErrorMsg": "x"}]),
            lambda d: d["data"][0]["records"].append(d["data"][0]["records"][0]),
        ],
    )
    async def test_an_answer_of_another_shape_is_doubt_for_a_command_and_a_breach_for_its_status(
        self, venue: Venue, change: Callable[[dict[str, Any]], object]
    ) -> None:
        async with venue.adapter() as adapter:
            venue.answering(PUBLISH, change)
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())
            before = (await adapter.publication_status(order())).status.state
            assert before is CommandState.CONFIRMED
            venue.answering("/hkcv/api/offers/publications/v1", change)
            with pytest.raises(ContractBreach):
                await adapter.publication_status(order())

    async def test_html_at_200_is_doubt(self, venue: Venue) -> None:
        venue.after = lambda request, response: (
            httpx.Response(200, content=b"<html></html>") if request.url.path == PUBLISH else response
        )
        async with venue.adapter() as adapter:
            with pytest.raises(OutcomeUnknown):
                await adapter.publish(order())

    async def test_a_venue_that_is_down_got_nothing(self, venue: Venue) -> None:
        venue.mock.go_down()
        async with venue.adapter() as adapter:
            with pytest.raises(NotSent):
                await adapter.publish(order())

    async def test_the_venues_own_code_is_kept(self, venue: Venue) -> None:
        async with venue.adapter() as adapter:
            with pytest.raises(Rejected) as rejected:
                await adapter.publish(order().model_copy(update={"account": "OA9999"}))
        assert isinstance(rejected.value, AdapterError)
        assert (rejected.value.code, "OA9999" in str(rejected.value)) == ("405101", True)

    @pytest.mark.parametrize(
        ("scaled", "text"),
        [(0, "0.00"), (38_500_000, "38.50"), (1, "0.000001"), (12_345_678, "12.345678"), (1_000_000, "1.00")],
    )
    def test_prices_are_written_exactly(self, scaled: int, text: str) -> None:
        assert decimal(scaled, 6) == text


class TestWebhooks:
    async def test_a_trade_is_pushed_as_it_is_listed(self, venue: Venue) -> None:
        assert venue.rehearsal.webhook is not None
        headers, body = venue.rehearsal.webhook()
        async with venue.adapter() as adapter:
            told = adapter.verify(headers, body)
            listed = await adapter.read_trades("trades", STARTS_AT, None)
        assert (told.event_type, told.sent_at, told.event_id) == ("trade.executed", STARTS_AT, headers["webhook-id"])
        assert told.feed is not None
        pushed = Mapping(told.feed.mapping, LIBRARY).apply(told.rows).rows.drop("_row")
        assert pushed.to_dicts()[0] in Mapping("trades", LIBRARY).apply(listed.rows).rows.drop("_row").to_dicts()

    async def test_other_events_only_say_that_something_changed(self, venue: Venue) -> None:
        venue.mock.book.close("Signal no. 8 (八號烈風或暴風信號)")
        ((headers, body),) = venue.mock.webhooks()
        async with venue.adapter() as adapter:
            told = adapter.verify(headers, body)
        assert (told.event_type, told.feed, told.rows.height) == ("venue.closed", None, 0)
        assert told.document.content == body

    async def test_what_is_not_the_venues_is_refused(self, venue: Venue) -> None:
        assert venue.rehearsal.webhook is not None
        headers, body = venue.rehearsal.webhook()
        stranger = sign("evt-1", STARTS_AT, body, WebhookKey.parse("whsec_" + "QUJD" * 8))
        async with venue.adapter() as adapter:
            for wrong_headers, wrong_body in ((headers, body + b" "), (stranger, body), ({}, body)):
                with pytest.raises(WebhookRefused):
                    adapter.verify(wrong_headers, wrong_body)
            venue.clock.advance(timedelta(seconds=301))
            with pytest.raises(WebhookRefused):
                adapter.verify(headers, body)

    async def test_every_configured_key_is_live(self, venue: Venue) -> None:
        following = "whsec_" + "QUJD" * 8
        venue.mock.book.close("drill")
        event = venue.mock.book.outbox[0]
        async with venue.adapter(webhook_keys=SecretStr(f"{WEBHOOK_KEY} {following}")) as adapter:
            adapter.verify(*venue.mock.signed(event))
            venue.mock.webhook_keys = (WebhookKey.parse(following),)
            assert adapter.verify(*venue.mock.signed(event)).event_id == event.event_id

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"trade.executed"}', b'{"type":null}', b"<html>"])
    async def test_the_venues_own_event_of_another_shape_is_a_breach(self, venue: Venue, body: bytes) -> None:
        headers = sign("evt-1", STARTS_AT, body, *venue.mock.webhook_keys)
        async with venue.adapter() as adapter:
            with pytest.raises(ContractBreach):
                adapter.verify(headers, body)
