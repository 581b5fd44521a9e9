"""The book of the stand-in: accounts of allowances, what happens to them, and what each day's end says of them.

Every change is made at an instant that is passed in. A business day is closed when its files are written; what happens
after that belongs to the next one. Trades are delivered when the day is closed: until then their units are in transit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final, Literal

from adapters.hubei.dayend import WUHAN, FileKind
from adapters.hubei.mock_words import BUSINESS, JUDICIAL, PRODUCTS, Entity
from gateway.kit.calendars import Calendar

PUBLISHED_AT: Final = time(16, 0, tzinfo=WUHAN)
"""When a business day's files are there: an hour after the close."""
BLOCK_TONNES: Final = 100_000
"""From here on a trade is a block trade (大宗协议)."""
LISTED: Final = "10"
"""挂牌协议"""
BLOCK: Final = "20"
"""大宗协议"""

Row = dict[str, str]
"""A record of a file: field to text."""


class BookRefusal(ValueError):
    """The registry does not do this."""


@dataclass(slots=True)
class Balance:
    """What an account holds of a product, in tonnes, by where it is.

    Attributes:
        available: in the registry account (可用).
        trading: moved to the account at the venue.
        frozen: 冻结.
        in_transit: sold today, not delivered yet (在途).
        reason, authority: why and by whom it is frozen; empty where nothing is.
    """

    available: int = 0
    trading: int = 0
    frozen: int = 0
    in_transit: int = 0
    reason: str = ""
    authority: str = ""

    @property
    def total(self) -> int:
        """All of it (持有)."""
        return self.available + self.trading + self.frozen + self.in_transit


@dataclass(frozen=True, slots=True)
class DayEnd:
    """What one business day's files say: the records of each kind."""

    day: date
    records: Mapping[FileKind, tuple[Row, ...]]


@dataclass(slots=True)
class _Open:
    """What has happened since the last day was closed."""

    trades: list[tuple[Entity, Entity, str, int, Row]] = field(default_factory=list)
    movements: list[Row] = field(default_factory=list)
    freezes: list[Row] = field(default_factory=list)


