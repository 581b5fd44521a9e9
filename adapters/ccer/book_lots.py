"""Which units an instruction names, and how a block is cut."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ccer.book_entries import Asked, AskedLot, Block, Condition, Place, RefusedHere
from adapters.ccer.words import Code
from gateway.model.serials import SerialRange, SerialRefused, grammar_of, read

GRAMMAR = grammar_of("ccer-simulated")


def require_lots(blocks: dict[str, Block], asked: Asked, place: Place) -> list[tuple[Block, int, int]]:
    """The block and the first and last unit of each lot. Raises RefusedHere where one cannot be had."""
    if len({lot.block_id for lot in asked.lots}) != len(asked.lots):
        raise RefusedHere(Code.MALFORMED, "holdId")
    found = []
    for lot in asked.lots:
        block = blocks.get(lot.block_id)
        if block is None or block.account != asked.account:
            raise RefusedHere(Code.NO_SUCH_UNITS, lot.block_id)
        if block.condition is Condition.FROZEN:
            raise RefusedHere(Code.UNITS_FROZEN, lot.block_id)
        if block.place is not place or block.condition is not Condition.FREE or lot.units > block.units:
            raise RefusedHere(Code.NOT_AVAILABLE, lot.block_id)
        units = _named(block, lot)
        found.append((block, units.first, units.last))
    return found


def cut(blocks: dict[str, Block], block: Block, first: int, last: int, next_id: Callable[[], str]) -> Block:
    """A block of just these units, out of one that has them; what is left keeps the id where it comes first."""
    if (first, last) == (block.first, block.last):
        return block
    parts = [(block.first, first - 1), (last + 1, block.last)]
    rest = [part for part in parts if part[0] <= part[1]]
    taken = _copy(block, next_id(), first, last)
    (block.first, block.last), *more = rest
    for part in more:
        left = _copy(block, next_id(), *part)
        blocks[left.block_id] = left
    blocks[taken.block_id] = taken
    return taken


def _copy(block: Block, block_id: str, first: int, last: int) -> Block:
    return Block(block_id, block.account, block.product, first, last, block.place, block.condition, block.hold)


def _named(block: Block, lot: AskedLot) -> SerialRange:
    """The units that a lot names; the first ones of the block where it only says how many."""
    if lot.serial is None:
        return SerialRange(block.first, block.first + lot.units - 1)
    serial = read(GRAMMAR, lot.serial)
    whole = SerialRange(block.first, block.last)
    if (
        isinstance(serial, SerialRefused)
        or not lot.serial.startswith(f"{block.product.code}-")
        or not whole.contains(serial.range)
    ):
        raise RefusedHere(Code.NO_SUCH_UNITS, lot.serial)
    if serial.range.count == lot.units:
        return serial.range
    if serial.range == whole and lot.units < whole.count:
        return SerialRange(block.first, block.first + lot.units - 1)
    raise RefusedHere(Code.NO_SUCH_UNITS, lot.serial)
