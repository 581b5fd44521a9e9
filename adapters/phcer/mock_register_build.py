"""Makes the stand-in's register from a seed: the same seed, sizes and instant give the same register.

Owners, holders and projects are invented; a holder is called by a number, as no list of people belongs here.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Final

from adapters.phcer.mock_register import SHANGHAI, Project, Register
from gateway.kit.clock import Clock
from gateway.kit.mock import MockClock

OUR_ACCOUNT: Final = "GDZH-0000128"
"""HKCV Omnibus, the first account."""

_CITIES: Final = ("广州市", "韶关市", "河源市", "梅州市", "清远市", "肇庆市")
_KINDS: Final = (
    ("林业碳汇", "GDPH-M-LY-001", ("青岚林场", "云台山村", "白石坑村")),
    ("分布式光伏", "GDPH-M-GF-002", ("晨曦工业园", "海韵社区", "明湖学校")),
    ("低碳出行", "GDPH-M-CX-003", ("绿行自行车", "蓝岸轮渡")),
    ("高效节能电器", "GDPH-M-JN-004", ("和煦家电",)),
)
_OWNERS: Final = ("岭海碳普惠示范中心", "南岭绿色服务站", "珠江低碳合作社")
_STATES: Final = ("已备案", "已备案", "已备案", "已备案", "公示中", "审核中", "已暂停")
_REASONS: Final = ("自愿注销", "活动碳中和", "抵消使用")
_YEAR: Final = 365
_ALLOCATED: Final = timedelta(days=150)
"""Since when small holders have been given their units."""


def build_register(seed: int, clock: Clock, *, projects: int, holders: int) -> Register:
    """A consistent register, made by its own acts over the two years before its present.

    Args:
        seed: decides everything.
        clock: the present.
        projects: how many projects; some have nothing issued.
        holders: how many small holders, each with something.

    Raises ValueError for fewer than 4 projects or 3 holders.
    """
    if projects < 4 or holders < 3:
        raise ValueError(f"found {projects} projects and {holders} holders; expected 4 and 3 or more")
    chance = random.Random(seed)  # noqa: S311 - a repeatable register, no secret
    now = clock()
    past = MockClock(now - timedelta(days=2 * _YEAR))
    register = Register(past, OUR_ACCOUNT)
    register.open_account("HKCV Omnibus 综合账户")
    owners = [register.open_account(name).number for name in _OWNERS]
    small = [register.open_account(f"小额持有人{place:05d}").number for place in range(1, holders + 1)]
    for place in range(projects):
        one = _project(chance, place, now)
        register.projects[one.number] = one
    issuing = [one.number for one in register.projects.values() if one.filed_on is not None]
    for place, number in enumerate(issuing):
        past.advance(timedelta(days=chance.randint(1, 9), minutes=chance.randint(1, 600)))
        _issue(register, chance, number, owners[place % len(owners)], now.year)
    past.move_to(max(past(), now - _ALLOCATED))
    _allocate_small(register, chance, past, small)
    _live(register, chance, past, small)
    past.move_to(now)
    register.catch_up()
    register.clock = clock
    return register


def _project(chance: random.Random, place: int, now: datetime) -> Project:
    kind, methodology, names = _KINDS[place % len(_KINDS)]
    state = "已备案" if place < 4 else chance.choice(_STATES)
    begun = date(2020 + place % 4, 1, 1)
    # Only what was filed two years ago can have issued since.
    filed = (now - timedelta(days=2 * _YEAR + chance.randint(10, 900))).astimezone(SHANGHAI).date()
    known = state in {"已备案", "已暂停"}
    return Project(
        number=f"GDPH-{begun.year}-{place + 1:04d}",
        name=f"{chance.choice(names)}{kind}碳普惠项目",
        owner=chance.choice(_OWNERS),
        kind=kind,
        methodology=methodology,
        city=chance.choice(_CITIES),
        state=state,
        filed_on=filed if known else None,
        period=(begun, date(begun.year + 9, 12, 31)) if known else None,
        yearly=chance.randint(1, 60) * 100,
    )


def _issue(register: Register, chance: random.Random, project: str, owner: str, year: int) -> None:
    for back in range(chance.randint(1, 2)):
        last = year - 3 - back
        years = str(last) if chance.random() < 0.6 else f"{last - 1}-{last}"
        batch = register.create(project, years, chance.randint(20, 90) * 100, owner)
        register.allocate(batch.number, owner, register.account, batch.quantity // 4)


def _allocate_small(register: Register, chance: random.Random, past: MockClock, small: list[str]) -> None:
    """Each holder gets a few tonnes of a batch that still has some on its owner's account."""
    for account in small:
        sources = [one for one in register.balances.values() if one.account.name in _OWNERS and one.available >= 10]
        source = sources[chance.randrange(len(sources))]
        past.advance(timedelta(minutes=chance.randint(1, 90)))
        register.allocate(source.batch.number, source.account.number, account, chance.randint(1, 10))


def _live(register: Register, chance: random.Random, past: MockClock, small: list[str]) -> None:
    """Some balances change their holder, are cancelled or are frozen."""
    ours = [one for one in register.balances.values() if one.account.number == register.account]
    for place, balance in enumerate(ours[:6]):
        past.advance(timedelta(hours=chance.randint(1, 30)))
        register.catch_up()
        batch = balance.batch.number
        if place % 3 == 0:
            register.cancel(batch, register.account, 5, _REASONS[place % len(_REASONS)])
        elif place % 3 == 1:
            register.change(batch, register.account, chance.choice(small), 3)
        else:
            register.freeze(batch, register.account, 2, "权属争议核查")
