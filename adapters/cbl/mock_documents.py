"""What the stand-in shows, in the market's JSON. An optional member is there only where ``include`` names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.cbl.book import MARKETS, VENUE, midnight
from adapters.cbl.book_entries import Deposit, Instrument, Listing, Project, Retirement, TaxLot, Trade, Transfer
from adapters.cbl.mock_wire import amount, instant

Include = frozenset[str]


def position(one: Instrument, lots: Sequence[TaxLot], include: Include) -> dict[str, Any]:
    """A position: an instrument and the tax lots of it."""
    return {
        "id": one.id,
        "tags": [],
        "taxLots": [tax_lot(lot, include) for lot in lots],
        "instrument": instrument(one, include),
    }


def tax_lot(one: TaxLot, include: Include = frozenset()) -> dict[str, Any]:
    """A tax lot."""
    optional = {
        "establishQuantity": one.began,
        "previousCounterparty": one.previous,
        "externalTradeId": None,
        "dealId": None,
    }
    return {
        "id": one.id,
        "name": one.name,
        "establishedDate": instant(one.established),
        "pricePaid": {"currency": "USD", "amount": amount(one.price)},
        "availableQuantity": one.available,
        "encumberedQuantity": one.encumbered,
        "unsettledQuantity": one.unsettled,
    } | {key: value for key, value in optional.items() if key in include}


def instrument(one: Instrument, include: Include = frozenset()) -> dict[str, Any]:
    """An instrument: a carbon one, or a renewable energy certificate."""
    shown: dict[str, Any] = {
        "type": one.kind,
        "id": one.id,
        "ein": one.ein,
        "description": one.description,
        "program": one.project.program,
        "vintage": {"year": one.year},
        "creditType": one.credit_type,
    }
    if one.kind == "REC":
        return shown | {"generator": {"id": one.project.id, "upn": one.project.upn, "name": one.project.name}}
    shown |= {
        "serialNumber": one.serial,
        "reportingPeriodStart": instant(midnight(one.start)),
        "reportingPeriodEnd": instant(midnight(one.end)),
        "project": _project(one.project, one.credit_type),
    }
    if "issuanceCertifications" in include:
        shown["issuanceCertifications"] = [
            {"code": code, "vintageYears": list(years)} for code, years in one.issuance_certifications
        ]
    if "projectCertifications" in include:
        shown["projectCertifications"] = [
            {
                "code": code,
                "projectCertificationDateRanges": [
                    {
                        "certificationStart": None if first is None else instant(midnight(first)),
                        "certificationEnd": None if last is None else instant(midnight(last)),
                    }
                ],
            }
            for code, first, last in one.project_certifications
        ]
    return shown


def deposit(one: Deposit) -> dict[str, Any]:
    """A deposit, with the little that it says of its instrument and its tax lot."""
    thing = one.lot.instrument
    return {
        "depositIdentifier": one.identifier,
        "executionVenue": {"code": one.venue, "name": VENUE},
        "depositMarket": {
            "market": {"name": MARKETS[one.market], "apiCode": one.market},
            "marketModelInstrument": {"description": thing.description, "price": {"amount": amount(one.lot.price)}},
        },
        "taxLot": {"name": one.lot.name},
        "instrument": {
            "ein": thing.ein,
            "description": thing.description,
            "type": thing.kind,
            "program": thing.project.program,
            "vintage": {"year": thing.year},
            "resource": {"name": thing.project.name, "registryAssignedId": thing.project.number},
        },
        "quantity": one.quantity,
        "availableQuantity": one.available,
        "settledQuantity": one.settled,
        "status": one.status,
    }


def transfer(one: Transfer, include: Include) -> dict[str, Any]:
    """A transfer."""
    shown: dict[str, Any] = {
        "identifier": one.identifier,
        "counterparty": one.counterparty,
        "type": "OUTGOING" if one.outgoing else "INCOMING",
        "status": one.status,
        "registryStatus": one.registry_status,
        "quantity": one.quantity,
        "dealIds": [],
        "externalTransferIdentifier": one.external,
        "createdDate": instant(one.created),
        "transferDate": instant(one.created),
        "lastUpdatedDate": instant(one.updated),
        "expectedSettlementDate": instant(midnight(one.settlement_day)),
        "actualSettlementDate": None if one.settled is None else instant(one.settled),
        "registryTransferIdentifier": None if one.settled is None else f"REG-{one.identifier}",
        "unitPrice": {"currency": "USD", "amount": amount(one.price)},
        "instrument": instrument(one.instrument),
        "batchIdentifier": one.batch,
    }
    return shown | _moved(one.parts, include)


def retirement(one: Retirement, include: Include = frozenset()) -> dict[str, Any]:
    """A retirement."""
    shown: dict[str, Any] = {
        "instrument": instrument(one.instrument),
        "lastUpdatedDate": instant(one.updated),
        "createdDate": instant(one.created),
        "quantity": one.quantity,
        "status": one.status,
        "batchIdentifier": one.batch,
        "identifier": one.identifier,
        "externalIdentifier": one.external,
        "registryTransferIdentifier": one.registry_id,
        "registryPositionId": None if one.registry_id is None else f"POS-{one.identifier}",
        "attributes": one.attributes,
    }
    return shown | _moved(one.parts, include)


def retirement_status(one: Retirement) -> dict[str, Any]:
    """What check-status says of a retirement."""
    return {
        "status": one.status,
        "identifier": one.identifier,
        "externalIdentifier": one.external,
        "registryTransferIdentifier": one.registry_id,
    }


def listing(one: Listing) -> dict[str, Any]:
    """An order of the book; the shape is ours, its words are those of the market's data dictionary."""
    thing = one.instrument
    codes = list(one.certifications) if thing is None else [code for code, _ in thing.issuance_certifications]
    codes += [] if thing is None else [code for code, _, _ in thing.project_certifications]
    return {
        "orderRef": one.reference,
        "original": one.original,
        "market": {"name": MARKETS[one.market], "apiCode": one.market},
        "instrument": {"code": one.product, "name": one.name},
        "program": one.program if thing is None else thing.project.program,
        "projectId": None if thing is None else thing.project.number,
        "projectName": None if thing is None else thing.project.name,
        "projectType": None if thing is None else thing.project.kind,
        "methodology": None if thing is None else thing.project.methodology,
        "country": None if thing is None else thing.project.country_name,
        "creditType": None if thing is None else thing.credit_type,
        "certifications": ";".join(codes),
        "vintage": one.vintage if thing is None else str(thing.year),
        "side": one.side,
        "type": one.kind,
        "quantity": one.quantity,
        "balance": one.balance,
        "lotSize": one.lot,
        "price": {"amount": amount(one.price), "currency": "USD"},
        "status": one.status,
        "enteredAt": instant(one.entered),
        "validUntil": None if one.until is None else instant(one.until),
    }


