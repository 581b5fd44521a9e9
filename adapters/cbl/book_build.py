"""Makes the stand-in's book from a seed: the same seed, size and instant give the same book."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from adapters.cbl.book import ACCOUNT, COUNTERPARTY_TAKES, Book, next_settlement_day
from adapters.cbl.book_entries import Instrument, Project, TaxLot
from adapters.cbl.book_retirements import retire
from adapters.cbl.book_transfers import create
from adapters.cbl.book_venue import deposit, settle
from adapters.cbl.mock_wire import amount
from gateway.kit.clock import Clock

MAKER: Final = "7B21F0C4"
TAKER: Final = "3E94A6D2"
PARTICIPANTS: Final = {
    MAKER: "Quenmere Carbon Trading",
    TAKER: "Solvash Climate Partners",
    "D05C81BE": "Ithawick Offsets",
}
"""Other participants, by their account; the name is the one in the registries. All are invented."""

AGE: Final = timedelta(days=90)
MIN_PROJECTS: Final = 4


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme's code, its credit type, and how its projects are numbered."""

    code: str
    credit: str
    serial: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of project, what it is called, its methodology, and the market that takes its units."""

    word: str
    name: str
    methodology: str
    market: str


VCS: Final = Programme("VCS", "VCU", "{batch}-{first}-{last}-VCS-VCU-997-VER-{country}-14-{number}-{start}-{end}-0")
PROGRAMMES: Final = (
    VCS,
    VCS,
    VCS,
    Programme("GS", "VER", "GS1-1-{country}-GS{number}-16-{year}-{batch}-{first}-{last}"),
    Programme("ACR", "ERT", "ACR-{country}-{number}-{year}-{batch}-{first} to {last}"),
    Programme("CAR", "CRT", "CAR-1-{country}-{number}-39-{year}-{batch}-{first} to {last}"),
)
KINDS: Final = (
    Kind("REDD", "Forest Conservation", "VM0007", "N-GEO"),
    Kind("ARR", "Mangrove Restoration", "VM0033", "N-GEO"),
    Kind("WIND", "Wind Power", "ACM0002", "GEO"),
    Kind("LANDFILL_GAS", "Landfill Gas Recovery", "ACM0001", "C-GEO"),
    Kind("COOKSTOVES", "Efficient Cookstoves", "VMR0006", "SIP"),
)
COUNTRIES: Final = (
    ("ID", "Indonesia"),
    ("BR", "Brazil"),
    ("KE", "Kenya"),
    ("IN", "India"),
    ("VN", "Viet Nam"),
    ("PE", "Peru"),
    ("KH", "Cambodia"),
)
CERTIFICATION_SETS: Final = (
    ("CCB_GOLD",),
    ("CORSIA_PILOT",),
    ("CORSIA_PILOT", "CCB"),
    ("CORSIA_FIRST", "ARTICLE6_INTERNATIONAL"),
    ("CCP",),
    (),
)
BENEFICIARIES: Final = ("Harbourlune Trading Ltd", "海雲澗貿易有限公司", "Société Vérandole & Fils", "Tanwick Shipping")
PLACES: Final = ("Varadore", "Kestwick", "Doluthal", "Mirenquill", "Tanolune", "Brumond", "Ophirith", "Zevagara")
LISTED_NUMBERS: Final = ("1748", "934", "2252", "1566", "1477", "2358")
"""Numbers of projects that other venues list too."""


def build_book(seed: int, clock: Clock, *, projects: int) -> Book:
    """A consistent book.

    Args:
        seed: decides everything.
        clock: the present; nothing in the book is later.
        projects: how many projects; raises ValueError below four.
    """
    if projects < MIN_PROJECTS:
        raise ValueError(f"found {projects} projects, expected {MIN_PROJECTS} or more")
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    past = _Past(clock)
    book = Book(past)
    book.accounts |= PARTICIPANTS
    instruments = list(_instruments(chance, projects))
    lots = [_issued(book, chance, one) for one in instruments]
    _other_holdings(book, instruments)
    past.ago = AGE / 2
    _deposits(book, chance, lots)
    past.ago = AGE / 3
    book.advance()
    _trades(book)
    _transfers(book, lots)
    _retirements(book, lots)
    past.ago = timedelta(0)
    book.advance()
    _listings(book, chance, instruments)
    book.offer_transfer(instruments[0], 120, PARTICIPANTS[MAKER], price=415)
    book.offer_transfer(instruments[1], 80, PARTICIPANTS[TAKER])
    book.offer_transfer(instruments[2], 40, PARTICIPANTS["D05C81BE"], price=1_250)
    book.clock = clock
    book.acts.clear()
    return book


class _Past:
    """The time while the book is made: some while ago, ever less."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock()
        self.ago = AGE

    def __call__(self) -> datetime:
        return self._now - self.ago


