"""Broken in what they make of orders and of webhooks."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.kit.contract import Document, Notification
from gateway.kit.errors import (
    AccessDenied,
    AdapterError,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    Rejected,
    WebhookRefused,
)
from gateway.model.commands import CommandState, CommandStatus, Order, Retirement
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.client import MARKET, OrderState
from tests.conformance.mutants.making import broken


class NeverConfirms(HarbourAdapter):
    def _status(self, order: Order, found: OrderState) -> CommandStatus:
        return super()._status(order, found).model_copy(update={"state": CommandState.ACCEPTED})


class NeverSends(HarbourAdapter):
    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        return OrderState(order.command_id, "RECEIVED", "O-0", None, ())


class NewKeyForEachTry(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._tries = 0

    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        self._tries += 1
        found = await super()._sent(kind, order.model_copy(update={"command_id": f"K-{self._tries}"}), told)
        return replace(found, reference=order.command_id)


class Line:
    """A line that is the transport's but for what a mutant changes."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self.read = line.read
        self.read_json = line.read_json
        self.command_json = line.command_json


class KnowsNoRefusal(Line):
    def __init__(self, line: Any) -> None:
        super().__init__(line)
        self.command_json = self._command_json

    async def _command_json(self, *arguments: Any, refusal: Any, **options: Any) -> Any:
        return await self._line.command_json(*arguments, refusal=lambda _response: None, **options)


class ThroughTheReadingDoor(Line):
    def __init__(self, line: Any) -> None:
        super().__init__(line)
        self.command_json = self._command_json

    async def _command_json(self, *arguments: Any, refusal: Any, **options: Any) -> Any:
        return (await self._line.read_json(*arguments, **options))[0]


class RefusalsUnknown(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, KnowsNoRefusal(transport), clock)  # type: ignore[arg-type]


class CommandsAreReads(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, ThroughTheReadingDoor(transport), clock)  # type: ignore[arg-type]


class NoWordOfTheMarket(HarbourAdapter):
    def _status(self, order: Order, found: OrderState) -> CommandStatus:
        return super()._status(order, found).model_copy(update={"native_state": None})


class NeverNotFound(HarbourAdapter):
    async def _asked(self, order: Order) -> CommandStatus:
        found = await super()._asked(order)
        absent = found.state is CommandState.NOT_FOUND
        return found.model_copy(update={"state": CommandState.ACCEPTED}) if absent else found


class AbsentIsConfirmed(HarbourAdapter):
    async def _asked(self, order: Order) -> CommandStatus:
        found = await super()._asked(order)
        absent = found.state is CommandState.NOT_FOUND
        return found.model_copy(update={"state": CommandState.CONFIRMED}) if absent else found


class InHandIsNotFound(HarbourAdapter):
    def _read_status(self, order: Order, found: OrderState) -> CommandStatus:
        status = super()._read_status(order, found)
        done = status.state is CommandState.CONFIRMED
        return status if done else status.model_copy(update={"state": CommandState.NOT_FOUND})


class CertifiesEverything(HarbourAdapter):
    async def certificate(self, order: Retirement) -> Document:
        return Document(b"Retired", "text/plain", "certificate")


class Translates(HarbourAdapter):
    """The market whose errors of commands become others."""

    def translated(self, error: AdapterError) -> Exception:
        return error

    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        try:
            return await super()._sent(kind, order, told)
        except AdapterError as error:
            raise self.translated(error) from error


class TimeoutIsRejection(Translates):
    def translated(self, error: AdapterError) -> Exception:
        if isinstance(error, OutcomeUnknown):
            return Rejected("it did not go through", market=MARKET, operation="order", code=error.code)
        return error


class NothingIsEverSent(Translates):
    def translated(self, error: AdapterError) -> Exception:
        return NotSent("nothing left", market=MARKET, operation="order", code=error.code)


class EverythingIsUnknown(Translates):
    def translated(self, error: AdapterError) -> Exception:
        return OutcomeUnknown("who knows", market=MARKET, operation="order", code=error.code)


class RetriesACommand(HarbourAdapter):
    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        try:
            return await super()._sent(kind, order, told)
        except OutcomeUnknown:
            return await super()._sent(kind, order, told)