class Book:
    """The register.

    Args:
        calendar: its business days and trading hours.
        opened: the first business day that is to be closed is this one or the next after it.

    Attributes:
        entities: by their registry account.
        closed: the days that have ended, oldest first.
    """

    def __init__(self, calendar: Calendar, opened: date) -> None:
        self._calendar = calendar
        self._next = self._business_day(opened)
        self._open = _Open()
        self._numbers = 0
        self._balances: dict[tuple[str, str], Balance] = {}
        self.entities: dict[str, Entity] = {}
        self.closed: list[DayEnd] = []

    @property
    def next_published(self) -> datetime:
        """When the day that is open will be published."""
        return datetime.combine(self._next, PUBLISHED_AT).astimezone(UTC)

    def balance(self, entity: Entity, product: str) -> Balance:
        """What an entity holds of a product, to be looked at: nothing where it never had any."""
        return self._balances.get((entity.registry_account, product), Balance())

    def admit(self, entity: Entity) -> None:
        """Opens an entity's accounts."""
        self.entities[entity.registry_account] = entity

    def allocate(self, entity: Entity, product: str, tonnes: int, at: datetime) -> None:
        """Allocates allowances (配额发放)."""
        self._move(entity, product, tonnes, "配额发放", "转入", at).available += tonnes

    def to_venue(self, entity: Entity, product: str, tonnes: int, at: datetime) -> None:
        """Moves units to the account at the venue (转入交易账户)."""
        held = self._require(entity, product, tonnes, "available")
        self._move(entity, product, tonnes, "转入交易账户", "内部", at, other=entity.trading_account)
        held.available -= tonnes
        held.trading += tonnes

    def from_venue(self, entity: Entity, product: str, tonnes: int, at: datetime) -> None:
        """Moves units back from the venue (转出交易账户)."""
        held = self._require(entity, product, tonnes, "trading")
        self._move(entity, product, tonnes, "转出交易账户", "内部", at, other=entity.trading_account)
        held.trading -= tonnes
        held.available += tonnes

    def transfer(self, giver: Entity, taker: Entity, product: str, tonnes: int, at: datetime) -> None:
        """Moves units from one registry account to another (协议转让)."""
        held = self._require(giver, product, tonnes, "available")
        received = self._account(taker, product)
        self._move(giver, product, tonnes, "协议转让", "转出", at, other=taker.registry_account)
        self._move(taker, product, tonnes, "协议转让", "转入", at, other=giver.registry_account)
        held.available -= tonnes
        received.available += tonnes

    def end(self, entity: Entity, product: str, tonnes: int, kind: str, at: datetime, remark: str = "") -> None:
        """Ends units: 清缴履约, 自愿注销 or 强制注销."""
        held = self._require(entity, product, tonnes, "available")
        self._move(entity, product, tonnes, kind, "转出", at, remark=remark)
        held.available -= tonnes

    def trade(self, seller: Entity, buyer: Entity, product: str, tonnes: int, fen: int, at: datetime) -> str:
        """A trade at the venue, at a price in fen a tonne; returns its number (成交编号).

        Units bought on a day cannot be sold on it: they are delivered when it is closed. Raises BookRefusal outside
        trading hours, for an entity that trades with itself, and for units that are not at the venue.
        """
        held = self._require(seller, product, tonnes, "trading")
        if not any(one.start <= at < one.end for one in self._calendar.sessions(at.astimezone(WUHAN).date())):
            raise BookRefusal(f"found {at:%Y-%m-%d %H:%M} UTC, expected an instant within the trading hours")
        if seller == buyer:
            raise BookRefusal("found one entity as seller and buyer")
        number = self._number("CJ")
        amount = tonnes * fen
        row = {
            "成交编号": number,
            "成交方式": BLOCK if tonnes >= BLOCK_TONNES else LISTED,
            "标的物代码": product,
            "产生年度": PRODUCTS[product],
            "卖方委托编号": self._number("WT"),
            "买方委托编号": self._number("WT"),
            "卖方交易账户": seller.trading_account,
            "买方交易账户": buyer.trading_account,
            "成交价格": _yuan(fen),
            "成交数量": str(tonnes),
            "成交金额": _yuan(amount),
            "手续费": _yuan(amount // 1000),
            "成交时间": _stamp(at),
            "清算日期": "",
            "交收状态": "待交收",
        }
        self._account(buyer, product)
        held.trading -= tonnes
        held.in_transit += tonnes
        self._open.trades.append((seller, buyer, product, tonnes, row))
        return number

    def freeze(self, entity: Entity, product: str, tonnes: int, authority: str, reason: str, at: datetime) -> None:
        """Freezes units by order of a court (司法冻结), or of the registry where ``authority`` is empty (业务冻结)."""
        held = self._require(entity, product, tonnes, "available")
        held.available -= tonnes
        held.frozen += tonnes
        held.reason, held.authority = reason, authority or "登记机构"
        self._freeze_row(entity, product, tonnes, "冻结", held, at)

    def unfreeze(self, entity: Entity, product: str, tonnes: int, at: datetime) -> None:
        """Frees units that were frozen (解冻)."""
        held = self._require(entity, product, tonnes, "frozen")
        held.frozen -= tonnes
        held.available += tonnes
        self._freeze_row(entity, product, tonnes, "解冻", held, at)
        if not held.frozen:
            held.reason = held.authority = ""

    def close_until(self, now: datetime) -> None:
        """Closes every business day whose files are there by now."""
        while self.next_published <= now:
            self._close()

    def _close(self) -> None:
        """Delivers the day's trades, and writes down what the day's files will say."""
        day, happened = self._next, self._open
        closed_at = datetime.combine(day, time(15, 0, tzinfo=WUHAN))
        self._open = _Open()
        movements = happened.movements
        for seller, buyer, product, tonnes, row in happened.trades:
            sold, bought = self._account(seller, product), self._account(buyer, product)
            sold.in_transit -= tonnes
            bought.trading += tonnes
            row |= {"清算日期": f"{day:%Y%m%d}", "交收状态": "已交收"}
            for one, other, way in ((seller, buyer, "转出"), (buyer, seller, "转入")):
                movements.append(
                    self._movement(
                        one, product, tonnes, "交易交收", way, closed_at, other.registry_account, row["成交编号"]
                    )
                )
        for row in (*movements, *happened.freezes):
            row["业务日期"] = f"{day:%Y%m%d}"
        records = {
            FileKind.HOLDINGS: tuple(self._holdings()),
            FileKind.TRADES: tuple(row for *_, row in happened.trades),
            FileKind.MOVEMENTS: tuple(sorted(movements, key=lambda row: row["发生时间"])),
            FileKind.FREEZES: tuple(happened.freezes),
        }
        self.closed.append(DayEnd(day, MappingProxyType(records)))
        self._next = self._business_day(day + timedelta(days=1))

    def _holdings(self) -> list[Row]:
        rows = []
        for (account, product), held in sorted(self._balances.items()):
            entity = self.entities[account]
            rows.append(
                {
                    "持有编号": f"{account}-{product}",
                    "登记账户": account,
                    "交易账户": entity.trading_account,
                    "企业编号": entity.number,
                    "统一社会信用代码": entity.credit_code,
                    "企业名称": entity.name,
                    "标的物代码": product,
                    "标的物名称": f"碳排放配额{product.removeprefix('CEA')}",
                    "产生年度": PRODUCTS[product],
                    "持有数量": str(held.total),
                    "可用数量": str(held.available),
                    "交易账户数量": str(held.trading),
                    "冻结数量": str(held.frozen),
                    "在途数量": str(held.in_transit),
                    "冻结原因": held.reason,
                    "冻结机关": held.authority,
                }
            )
        return rows

    def _account(self, entity: Entity, product: str) -> Balance:
        """An entity's balance, to be changed. Raises BookRefusal for an account or a product that there is not."""
        if entity.registry_account not in self.entities:
            raise BookRefusal(f"found the account {entity.registry_account}, which is not open")
        if product not in PRODUCTS:
            raise BookRefusal(f"found the product {product!r}, expected one of {', '.join(PRODUCTS)}")
        return self._balances.setdefault((entity.registry_account, product), Balance())

    def _require(
        self, entity: Entity, product: str, tonnes: int, where: Literal["available", "trading", "frozen"]
    ) -> Balance:
        held = self._account(entity, product)
        there: int = getattr(held, where)
        if not 0 < tonnes <= there:
            raise BookRefusal(f"found {tonnes} t of {product}, expected 1 to the {there} t that are {where}")
        return held

    def _move(
        self,
        entity: Entity,
        product: str,
        tonnes: int,
        kind: str,
        way: str,
        at: datetime,
        *,
        other: str = "",
        remark: str = "",
    ) -> Balance:
        if tonnes < 1:
            raise BookRefusal(f"found {tonnes} t, expected at least 1")
        held = self._account(entity, product)
        self._open.movements.append(self._movement(entity, product, tonnes, kind, way, at, other, "", remark))
        return held

    def _movement(
        self,
        entity: Entity,
        product: str,
        tonnes: int,
        kind: str,
        way: str,
        at: datetime,
        other: str,
        reference: str,
        remark: str = "",
    ) -> Row:
        return {
            "业务流水号": self._number("LS"),
            "登记账户": entity.registry_account,
            "对方账户": other,
            "业务类型": kind,
            "划转方向": way,
            "标的物代码": product,
            "产生年度": PRODUCTS[product],
            "划转数量": str(tonnes),
            "业务状态": "已完成",
            "关联编号": reference,
            "业务日期": "",
            "发生时间": _stamp(at),
            "备注": remark,
        }

    def _freeze_row(self, entity: Entity, product: str, tonnes: int, action: str, held: Balance, at: datetime) -> None:
        number = self._number("DJ")
        self._open.freezes.append(
            {
                "冻结流水号": number,
                "登记账户": entity.registry_account,
                "标的物代码": product,
                "产生年度": PRODUCTS[product],
                "冻结动作": action,
                "冻结类型": BUSINESS if held.authority == "登记机构" else JUDICIAL,
                "冻结数量": str(tonnes),
                "冻结机关": held.authority,
                "冻结原因": held.reason,
                "文书编号": f"虚构{number}号",
                "业务日期": "",
                "发生时间": _stamp(at),
                "到期日期": "",
            }
        )

    def _number(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}{self._numbers:012d}"

    def _business_day(self, day: date) -> date:
        while not self._calendar.is_open(day):
            day += timedelta(days=1)
        return day


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(WUHAN):%Y%m%d%H%M%S}"


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
