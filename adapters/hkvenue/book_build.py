"""A book from a seed: invented members, what they own, and what they traded on the venue's last open days."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from typing import Final

from adapters.hkvenue.book import Book, whole_price
from adapters.hkvenue.book_entries import CreditLine, Participant, Trade
from adapters.hkvenue.mock_rows import HONG_KONG
from gateway.kit.calendars import load
from gateway.kit.clock import Clock
from gateway.model.credits import CreditClass
from gateway.model.records import PRICE_SCALE

ACCOUNT: Final = "OA0001"
ACCOUNT_NAME: Final = "HKCV Omnibus"

_MEMBERS: Final = (
    "Tsing Ling Carbon Trading Ltd",
    "Pak Hau Environmental Markets Ltd",
    "Morland Quay Commodities Ltd",
    "Sai Wing Climate Partners Ltd",
    "Greywater Harbour Capital Ltd",
    "Lung Mei Sustainable Assets Ltd",
    "Eastpoint Tallow Brokers Ltd",
    "Wan Hing Green Holdings Ltd",
)
_PROJECTS: Final = (
    ("VCS", "1748", "Tamarind Ridge Forest Conservation", "羅望嶺森林保育", "VCU", ("CCB-GOLD",)),
    ("VCS", "934", "Lower Marrow Peatland Protection", "下馬羅泥炭地保護", "VCU", ()),
    ("VCS", "2410", "Sandreef Coastal Wind Power", "沙礁沿海風力發電", "VCU", ()),
    ("GS", "7495", "Upland Hearth Improved Cookstoves", "高地爐灶改良", "VER", ()),
    ("GS", "11203", "Clear Spring Safe Water", "清泉安全飲水", "VER", ()),
)


def participant_of(number: int) -> Participant:
    """A member by its number, from 1: ``P0001``."""
    return Participant(f"P{number:04d}", _MEMBERS[(number - 1) % len(_MEMBERS)], f"{ACCOUNT}-P{number:04d}")


def lines() -> tuple[CreditLine, ...]:
    """The classes of credits that members own, two vintages of each project."""
    return tuple(_line(project, date(year, 1, 1), date(year, 12, 31)) for project in _PROJECTS for year in (2021, 2022))


def build_book(seed: int, clock: Clock, *, participants: int, trades: int) -> Book:
    """A book in which some units are owned and some were traded.

    Args:
        seed: decides what is owned and traded.
        clock: the venue's time; nothing in the book is later than its present.
        participants: how many members, at most 8; each owns units of two classes or more.
        trades: how many trades of the last open days, all settled. Their offers are gone.
    """
    if not 1 <= participants <= len(_MEMBERS):
        raise ValueError(f"found {participants} members, expected 1 to {len(_MEMBERS)}")
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    members = [participant_of(number) for number in range(1, participants + 1)]
    book = Book(clock, account=ACCOUNT, account_name=ACCOUNT_NAME, participants=members)
    for member in members:
        for line in chance.sample(lines(), chance.randint(2, 4)):
            book.add_position(member.participant_id, line, chance.randrange(1, 40) * 500)
    for traded_at in _instants(clock(), trades, chance):
        _past_trade(book, chance, traded_at)
    return book


def _past_trade(book: Book, chance: random.Random, traded_at: datetime) -> None:
    """A trade of a past day; the units it moved are in the positions already."""
    number = len(book.trades) + 1
    quantity, price = chance.randrange(1, 20) * 100, chance.randrange(900, 9_000) * 10 ** (PRICE_SCALE - 2)
    trade = Trade(
        trade_id=f"T{number:08d}",
        offer_id=f"H{number:07d}",
        line=chance.choice(lines()),
        buyer=chance.choice(sorted(book.participants)),
        seller=ACCOUNT,
        status="SETTLED",
        quantity=quantity,
        price=price,
        amount=whole_price(price, quantity),
        currency=chance.choice(("HKD", "HKD", "RMB")),
        traded_at=traded_at,
        business_date=traded_at.astimezone(HONG_KONG).date(),
        updated_at=traded_at,
        sequence=book.next_change(),
    )
    book.trades[trade.trade_id] = trade


def _instants(now: datetime, number: int, chance: random.Random) -> list[datetime]:
    """Times in the morning sessions of open days before the present, in order."""
    calendar = load("hkvenue")
    day = now.astimezone(HONG_KONG).date()
    opening = timedelta(hours=9, minutes=30)
    found = []
    for _ in range(number):
        open_day = calendar.add_open_days(day, -chance.randint(1, 10))
        start = datetime.combine(open_day, time(), HONG_KONG) + opening
        found.append(start + timedelta(seconds=chance.randrange(150 * 60)))
    return sorted(found)


def _line(project: tuple[str, str, str, str, str, tuple[str, ...]], start: date, end: date) -> CreditLine:
    programme, number, name, native, kind, labels = project
    named = CreditClass(programme, number, start, end, kind, frozenset(labels))
    return CreditLine(named.class_id, name, native, programme, number, start, end, kind, labels)
