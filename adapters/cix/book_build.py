"""Makes the stand-in's book from a seed: the same seed, sizes and instant give the same book.

Names of projects and members are made of invented syllables. The products, classes, windows, lot and assessment codes
follow what the venue has published; the README tells which is which.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from adapters.cix.book import Book
from adapters.cix.book_entries import (
    Contract,
    Deal,
    DealState,
    Level,
    Movement,
    Notice,
    Offered,
    Position,
    Progress,
    Project,
    RegistryUnits,
    Vintage,
)
from gateway.kit.clock import Clock
from gateway.model.serials import Serial, parse

RETIRED_ON: Final = date(2025, 7, 17)
"""When the windows 2016-2019 and 2020-2023 of Nature X were proposed to end; here they did."""

_SYLLABLES: Final = ("Ka", "lu", "Mor", "ven", "Ta", "rin", "Osh", "ela", "Bu", "dani", "Quo", "mira", "Sel", "ba")
_FOREST: Final = ("REDD+ Project", "Peatland Conservation", "Mangrove Restoration", "Community Forest")
_COUNTRIES: Final = ("Indonesia", "Cambodia", "Brazil", "Peru", "Kenya", "Colombia")
_LEAST_DEVELOPED: Final = ("Uganda", "Malawi", "Rwanda")
_DEVELOPING: Final = ("Kenya", "Ghana", "India")
_LABELS: Final = ((), ("CCB-Gold",), ("CCP",), ("CORSIA - First Phase, 2024-2026 Eligible", "CCB"))
_COUNTERPARTIES: Final = ("MERIDIA", "ASHBOURNE", "TALUN")
_CLASSES: Final = (
    ("LG", "Least developed, Gold Standard", "CC00005"),
    ("DG", "Developing, Gold Standard", "CC00006"),
    ("LV", "Least developed, Verra", "CC00007"),
    ("DV", "Developing, Verra", "CC00008"),
)
_WINDOWS: Final = ((2016, RETIRED_ON), (2020, RETIRED_ON), (2018, None), (2022, None))
_STOVE_NUMBERS: Final = {
    "LG": ("7601", "7602", "11418"),
    "DG": ("6113", "10884", "12909"),
    "LV": ("2749", "3980", "4180"),
    "DV": ("2802", "3268", "4819"),
}
_REDD_NUMBERS: Final = ("1748", "934", "1477", "612", "1650", "1566", "1112", "985", "1399", "1504", "2252")


def build_book(seed: int, clock: Clock, *, member: str, account: str, offered: int, positions: int) -> Book:
    """A consistent book.

    Args:
        seed: decides everything.
        clock: the present; nothing in the book is later.
        member: our member code.
        account: our account.
        offered: how many listings the marketplace has.
        positions: how many positions we have.

    Raises ValueError for a size below 3: every list of the book has three rows or more.
    """
    if min(offered, positions) < 3:
        raise ValueError(f"found {offered} listings and {positions} positions; expected 3 or more of each")
    book = Book(clock, member, account)
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    forests, stoves = _projects(chance)
    book.projects = {one.id: one for one in (*forests, *stoves)}
    _make_contracts(book, forests, stoves, chance)
    _make_offered(book, chance, offered)
    _make_positions(book, chance, positions)
    _make_arrivals(book, chance)
    _make_deals(book, chance)
    book.events.clear()
    return book


def _projects(chance: random.Random) -> tuple[list[Project], list[Project]]:
    forests = [
        Project("VCS", number, f"{_name(chance)} {chance.choice(_FOREST)}", chance.choice(_COUNTRIES), "VM0007")
        for number in _REDD_NUMBERS
    ]
    stoves = []
    for letters, numbers in _STOVE_NUMBERS.items():
        countries = _LEAST_DEVELOPED if letters[0] == "L" else _DEVELOPING
        standard = "GS" if letters[1] == "G" else "VCS"
        for number in numbers:
            name = f"{_name(chance)} Efficient Cookstoves"
            stoves.append(Project(standard, number, name, chance.choice(countries), "AMS-II.G."))
    return forests, stoves


def _name(chance: random.Random) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(2)).title()


def _make_contracts(book: Book, forests: Sequence[Project], stoves: Sequence[Project], chance: random.Random) -> None:
    ids = [project.id for project in forests]
    for first_year, delisted in _WINDOWS:
        code = f"CNX-V{first_year % 100:02d}-{(first_year + 3) % 100:02d}"
        listed = date(2023, 6, 7) if delisted else date(2025, 7, 18)
        name = f"Nature X, vintages {first_year} to {first_year + 3}"
        _add_contract(book, code, "CNX", name, None, "NC00005", first_year, ids, (listed, delisted))
    for letters, words, assessment in _CLASSES:
        own = [one.id for one in stoves if one.number in _STOVE_NUMBERS[letters]]
        name = f"Cookstoves X, {words}"
        _add_contract(book, f"CCX-{letters}", "CCX", name, letters, assessment, 2021, own, (date(2024, 10, 7), None))
    for contract in book.contracts.values():
        middle = chance.randint(250, 1_400)
        if contract.code != "CCX-DV":  # nobody bids or offers there
            contract.bid = Level(middle - chance.randint(5, 40), chance.randint(1, 30))
            contract.ask = Level(middle + chance.randint(5, 40), chance.randint(1, 30))


def _add_contract(
    book: Book,
    code: str,
    product: str,
    name: str,
    group: str | None,
    assessment: str,
    first_year: int,
    projects: Sequence[str],
    days: tuple[date, date | None],
) -> None:
    listed, delisted = days
    at = datetime(listed.year, listed.month, listed.day, 1, tzinfo=UTC)
    number = f"MN {listed.year}/{len(book.notices) + 1:02d}"
    text = f"{code} is listed; its deliverable projects are {', '.join(projects)}."
    notice = Notice(number, code, tuple(projects), at, text)
    book.notices.append(notice)
    window = Vintage(date(first_year, 1, 1), date(first_year + 3, 12, 31))
    book.contracts[code] = Contract(code, product, name, group, assessment, window, listed, delisted, notice)


def _year(chance: random.Random) -> Vintage:
    year = chance.randint(2018, 2024)
    return Vintage(date(year, 1, 1), date(year, 12, 31))


def _make_offered(book: Book, chance: random.Random, count: int) -> None:
    projects = list(book.projects.values())
    for place in range(count):
        listed = book.clock() - timedelta(days=chance.randint(1, 60), minutes=chance.randint(0, 900))
        one = Offered(
            id=book.number("MKT"),
            project=projects[place % len(projects)],
            vintage=_year(chance),
            quantity=chance.randint(50, 40_000),
            # A request for quotes has no price.
            cents=None if place % 5 == 4 else chance.randint(180, 2_400),
            labels=_LABELS[place % len(_LABELS)],
            listed_at=listed,
            valid_until=listed + timedelta(days=chance.randint(45, 180)),
        )
        book.offered[one.id] = one


def _make_positions(book: Book, chance: random.Random, count: int) -> None:
    projects = list(book.projects.values())
    for place in range(count):
        project, vintage = projects[place * 2 % len(projects)], _year(chance)
        quantity = chance.randint(2, 40) * 500
        serial = _serial(chance, project, vintage, quantity) if project.standard == "VCS" else None
        position = Position(book.number("POS"), book.account, project, vintage, quantity, serial)
        book.positions[position.id] = position
        _note_deposit(book, position, book.clock() - timedelta(days=count - place, hours=chance.randint(1, 8)))


def _serial(chance: random.Random, project: Project, vintage: Vintage, quantity: int) -> Serial:
    first, batch = chance.randint(1, 900_000_000), chance.randint(8_000, 20_000)
    days = f"{vintage.start:%d%m%Y}-{vintage.end:%d%m%Y}"
    country = {"Indonesia": "ID", "Cambodia": "KH", "Brazil": "BR", "Peru": "PE", "Kenya": "KE"}.get(project.country)
    ends = f"{first}-{first + quantity - 1}"
    return parse("verra", f"{batch}-{ends}-VCS-VCU-291-VER-{country or 'CO'}-14-{project.number}-{days}-0")


def _note_deposit(book: Book, position: Position, at: datetime) -> None:
    movement = Movement(
        id=book.number("MOV"),
        account=book.account,
        kind="DEPOSIT",
        direction="IN",
        progress=Progress.COMPLETED,
        quantity=position.quantity,
        project=position.project,
        vintage=position.vintage,
        serial=position.serial.text if position.serial else None,
        position=position.id,
        counter_account=f"{position.project.registry} account 1001",
        client_order_id=None,
        reason=None,
        created_at=at - timedelta(minutes=3),
        updated_at=at,
    )
    book.movements[movement.id] = movement


def _make_arrivals(book: Book, chance: random.Random) -> None:
    """Units in our registry accounts, which are recognised when they are deposited."""
    projects = [one for one in book.projects.values() if one.standard == "VCS"]
    for place in range(1, 7):
        project, vintage, quantity = chance.choice(projects), _year(chance), place * 1_000
        serial = _serial(chance, project, vintage, quantity)
        book.expect(RegistryUnits(f"REG-{place:04d}", project, vintage, quantity, serial))


def _make_deals(book: Book, chance: random.Random) -> None:
    """Settled trades of the past, and notifications in every state that one can stay in."""
    now, contracts = book.clock(), [one for one in book.contracts.values() if one.delisted_on is None]
    for place in range(8):
        contract = contracts[place % len(contracts)]
        at = now - timedelta(days=40 - 4 * place, minutes=chance.randint(0, 300))
        deal = _past_deal(book, chance, "EXCHANGE", contract.code, at, DealState.SETTLED)
        deal.project, deal.vintage = book.projects[contract.notice.projects[0]], contract.vintage
    for place, state in enumerate((DealState.SETTLED, DealState.SETTLED, DealState.REJECTED, DealState.LAPSED)):
        project = list(book.projects)[place]
        at = now - timedelta(days=30 - 3 * place)
        deal = _past_deal(book, chance, "CTN_BILATERAL" if place == 0 else "CTN_UNILATERAL", project, at, state)
        deal.project, deal.vintage = book.projects[project], _year(chance)
    for place in (4, 5):
        project = list(book.projects)[place]
        counterparty = _COUNTERPARTIES[place % len(_COUNTERPARTIES)]
        book.notify(
            buyer=book.member,
            seller=counterparty,
            project=project,
            vintage=_year(chance),
            quantity=chance.randint(1, 9) * 100,
            cents=chance.randint(300, 900),
        )


def _past_deal(book: Book, chance: random.Random, method: str, what: str, at: datetime, state: DealState) -> Deal:
    deal = Deal(
        id=book.number("TRD" if method == "EXCHANGE" else "CTN"),
        method=method,
        instrument=what,
        listing=None,
        buyer=book.member,
        seller=chance.choice(_COUNTERPARTIES),
        quantity=chance.randint(1, 12) * 1_000,
        cents=chance.randint(250, 1_400),
        project=None,
        vintage=None,
        state=state,
        made_at=at,
        updated_at=at + timedelta(days=2),
        settlement_on=(at + timedelta(days=2)).date(),
        reference=f"OTC-{chance.randint(1_000, 9_999)}" if method != "EXCHANGE" else None,
    )
    book.deals[deal.id] = deal
    return deal
