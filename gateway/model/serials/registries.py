"""The serial grammars of the registries whose serials name a range of units.

The shapes are those seen in public registry exports and pages of 2023 to 2026. Of the UN transaction log's
only three serials, all of one project, were at hand: its code ranges are wider than what was seen. Numbers of
projects, batches and units carry no leading zero: it would be a second spelling of the same thing, and of the
same numbering space.

``ccer-simulated`` is no registry's: the national registry of China publishes no serial, and this shape is our own, for
the account statements of its stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.model.serials.grammar import AGAIN, Form, Grammar, Piece

# Eighteen digits: see ranges.LARGEST_NUMBER.
_UNIT_NUMBER = "[1-9][0-9]{0,17}"
_NUMBER = "[1-9][0-9]{0,8}"
_YEAR = "(?:19|20|21)[0-9]{2}"
_DAY = f"[0-9]{{4}}{_YEAR}"


def _literal(text: str) -> Piece:
    return Piece(re.escape(text), ascii(text))


def _group(name: str, pattern: str, expected: str) -> Piece:
    return Piece(f"(?P<{name}>{pattern})", expected)


def _first() -> Piece:
    return _group("first", _UNIT_NUMBER, "the first unit number (1 to 18 digits, no leading zero)")


def _last() -> Piece:
    return _group("last", _UNIT_NUMBER, "the last unit number (1 to 18 digits, no leading zero)")


def _number(name: str, expected: str) -> Piece:
    return _group(name, _NUMBER, f"{expected} (a number without leading zero)")


def _country() -> Piece:
    return _group("country", "[A-Z]{2}", "a country of two capital letters")


def _year() -> Piece:
    return _group("vintage_year", _YEAR, "the vintage's year (four digits, 1900 to 2199)")


def _day(side: str) -> Piece:
    return _group(f"vintage_{side}", _DAY, f"the vintage's {side} (eight digits: day, month, year 1900 to 2199)")


def _joined(*pieces: Piece, by: str = "-") -> tuple[Piece, ...]:
    """The pieces with a separator between each and the next."""
    joined: list[Piece] = [pieces[0]]
    for piece in pieces[1:]:
        joined += (_literal(by), piece)
    return tuple(joined)


# batch-first-last-[VCS-]VCU-body-administrator-country-[scope-]project-start(- or _)end-flag.
# Numbers restarted near 1 with the first batch written VCS-VCU, so the two are spaces of their own.
_VERRA = Form(
    registry="verra",
    pieces=(
        *_joined(
            _number("batch", "the batch"),
            _first(),
            _last(),
            _group("epoch", "(?:VCS-)?VCU", "VCS-VCU or VCU"),
            Piece("[0-9]{3,4}", "the verification body (three or four digits)"),
            Piece("(?:VER|MER|APX|TZ1|CDC)", "the first administrator (VER, MER, APX, TZ1 or CDC)"),
            _country(),
            # Left out of some serials since 2026, so the number of segments tells nothing.
            # At most seven digits for the project, so that a day is never taken for one.
            Piece(
                "(?:(?P<project_type>[1-9][0-9]?)-)?(?P<project>[1-9][0-9]{0,6})",
                "the sectoral scope and the project, or the project alone",
            ),
            _day("start"),
        ),
        # The underscore was seen once, on batch 1247.
        Piece("[-_]", "'-' or '_'"),
        *_joined(_day("end"), _group("flag", "[01]", "the label flag, digit 0 or 1,")),
    ),
)

# GS1-1-country-GSproject-type-year-batch-first-last. Numbers restart in each batch.
_GOLD_STANDARD = Form(
    registry="gold-standard",
    scope=("batch",),
    pieces=(
        _literal("GS1-1-"),
        _country(),
        _literal("-GS"),
        *_joined(
            _number("project", "the project"),
            _number("project_type", "the project type"),
            _year(),
            _number("batch", "the batch"),
            _first(),
            _last(),
        ),
    ),
)

# prefix-country-project-year-batch-first to last.
_ACR = Form(
    registry="",
    scope=("country", "project", "vintage_year", "batch"),
    pieces=(
        *_joined(
            _group("registry", "ACR|ART|FCPF", "ACR, ART or FCPF"),
            _country(),
            _number("project", "the project"),
            _year(),
            _number("batch", "the batch"),
            _first(),
        ),
        _literal(" to "),
        _last(),
    ),
)

# CAR-kind-country-project-type-party-subdivision-year-batch-first to last.
_CAR = Form(
    registry="car",
    scope=("unit_kind", "country", "project", "project_type", "party", "subdivision", "vintage_year", "batch"),
    pieces=(
        *_joined(
            _literal("CAR"),
            _group("unit_kind", "1|ROC", "the kind of unit (1 or ROC)"),
            _country(),
            _number("project", "the project"),
            _number("project_type", "the project type"),
            _number("party", "the party"),
            _group("subdivision", "[A-Z]{2,3}", "the state or province (two or three capital letters)"),
            _year(),
            _number("batch", "the batch"),
            _first(),
        ),
        _literal(" to "),
        _last(),
    ),
)


def _transaction_log_serial(number: Piece, prefix: str = "") -> tuple[Piece, ...]:
    """party-kind-number-original period-applicable period-activity-project[-track]."""
    return (
        *_joined(
            _group(f"{prefix}country", "[A-Z]{2}", "the originating party (two capital letters)"),
            _group(f"{prefix}unit_kind", "[1-7]", "the unit type (1 to 7; 5 is a CER)"),
            number,
            _group(f"{prefix}original_period", "[0-9]{1,2}", "the original commitment period"),
            _group(f"{prefix}applicable_period", "[0-9]{1,2}", "the applicable commitment period"),
            _group(f"{prefix}activity", "[0-9]{1,2}", "the land-use activity (0: none)"),
            _number(f"{prefix}project", "the project"),
        ),
        Piece(f"(?:-(?P<{prefix}track>[12]))?", "the track (1 or 2)"),
    )


# Two whole serials; a unit's number is unique among those of its originating party.
_TRANSACTION_LOG = Form(
    registry="cdm",
    scope=("country",),
    pieces=(
        *_transaction_log_serial(_first()),
        _literal(" - "),
        *_transaction_log_serial(_last(), AGAIN),
    ),
)


def _plan_vivo(kinds: str, expected: str, tail: Piece, epoch: str) -> Form:
    """PV-kind-country-project-start-end-first-last-tail."""
    return Form(
        registry="plan-vivo",
        epoch=epoch,
        pieces=_joined(
            _literal("PV"),
            _group("unit_kind", kinds, expected),
            _country(),
            _group("project", "[1-9][0-9]{0,17}", "the project (a number without leading zero)"),
            _day("start"),
            _day("end"),
            _first(),
            _last(),
            tail,
        ),
    )


# One running count on each of the two systems.
_PLAN_VIVO_PLATTS = _plan_vivo("rPVC|fPVC", "rPVC or fPVC", _literal("SPG"), "spg")
_PLAN_VIVO_MARKIT = _plan_vivo("PVC", "PVC", Piece("MER-[0-9]-[A-Z]", "MER, a digit and a capital letter"), "mer")

_PADDED: Final = 12
# Each number of twelve digits but zero: neither engine of the patterns can look ahead.
_PADDED_NUMBER = "|".join(f"{'0' * zeros}[1-9][0-9]{{{_PADDED - 1 - zeros}}}" for zeros in range(_PADDED))

# CCER-project-year-first-last. Synthetic: no serial of the national registry is public. Its 19-digit id of a project
# stands for the project, and the count restarts in each product, which is a project and a year of generation.
_CCER_SIMULATED = Form(
    registry="ccer-simulated",
    scope=("project", "vintage_year"),
    width=_PADDED,
    pieces=_joined(
        _literal("CCER"),
        _group("project", "[1-9][0-9]{0,18}", "the project (1 to 19 digits, no leading zero)"),
        _year(),
        _group("first", _PADDED_NUMBER, "the first unit number (twelve digits, not zero)"),
        _group("last", _PADDED_NUMBER, "the last unit number (twelve digits, not zero)"),
    ),
)

#: Every grammar under its registry's name. ``acr`` also reads ART and FCPF, which share its platform; their
#: spaces are ``art:`` and ``fcpf:``. ``gold-standard`` also reads CERs held there, which keep the UN serial
#: and stay in the space ``cdm:``, so that the same unit on both books is seen to be the same.
GRAMMARS: Final[Mapping[str, Grammar]] = MappingProxyType(
    {
        grammar.name: grammar
        for grammar in (
            Grammar("verra", (_VERRA,)),
            Grammar("gold-standard", (_GOLD_STANDARD, _TRANSACTION_LOG)),
            # Batches restarted at 1 when the registry moved to GreenTrace in 2026; the serial does not tell.
            Grammar("acr", (_ACR,), given_epochs=frozenset({"greentrace"})),
            Grammar("car", (_CAR,)),
            Grammar("cdm", (_TRANSACTION_LOG,)),
            Grammar("plan-vivo", (_PLAN_VIVO_PLATTS, _PLAN_VIVO_MARKIT)),
            Grammar("ccer-simulated", (_CCER_SIMULATED,)),
        )
    }
)