def _instruments(chance: random.Random, projects: int) -> Iterator[Instrument]:
    """One or two issuances of each project, and one renewable energy certificate."""
    number = 9_000
    for place in range(projects):
        programme, kind = PROGRAMMES[place % len(PROGRAMMES)], KINDS[place % len(KINDS)]
        project = _project(chance, place, programme, kind)
        for year in sorted(chance.sample(range(2018, 2024), 1 + place % 2)):
            number += 1
            yield _instrument(chance, number, project, programme, kind, year)
    generator = Project(8_000, "UPN-R-1", "Brumond Ridge Solar", "NAR", "NAR1101", "ACTIVE", "US", "", "SOLAR", "")
    yield Instrument(
        number + 1, f"EIN{number + 1}", generator, "REC", 2023, date(2023, 1, 1), date(2023, 12, 31), "", "SIP",
        kind="REC",
    )  # fmt: skip


def _project(chance: random.Random, place: int, programme: Programme, kind: Kind) -> Project:
    number = str(3_000 + 7 * place)
    if programme is VCS and place < len(LISTED_NUMBERS):
        number = LISTED_NUMBERS[place]
    country, country_name = chance.choice(COUNTRIES)
    return Project(
        id=7_000 + place,
        upn=f"UPN{100_000 + place}",
        name=f"{PLACES[place % len(PLACES)]} {kind.name} {1 + place // len(PLACES)}",
        program=programme.code,
        number=number,
        status="REGISTERED",
        country=country,
        country_name=country_name,
        kind=kind.word,
        methodology=kind.methodology,
    )


def _instrument(
    chance: random.Random, number: int, project: Project, programme: Programme, kind: Kind, year: int
) -> Instrument:
    # Now and then a reporting period that is no calendar year.
    start, end = date(year, 1, 1), date(year, 12, 31)
    if chance.randrange(4) == 0:
        start, end = date(year, 3, 1), date(year, 10, 31)
    codes = chance.choice(CERTIFICATION_SETS)
    of_project = tuple((code, date(2016, 1, 1), None) for code in codes if code.startswith("CCB"))
    of_issuance = tuple((code, (year,)) for code in codes if not code.startswith("CCB"))
    first = chance.randrange(1_000_000, 9_000_000)
    serial = programme.serial.format(
        batch=number, first=first, last=first + 49_999, country=project.country, number=project.number, year=year,
        start=f"{start:%d%m%Y}", end=f"{end:%d%m%Y}",
    )  # fmt: skip
    return Instrument(
        number,
        f"EIN{number}",
        project,
        programme.credit,
        year,
        start,
        end,
        serial,
        kind.market,
        of_issuance,
        of_project,
    )


def _issued(book: Book, chance: random.Random, instrument: Instrument) -> TaxLot:
    """Ours: one lot of each instrument, of every third a second one."""
    lot = book.issue(instrument, 500 * chance.randrange(4, 40), price=chance.randrange(150, 1_500))
    if instrument.id % 3 == 0:
        book.establish(instrument, 1_000, ACCOUNT, f"Import {book.today()}", price=chance.randrange(150, 1_500))
    return lot


def _other_holdings(book: Book, instruments: list[Instrument]) -> None:
    """What another participant has on the venue to sell: the first instrument of each market."""
    for market in ("GEO", "N-GEO", "C-GEO"):
        instrument = next((one for one in instruments if one.market == market), instruments[0])
        lot = book.issue(instrument, 20_000, MAKER)
        deposit(book, MAKER, {"market": market, "deposits": [{"taxLotId": lot.id, "quantity": 15_000}]})


