"""Words and numbers of the stand-in: made-up entities, with numbers that pass the checks of real ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)

REGIONS: Final = ("110000", "310000", "320100", "370100", "420100", "440100")
RARE: Final = "\u9fa6\u3400\u4dbf\U00020000\U0002b363\U00030ede"
"""Hanzi that GB18030 writes with four bytes, of the basic plane and beyond it."""
_FIRST: Final = "甲乙丙丁戊己庚辛壬癸"
_SECOND: Final = "东南西北中上下左右前"
_TRADES: Final = ("热电", "发电", "钢铁", "水泥", "铝业")
PRODUCTS: Final = {
    "CEA": "2019-2020",
    "CEA21": "2021",
    "CEA22": "2022",
    "CEA23": "2023",
    "CEA24": "2024",
    "CEA25": "2025",
}
"""Products (标的物代码) and the years whose obligation they were allocated for (产生年度)."""
COURTS: Final = ("虚构市第一中级人民法院", "虚构市第二中级人民法院")
BUSINESS: Final = "业务冻结"
JUDICIAL: Final = "司法冻结"


@dataclass(frozen=True, slots=True)
class Entity:
    """A made-up emitter with its accounts: 登记账户 at the registry, 交易账户 at the venue."""

    number: str
    credit_code: str
    name: str
    registry_account: str
    trading_account: str


def entity(place: int, dice: random.Random) -> Entity:
    """The entity of a place in the register. Every seventh has a rare character in its name."""
    rare = RARE[place // 7 % len(RARE)] if place % 7 == 0 else ""
    stem = _FIRST[place % 10] + _SECOND[place // 10 % 10] + (f"{place // 100}号" if place >= 100 else "")
    return Entity(
        number=f"QY{place:08d}",
        credit_code=credit_code(dice.choice(REGIONS), place),
        name=f"虚构{stem}{rare}{_TRADES[place % len(_TRADES)]}有限公司",
        registry_account=f"D{place:011d}",
        trading_account=f"J{place:011d}",
    )


def credit_code(region: str, serial: int) -> str:
    """A unified social credit code (统一社会信用代码, GB 32100-2015) of an enterprise, with both check digits.

    Args:
        region: six digits.
        serial: counts the organisation; up to 99,999,999.
    """
    body = f"{serial:08d}"
    total = sum(_ORGANISATION.index(one) * weight for one, weight in zip(body, _WEIGHTS, strict=True))
    # GB 11714: 10 is written X, 11 is written 0.
    last = "0123456789X0"[11 - total % 11]
    code = f"91{region}{body}{last}"
    return code + check_digit(code)


def check_digit(code: str) -> str:
    """The 18th character of a unified social credit code: the 17 before it, weighed with powers of 3, modulo 31."""
    total = sum(_USCC.index(one) * pow(3, place, 31) for place, one in enumerate(code[:17]))
    return _USCC[(31 - total % 31) % 31]
