"""Scopes, the words that come with a restriction, and what a restriction touches."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.controls.reach import Reach, miss, reach
from gateway.controls.restrictions import TEXT_LIMIT, AlreadyRestricted, Names, Restriction, Restrictions, Scope
from gateway.model.controls import ScopeKind
from gateway.model.errors import ConfigurationError

PLACED: Final = datetime(2026, 7, 1, 8, tzinfo=UTC)
CANDIDATE: Final[Names] = {
    ScopeKind.MARKET: ("cbl",),
    ScopeKind.PROGRAMME: ("VCS",),
    ScopeKind.PROJECT: ("VCS-1", "VCS-2"),
    ScopeKind.CLASS: ("CBL GEO",),
    ScopeKind.OFFER: ("OF-1",),
    ScopeKind.ACCOUNT: (),
}


def placed(text: str, number: int = 1) -> Restriction:
    return Restriction(number, Scope.parse(text), "under review", "Kit", PLACED)


@pytest.mark.parametrize("text", ["all", "market:cbl", "class:VCS-1 2020-01-01..2020-12-31 VCU +CCB", "project:碳-1"])
def test_a_scope_is_read_as_it_is_written(text: str) -> None:
    assert str(Scope.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "found the scope 'nonsense'; expected one of all, market:…"),
        ("\udcff", r"found the scope '\\udcff'; expected one of"),
        ("all:", None),
        ("all:cbl", "found the scope all with 'cbl'; expected a value for each scope but 'all'"),
        ("market:", "found the scope market with ''"),
        ("market:  ", "found the scope market with ''"),
        ("class:\udcff", r"found U\+DCFF as character 1 of the scope '\\udcff'"),
        ("class:VCS\x00", r"found U\+0000 as character 4 of the scope"),
        ("class:a\nb", r"found U\+000A as character 2 of the scope"),
        ("class:a\u202eb", r"found U\+202E as character 2 of the scope"),
        ("class:a\u2028b", r"found U\+2028 as character 2 of the scope"),
        ("class:\u200b", r"found the scope '\\u200b', in which nothing can be seen"),
        (f"class:{'x' * (TEXT_LIMIT + 1)}", f"found a scope of {TEXT_LIMIT + 1} characters; expected 1 to"),
    ],
)
def test_what_is_no_scope_is_refused_in_our_words(text: str, said: str | None) -> None:
    if said is None:
        assert Scope.parse(text).kind is ScopeKind.ALL
        return
    with pytest.raises(ConfigurationError, match=said) as raised:
        Scope.parse(text)
    str(raised.value).encode()  # what cannot be encoded could not even be told


@given(st.sampled_from([kind for kind in ScopeKind if kind is not ScopeKind.ALL]), st.text(min_size=1, max_size=40))
def test_a_scope_that_is_accepted_can_be_kept_and_shown(kind: ScopeKind, value: str) -> None:
    try:
        scope = Scope(kind, value)
    except ConfigurationError:
        return
    assert scope.value.encode().decode() == value
    assert "\0" not in value
    assert not any(unicodedata.category(one) in {"Cc", "Cs"} for one in value)
    assert any(unicodedata.category(one)[0] not in "CZ" for one in value)


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40))
def test_words_of_any_language_are_text(value: str) -> None:
    assert Scope(ScopeKind.CLASS, value).value == value


def test_the_widest_restriction_is_told_and_the_one_on_a_scope_is_found() -> None:
    found = Restrictions([placed("offer:OF-1"), placed("market:cbl", 2)])

    stopped = found.on({ScopeKind.MARKET: ("cbl",), ScopeKind.OFFER: ("OF-1",), ScopeKind.ACCOUNT: ()})

    assert stopped is not None
    assert stopped.id == 2
    assert found.on({ScopeKind.MARKET: ("cix",), ScopeKind.ACCOUNT: ("",)}) is None
    assert found.exactly_on(Scope.parse("offer:OF-1")) == placed("offer:OF-1")
    assert found.exactly_on(Scope.parse("offer:OF-2")) is None


def test_a_second_restriction_says_whose_the_first_is() -> None:
    scope = Scope.parse("market:cbl")
    assert "restricted already, by Kit since 2026-07-01 08:00Z: under review; see" in str(
        AlreadyRestricted(scope, placed("market:cbl"))
    )
    assert str(AlreadyRestricted(scope, None)) == "market:cbl is restricted already; see 'carbon-gateway restrictions'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", Reach(2, 2)),
        ("market:cbl", Reach(1, 1)),
        ("programme:VCS", Reach(1, 1)),
        ("project:VCS-2", Reach(1, 1)),
        ("class:CBL GEO", Reach(1, 1)),
        ("offer:OF-1", Reach(1, 1)),
        ("offer:OF-2", Reach(0, 1)),
        ("account:90420", Reach(1, 0)),
        ("market:vera", Reach(0, 0)),
        ("programme:vcs", Reach(0, 0)),
        ("offer:of-1", Reach(0, 0)),
        ("class:nonsense", Reach(0, 0)),
    ],
)
def test_what_a_scope_touches_is_counted(text: str, expected: Reach) -> None:
    ours: Names = {ScopeKind.CLASS: ("GS-7",), ScopeKind.ACCOUNT: ("90420",)}
    offers: list[Names] = [
        {ScopeKind.CLASS: ("CBL GEO",), ScopeKind.OFFER: ("OF-1",), ScopeKind.PROGRAMME: ("VCS",)},
        # Still shown, while no market shows its units any more.
        {ScopeKind.CLASS: ("GS-8",), ScopeKind.OFFER: ("OF-2",)},
    ]

    found = reach(Scope.parse(text), [CANDIDATE, ours], offers)

    assert found == expected
    assert found.is_nothing is (expected == Reach(0, 0))


def test_a_miss_says_what_there_is_instead() -> None:
    many: list[Names] = [{ScopeKind.CLASS: (f"VCS-{number} 2020 VCU",)} for number in range(100, 300)]

    few = miss(Scope.parse("programme:vcs"), [CANDIDATE, CANDIDATE])
    near = miss(Scope.parse("class:vcs-123 2020 vcu"), many)
    far = miss(Scope.parse("class:zzz"), many)
    none = miss(Scope.parse("account:1"), [CANDIDATE])

    assert few == "found the scope 'programme:vcs', which no candidate and no offer is under; expected one of VCS"
    assert "expected one of 200 that are known, such as 'VCS-123 2020 VCU'" in near
    assert far.endswith("such as 'VCS-100 2020 VCU'")
    assert none.endswith("no account of anything is known")
