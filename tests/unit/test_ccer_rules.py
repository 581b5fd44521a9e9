"""The trading rules as data: exact, strict, and what follows from them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ccer.rules import DOCUMENT, Business, Side, load, read
from adapters.ccer.uscc import check_digit, is_uscc
from gateway.kit import calendars
from gateway.model.errors import ConfigurationError
from gateway.model.records import PRICE_SCALE

YUAN = 10**PRICE_SCALE


def changed(old: str, new: str) -> bytes:
    content = DOCUMENT.read_bytes().decode()
    assert old in content
    return content.replace(old, new, 1).encode()


def test_the_rules_are_those_of_2023() -> None:
    rules = load()
    assert rules.since == date(2023, 11, 16)
    assert rules.price_step.value == YUAN // 100
    assert rules.least_quantity.value == 1
    assert rules.holding_days.value == 5
    assert rules.first_listing_days.value == 1
    assert [(one.code, one.native, one.band_percent, one.open) for one in rules.methods] == [
        ("10", "挂牌协议", 10, True),
        ("20", "大宗协议", 30, False),
        ("21", "单向竞价", None, False),
    ]
    assert rules.hours_of(Business.TRADING).spans == ((570, 690), (780, 900))
    assert rules.hours_of(Business.REGISTRY_TO_VENUE).spans == ((570, 900),)
    assert [one.business for one in rules.hours if one.assumed] == [Business.REGISTRY]


def test_the_hours_are_those_of_the_calendar() -> None:
    calendar = calendars.load(load().calendar)
    assert calendar.full_day.sessions == load().hours_of(Business.TRADING).spans


def test_a_settlement_is_final_when_both_sides_confirmed() -> None:
    settlement = load().settlement
    assert not settlement.final([])
    assert not settlement.final([Side.VENUE])
    assert not settlement.final([Side.REGISTRY, Side.REGISTRY])
    assert settlement.final([Side.REGISTRY, Side.VENUE])
    assert settlement.proceeds_usable_same_day


def test_the_band_is_ten_percent_listed_and_thirty_in_blocks() -> None:
    rules = load()
    assert rules.limits(80 * YUAN, "10") == (72 * YUAN, 88 * YUAN)
    assert rules.limits(80 * YUAN, "20") == (56 * YUAN, 104 * YUAN)
    assert rules.limits(80 * YUAN, "21") is None
    with pytest.raises(ValueError, match="found the trade method '30'; expected one of 10, 20, 21"):
        rules.limits(80 * YUAN, "30")


@given(steps=st.integers(1, 10**7), method=st.sampled_from(["10", "20"]))
@settings(max_examples=100, deadline=None)
def test_a_limit_is_on_the_step_inside_the_band_and_no_step_more_would_be(steps: int, method: str) -> None:
    rules = load()
    step, percent = rules.price_step.value, rules.method(method).band_percent
    assert percent is not None
    reference = steps * step
    limits = rules.limits(reference, method)
    assert limits is not None
    lowest, highest = limits
    assert lowest % step == highest % step == 0
    assert lowest * 100 >= reference * (100 - percent) > (lowest - step) * 100
    assert highest * 100 <= reference * (100 + percent) < (highest + step) * 100


def test_the_reference_price_is_the_weighted_average_rounded_half_up() -> None:
    rules = load()
    assert rules.reference_price([], 70 * YUAN) == 70 * YUAN
    assert rules.reference_price([(72_340_000, 3), (72_350_000, 1)], 0) == 72_340_000
    assert rules.reference_price([(72_340_000, 1), (72_350_000, 1)], 0) == 72_350_000


def test_five_trading_days_lie_between_buying_and_selling_a_product() -> None:
    calendar = calendars.load("ccer")
    assert load().opposite_from(date(2026, 7, 15), calendar) == date(2026, 7, 22)
    # Over the national holiday the first trading days after it are counted.
    assert load().opposite_from(date(2026, 9, 30), calendar) == calendar.add_open_days(date(2026, 9, 30), 5)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('value: "0.01"', 'value: "0,01"', "price_step.value: Value error, found '0,01'; expected a decimal"),
        ("value: 5", "value: five", "holding_days.value: Value error, found 'five'; expected a whole number"),
        ("value: 5", "value: 0", "holding_days.value: Input should be greater than or equal to 1"),
        ('"09:30-15:00"', '"9:30-15:00"', "hours.1.spans.0: Value error, found '9:30-15:00'; expected a span"),
        ('"13:00-15:00"', '"11:00-15:00"', "hours.0: Value error, the spans of a day must stand in order"),
        ("[venue, registry]", "[venue, bank]", "settlement.final_when_confirmed_by.1"),
        ('code: "20"', 'code: "10"', "found 10, 10, 21; expected each once"),
        ("business: registry\n", "business: trading\n", "expected each once"),
        ("open: true", "open: maybe", "methods.0.open: Input should be a valid boolean"),
        ("currency: CNY", "currency: CNY\nsurprise: yes", "surprise: Extra inputs are not permitted"),
        ("rules: ccer.rules", "rules: [", "while parsing"),
    ],
)
def test_a_document_that_says_something_else_is_refused_and_says_where(old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(changed(old, new))
    assert says in str(caught.value)


def test_a_social_credit_code_is_known_by_its_check_digit() -> None:
    # The example of the standard itself.
    body = "91350100M000100Y4"
    assert check_digit(body) == "3"
    assert is_uscc("91350100M000100Y43")
    assert not is_uscc("91350100M000100Y44")
    assert not is_uscc("91350100M000100Y4")
    assert not is_uscc("91350100M000100I43")
    with pytest.raises(ValueError, match="found 3 characters, expected 17"):
        check_digit("913")