class GuessesStates(HarbourAdapter):
    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        try:
            return await super()._sent(kind, order, told)
        except OutcomeUnknown:
            return OrderState(order.command_id, "RECEIVED", "O-0", None, ())

    def _read_status(self, order: Order, found: OrderState) -> CommandStatus:
        try:
            return super()._read_status(order, found)
        except ContractBreach:
            return super()._read_status(order, replace(found, state="RECEIVED"))


class NotFoundOnError(HarbourAdapter):
    async def _asked(self, order: Order) -> CommandStatus:
        try:
            return await super()._asked(order)
        except (ContractBreach, AccessDenied):
            state = CommandState.NOT_FOUND
            return CommandStatus(command_id=order.command_id, state=state, as_of=self._clock())


class AnySignature(HarbourAdapter):
    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        try:
            return super().verify(headers, body)
        except WebhookRefused as error:
            if "signature" not in error.why:
                raise
            return _unsigned(self, headers, body)


class AnyTime(HarbourAdapter):
    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        clock = self._clock
        for minutes in (0, 10, -10):
            self._clock = lambda moved=minutes: clock() + timedelta(minutes=moved)  # type: ignore[misc]
            try:
                return super().verify(headers, body)
            except WebhookRefused:
                continue
            finally:
                self._clock = clock
        raise WebhookRefused("none of these")


class CrashesOnHeaders(HarbourAdapter):
    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        int(headers["harbour-time"])
        return super().verify(headers, body)


class SignsTheMeaning(HarbourAdapter):
    """It believes whatever says the same."""

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        try:
            body = json.dumps(json.loads(body)).encode()
        except ValueError as error:
            raise WebhookRefused("no JSON") from error
        return super().verify(headers, body)


class NewIdEachTime(HarbourAdapter):
    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        found = super().verify(headers, body)
        return replace(found, event_id=f"{found.event_id}-{id(found)}", sent_at=found.sent_at.replace(tzinfo=None))


def _unsigned(adapter: HarbourAdapter, headers: Mapping[str, str], body: bytes) -> Notification:
    """The notification, with whatever signature it should have had."""
    real = hmac.compare_digest
    hmac.compare_digest = lambda _one, _other: True
    try:
        return HarbourAdapter.verify(adapter, headers, body)
    finally:
        hmac.compare_digest = real


_REJECTS = ("G020", "G030", "G040", "G060", "G070", "G080", "G090", "G100", "G120")

MUTANTS = (
    broken("never confirms", "C010", "G100", adapter=NeverConfirms),
    broken("never sends", "C010", "C050", adapter=NeverSends),
    broken("new key for each try", "C030", "C040", adapter=NewKeyForEachTry),
    broken("calls every refusal unknown", "C020", adapter=RefusalsUnknown),
    broken("sends commands as reads", "C050", adapter=CommandsAreReads),
    broken("no word of the market's", "C060", adapter=NoWordOfTheMarket),
    broken("never says NOT_FOUND", "C070", "G110", adapter=NeverNotFound),
    broken("takes the absent for done", "C070", "G110", "G120", adapter=AbsentIsConfirmed),
    broken("takes what is in hand for absent", "G100", adapter=InHandIsNotFound),
    broken("certifies everything", "C080", adapter=CertifiesEverything),
    broken("calls a timeout a rejection", *_REJECTS, adapter=TimeoutIsRejection),
    broken("says that no order was sent", "G020", "G030", "G050", adapter=NothingIsEverSent),
    broken("takes everything for unknown", "C020", "G010", "G050", adapter=EverythingIsUnknown),
    broken("retries a command", "G020", "G030", adapter=RetriesACommand),
    broken("guesses states", "G080", "G090", adapter=GuessesStates),
    broken("not found on error", "G130", adapter=NotFoundOnError),
    broken("accepts any signature", "W020", "W050", adapter=AnySignature),
    broken("accepts any time", "W030", adapter=AnyTime),
    broken("breaks on a header", "W040", adapter=CrashesOnHeaders),
    broken("signs the meaning", "W050", adapter=SignsTheMeaning),
    broken("a new id each time", "W010", adapter=NewIdEachTime),
)
