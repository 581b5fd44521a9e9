"""Serial numbers of carbon credits: reading them, and the algebra of the ranges that they name.

``parse`` reads one text, ``read`` does without raising, ``columnar.parse_column`` reads a column (kept in a
module of its own, since it needs polars). All three use the one pattern of each grammar in ``GRAMMARS``.
"""

from __future__ import annotations

from gateway.model.serials.grammar import Grammar, read
from gateway.model.serials.ranges import LARGEST_NUMBER, SerialRange, difference, normalise, overlap
from gateway.model.serials.registries import GRAMMARS
from gateway.model.serials.serial import (
    NumberingSpace,
    RefusalCode,
    Serial,
    SerialError,
    SerialFacts,
    SerialRefused,
    Wording,
)

__all__ = [
    "GRAMMARS",
    "LARGEST_NUMBER",
    "Grammar",
    "NumberingSpace",
    "RefusalCode",
    "Serial",
    "SerialError",
    "SerialFacts",
    "SerialRange",
    "SerialRefused",
    "Wording",
    "difference",
    "grammar_of",
    "normalise",
    "overlap",
    "parse",
    "read",
]


def grammar_of(registry: str) -> Grammar:
    """The grammar of a registry; raises ValueError naming the known ones when there is none."""
    grammar = GRAMMARS.get(registry)
    if grammar is None:
        raise ValueError(f"found no serial grammar for {registry!a}; expected one of {', '.join(sorted(GRAMMARS))}")
    return grammar


def parse(registry: str, text: str, *, epoch: str | None = None) -> Serial:
    """Reads a text that must be a serial number of ``registry``.

    Args:
        registry: a name in ``GRAMMARS``.
        text: exactly the serial, nothing around it.
        epoch: for a registry whose renumbering its serials do not tell (``acr``: ``greentrace``). Give it
            only where every source of that registry gives it: units with and without are in two spaces.

    Raises SerialError, with a stable code and a reason, when the text is none; ValueError for an unknown
    registry or epoch.
    """
    found = read(grammar_of(registry), text, epoch=epoch)
    if isinstance(found, SerialRefused):
        raise SerialError(found)
    return found