def trade(one: Trade) -> dict[str, Any]:
    """A trade; the shape is ours, its words are those of the settle operation."""
    thing = one.instrument
    return {
        "tradeIdentifier": one.identifier,
        "productCode": one.product,
        "order": one.order,
        "buyerIdentifier": one.buyer,
        "sellerIdentifier": one.seller,
        "quantity": one.quantity,
        "price": {"amount": amount(one.price), "currency": one.currency},
        "value": {"amount": amount(one.price * one.quantity), "currency": one.currency},
        "status": one.status,
        "program": None if thing is None else thing.project.program,
        "projectId": None if thing is None else thing.project.number,
        "vintage": None if thing is None else str(thing.year),
        "executedAt": instant(one.executed),
        "settledAt": None if one.settled is None else instant(one.settled),
    }


def _project(one: Project, credit_type: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "upn": one.upn,
        "name": one.name,
        "programs": [
            {
                "program": one.program,
                "registryAssignedId": one.number,
                "status": one.status,
                "creditType": credit_type,
                "projectType": one.kind,
                "baselineMethodologies": [one.methodology],
            }
        ],
        "status": one.status,
        "country": one.country,
    }


def _moved(parts: Sequence[tuple[TaxLot, int]], include: Include) -> dict[str, Any]:
    if "transferTaxLots" not in include:
        return {}
    return {"transferTaxLots": [{"taxLot": tax_lot(lot), "quantity": quantity} for lot, quantity in parts]}