def _deposits(book: Book, chance: random.Random, lots: list[TaxLot]) -> None:
    """A part of every second lot of ours is on the venue."""
    for lot in lots[::2]:
        if lot.instrument.kind == "CARBON":
            placed = {"taxLotId": lot.id, "quantity": 100 * chance.randrange(3, 9), "priority": 1}
            deposit(book, ACCOUNT, {"market": lot.instrument.market, "deposits": [placed]})


def _trades(book: Book) -> None:
    """Settled trades on both sides, and one that waits for its settlement."""
    market = next(one.market for one in book.deposits.values() if one.lot.account == ACCOUNT)
    trades = ((ACCOUNT, TAKER, market), (MAKER, ACCOUNT, "N-GEO"), (MAKER, ACCOUNT, "GEO"), (MAKER, ACCOUNT, "C-GEO"))
    for place, (seller, buyer, product) in enumerate(trades):
        settle(
            book,
            {
                "tradeIdentifier": f"TR{70_001 + place}",
                "sellerIdentifier": seller,
                "buyerIdentifier": buyer,
                "productCode": product,
                "quantity": 100 + 50 * place,
                "price": amount(310 + 45 * place),
                "currency": "USD",
            },
        )
    book.add_trade("GEO", ACCOUNT, MAKER, 200, 88)


def _transfers(book: Book, lots: list[TaxLot]) -> None:
    """Transfers of ours that were settled since."""
    for lot, counterparty in zip(lots[1::2], list(PARTICIPANTS.values()), strict=False):
        entry = {
            "externalTransferIdentifier": f"earlier-{lot.id}",
            "ein": lot.instrument.ein,
            "unitPrice": {"currency": "USD", "amount": 0},
            "transferData": {"transferDataType": "TAX_LOTS", "taxLots": [{"taxLotId": lot.id, "quantity": 25}]},
        }
        body = {
            "counterpartyRegistryName": counterparty,
            "settlementDate": next_settlement_day(book.today()).isoformat(),
            "transfers": [entry],
        }
        _, made = create(book, ACCOUNT, lot.instrument.project.program, body)
        assert made[0].due == book.clock() + COUNTERPARTY_TAKES


def _retirements(book: Book, lots: list[TaxLot]) -> None:
    """Retirements of ours that the registries have done since."""
    for place, lot in enumerate(lots[1:8:2]):
        entry = {
            "ein": lot.instrument.ein,
            "quantity": 10 + place,
            "quantityPerTaxLot": [{"taxLotId": lot.id, "quantity": 10 + place}],
            "externalIdentifier": f"earlier-r{lot.id}",
        }
        attributes = {"beneficialOwnerName": BENEFICIARIES[place], "retirementReason": "VOLUNTARY"}
        if place == 0:
            attributes |= {"retirementReasonDetails": "For the year 2025", "subAccount": "43134"}
        body = {"dryRun": False, "retirements": [entry], "attributes": attributes}
        retire(book, ACCOUNT, lot.instrument.project.program, body, deposited=False)


def _listings(book: Book, chance: random.Random, instruments: list[Instrument]) -> None:
    products = (
        ("GEO", "GEO", None, "2016 - 2023", 88, ("CORSIA_PILOT",)),
        ("N-GEO", "N-GEO 2020", "VCS", "2020", 133, ("CCB",)),
        ("N-GEO", "N-GEO 2021", "VCS", "2021", 142, ("CCB",)),
        ("C-GEO", "C-GEO", "VCS", "2016 - 2023", 64, ()),
    )
    for market, name, program, vintage, price, codes in products:
        for side, step in (("SELL", 1), ("BUY", -1)):
            for level in range(1, 3):
                kind = "AON" if (side, level) == ("SELL", 2) else "LIMIT"
                quantity = 100 * chance.randrange(10, 60)
                book.add_listing(
                    name,
                    market,
                    quantity,
                    price + step * level,
                    side=side,
                    kind=kind,
                    program=program,
                    vintage=vintage,
                    certifications=codes,
                )
    for instrument in instruments[:-1:2]:
        kind = "INDICATION" if instrument.id % 5 == 0 else "LIMIT"
        book.add_listing(
            f"{instrument.project.program} {instrument.project.number} {instrument.year}",
            "SIP",
            50 * chance.randrange(10, 60),
            chance.randrange(250, 1_900),
            kind=kind,
            instrument=instrument,
        )
