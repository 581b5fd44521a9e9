"""A book made from a seed: invented projects, their public items, accounts and what they hold.

Every project, owner, authority and serial in it is made up. The codes of types and methodologies, the provinces and
the words of states are the registry's own.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from adapters.ccer.book import PROCESSING, Book
from adapters.ccer.book_entries import Asked, AskedLot, Block, Hold, Opening, Operator, Product, Project, Role
from adapters.ccer.book_hours import LOCAL, business_day, is_working_day
from adapters.ccer.config import CcerConfig
from adapters.ccer.words import Business, Tab

ACCOUNT: Final = CcerConfig().account
ACCOUNT_NAME: Final = "HKCV Omnibus"
TRADING_ACCOUNT: Final = "2000000000002147"
OTHERS: Final = (
    ("1000000000001033", "云溪示例林业有限公司", "2000000000001033"),
    ("1000000000001874", "海月示例能源有限公司", "2000000000001874"),
)
"""Other entities' accounts: number, name, number at the trading system."""
COURT: Final = Hold("司法冻结", "示例市中级人民法院")
"""Who freezes in the stand-in; no such court exists."""

IN_NOTICE: Final = "公示中"
REGISTERED: Final = "已登记"
ISSUED: Final = "已签发"
NOTICE_STATUS: Final = "03"
NOTICE_DAYS: Final = 28
"""Twenty working days, about."""
FIRST_YEAR: Final = 2021
LAST_YEAR: Final = 2025

_KINDS: Final = (
    ("N0101", "造林碳汇", "CCER-14-001-V01", "造林碳汇", "造林碳汇项目"),
    ("A0102", "海上风力发电", "CCER-01-002-V01", "并网海上风力发电", "海上风电场项目"),
)
_PLACES: Final = (
    *("青岭", "云溪", "白鹭湾", "松泉", "丹枫", "月牙湖", "星河滩", "海月", "石榴沟", "竹影"),
    *("鹤鸣", "霜叶岭", "兰渚", "桃源里", "晴川坡", "雁落", "梧桐坪", "碧沙", "望潮", "长汀口"),
)
_PROVINCES: Final = ("广东省", "福建省", "湖北省", "江苏省", "云南省", "内蒙古自治区", "甘肃省", "山东省")


def operators() -> dict[str, Operator]:
    """The two persons of our account, by the session that each placeholder of the settings stands for."""
    config = CcerConfig()
    return {
        config.maker_token.get_secret_value(): Operator("hkcv-faqi-01", Role.MAKER, ACCOUNT),
        config.checker_token.get_secret_value(): Operator("hkcv-queren-01", Role.CHECKER, ACCOUNT),
    }


def build_book(seed: int, now: datetime, *, projects: int, blocks: int) -> Book:
    """A registry with this many projects, and this many blocks of ours before courts and venue divide them.

    Raises ValueError for sizes too small to show every kind of item.
    """
    if projects < 4 or blocks < 4:
        raise ValueError(f"found {projects} projects and {blocks} blocks; expected at least 4 of each")
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    book = Book()
    book.open_account(ACCOUNT, ACCOUNT_NAME, TRADING_ACCOUNT)
    for number, name, trading in OTHERS:
        book.open_account(number, name, trading)
    book.projects += [_project(book, chance, index) for index in range(projects)]
    products = _show_all(book, chance, now)
    _fill_account(book, chance, now, products, blocks)
    return book


def add_project(book: Book, now: datetime, *, seed: int = 0) -> Project:
    """One more registered project, at the head of its public list."""
    made = _project(book, random.Random(seed), len(book.projects))  # noqa: S311 - a repeatable book, no secret
    book.projects.append(made)
    _show(book, made, Tab.REGISTERED_PROJECTS, REGISTERED, business_day(now) - timedelta(days=90))
    return made


def _project(book: Book, chance: random.Random, index: int) -> Project:
    kind, kind_name, methodology, methodology_name, ending = _KINDS[index % 2]
    place = _PLACES[index % len(_PLACES)]
    phase = f"{index // len(_PLACES) + 1}期" if index >= len(_PLACES) else ""
    return Project(
        apply_id=book.next_id(),
        name=f"{place}{phase}{ending}",
        owner=f"{place}示例{'林业' if index % 2 == 0 else '风电'}有限公司",
        kind=kind,
        kind_name=kind_name,
        methodology=methodology,
        methodology_name=methodology_name,
        province=chance.choice(_PROVINCES),
        yearly=chance.randrange(4_000, 60_000) if index % 2 == 0 else chance.randrange(200_000, 900_000),
    )


def _show_all(book: Book, chance: random.Random, now: datetime) -> list[Product]:
    """The public items of every project: a quarter is in notice only, one of the registered ones in both lists."""
    today = business_day(now)
    fresh = len(book.projects) // 4
    products = []
    for index, project in enumerate(book.projects):
        started = today - timedelta(days=chance.randrange(120, 500))
        if index < fresh:
            _show(book, project, Tab.PROJECTS_IN_NOTICE, IN_NOTICE, today - timedelta(days=chance.randrange(1, 20)))
            continue
        if index == fresh:
            # It stays in the list of projects in notice, with a state that this list does not have.
            _show(book, project, Tab.PROJECTS_IN_NOTICE, REGISTERED, started)
        _show(book, project, Tab.REGISTERED_PROJECTS, ISSUED if index % 3 == 0 else REGISTERED, started)
        products += _show_reductions(book, chance, project, today, index)
    return products


def _show_reductions(book: Book, chance: random.Random, project: Project, today: date, index: int) -> list[Product]:
    shown = today - timedelta(days=chance.randrange(30, 100))
    certified = project.yearly - chance.randrange(0, 900)
    if index % 5 == 4:
        _show(book, project, Tab.REDUCTIONS_IN_NOTICE, IN_NOTICE, today - timedelta(days=5), certified=certified)
        return []
    _show(book, project, Tab.REGISTERED_REDUCTIONS, REGISTERED, shown, certified=certified)
    made = []
    for year in chance.sample(range(FIRST_YEAR, LAST_YEAR + 1), 2):
        item = _show(book, project, Tab.ISSUED_REDUCTIONS, ISSUED, shown, certified=certified)
        assert item.secondary_id is not None
        made.append(Product(project, year, item.secondary_id))
    return made


def _show(
    book: Book, project: Project, tab: Tab, status: str, starts: date, *, certified: int | None = None
) -> Opening:
    return book.show(
        Opening(
            tab=tab,
            project=project,
            secondary_id=book.next_id(),
            status_name=status,
            notice=(starts, starts + timedelta(days=NOTICE_DAYS)),
            apply_status=NOTICE_STATUS if status == IN_NOTICE else None,
            certified=certified,
        )
    )


def _fill_account(book: Book, chance: random.Random, now: datetime, products: list[Product], count: int) -> None:
    """What we hold: most in the registry account, one block in each other place, and a part of one frozen."""
    held: list[Block] = []
    for index in range(count):
        at = now - timedelta(days=40 - index % 20, hours=1)
        product = products[index % len(products)]
        # What others hold of the same product lies between our blocks.
        book.issue(product, chance.randrange(500, 4_000), OTHERS[index % 2][0], at)
        block = book.issue(product, chance.randrange(1_000, 9_000), OTHERS[index % 2][0], at)
        held.append(book.deliver(block.block_id, ACCOUNT, at + timedelta(days=3)))
    before = _working_morning(now - timedelta(days=12))
    _move(book, held[1], Business.TO_TRADING_ACCOUNT, TRADING_ACCOUNT, "HKCV-1", before)
    _move(book, held[2], Business.TO_TRADING_ACCOUNT, TRADING_ACCOUNT, "HKCV-2", before)
    _move(book, held[2], Business.TO_TRADING_PLATFORM, None, "HKCV-3", before + timedelta(minutes=30))
    frozen = book.divide(held[3].block_id, held[3].units // 4)
    book.freeze(frozen.block_id, COURT, now - timedelta(days=9))


def _move(book: Book, block: Block, business: Business, counter: str | None, reference: str, at: datetime) -> None:
    """A move that our two operators made once."""
    maker, checker = operators().values()
    lots = (AskedLot(block.block_id, block.units, None),)
    book.submit(maker, Asked(reference, business, ACCOUNT, counter, lots), at)
    book.confirm(checker, ACCOUNT, reference, at + timedelta(minutes=1))
    book.settle(at + timedelta(minutes=1) + PROCESSING)


def _working_morning(at: datetime) -> datetime:
    """Ten o'clock of the last working day up to an instant."""
    day = business_day(at)
    while not is_working_day(day):
        day -= timedelta(days=1)
    return datetime.combine(day, time(10), LOCAL).astimezone(UTC)
