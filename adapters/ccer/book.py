"""The stand-in's book: who holds what, the instructions of two persons, and what happens at the registry by itself.

Every change is given its instant; the book asks no clock. What is due is done by ``settle``: an instruction that was
confirmed is carried out a while later, one that was not lapses when the registry closes. Until it is confirmed an
instruction moves nothing; its units are only set aside (在途).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from adapters.ccer.book_entries import (
    Account,
    Asked,
    Block,
    Condition,
    Flow,
    Hold,
    Instruction,
    Opening,
    Operator,
    Place,
    Product,
    RefusedHere,
    Role,
    Shelf,
    Way,
)
from adapters.ccer.book_hours import business_day, closing, require_open
from adapters.ccer.book_lots import cut, require_lots
from adapters.ccer.uscc import is_uscc
from adapters.ccer.words import BENEFICIARY_LIMIT, REDEEMED, Business, Code, State, Tab

PROCESSING: Final = timedelta(minutes=2)
"""How long the registry takes over a confirmed move."""
REVIEW: Final = timedelta(minutes=10)
"""How long its own review of an 抵销 or 注销 takes (抵消及注销审批)."""

_FIRST_ID = 1_541_000_000_000_000_000
_ID_STEP = 104_729_003


class Book(Shelf):
    """The registry's book."""

    def next_id(self) -> str:
        """A new id: nineteen digits, more than a double-precision number keeps."""
        count = self.numbered["ids"] = self.numbered.get("ids", 0) + 1
        return str(_FIRST_ID + count * _ID_STEP)

    # What the two operators do.

    def submit(self, operator: Operator, asked: Asked, at: datetime) -> Instruction:
        """Takes an instruction of a maker, and sets its units aside. Raises RefusedHere and changes nothing.

        A used reference is looked for first: any other refusal then proves that nothing was ever done under it.
        """
        if asked.reference in self.instructions:
            raise RefusedHere(Code.REFERENCE_USED, asked.reference)
        self._require(operator, Role.MAKER, asked.account)
        require_open(asked.business, at)
        if asked.day not in {None, business_day(at)}:
            raise RefusedHere(Code.WRONG_DAY, str(asked.day))
        self._require_counter(asked)
        _require_beneficiary(asked)
        place = Place.TRADING_ACCOUNT if asked.business is Business.TO_TRADING_PLATFORM else Place.REGISTRY
        wanted = require_lots(self.blocks, asked, place)
        aside = [cut(self.blocks, block, first, last, self.next_id) for block, first, last in wanted]
        for block in aside:
            block.condition = Condition.IN_FLIGHT
        made = Instruction(
            number=self.next_id(),
            asked=asked,
            maker=operator.name,
            submitted_at=at,
            lapses_at=closing(at),
            lots=tuple(block.block_id for block in aside),
            serials=tuple((block.block_id, block.serial, block.units) for block in aside),
        )
        self.instructions[asked.reference] = made
        return made

    def confirm(self, operator: Operator, account: str, reference: str, at: datetime) -> Instruction:
        """Confirms an instruction as its second person; one that is past that is answered as it is."""
        self._require(operator, Role.CHECKER, account)
        found = self.instruction(account, reference)
        if found is None:
            raise RefusedHere(Code.NO_SUCH_INSTRUCTION, reference)
        if operator.name == found.maker:
            raise RefusedHere(Code.SAME_OPERATOR)
        if found.state is not State.AWAITS_CONFIRMATION:
            return found
        require_open(found.asked.business, at)
        found.state, found.checker, found.confirmed_at = State.PROCESSING, operator.name, at
        found.due_at = at + (REVIEW if found.asked.business in REDEEMED else PROCESSING)
        return found

    def instruction(self, account: str, reference: str) -> Instruction | None:
        """An account's instruction by its maker's reference."""
        found = self.instructions.get(reference)
        return found if found is not None and found.asked.account == account else None

    # What happens by itself.

    def settle(self, now: datetime) -> None:
        """Carries out what is due, and lets lapse what nobody confirmed in time."""
        for one in self.instructions.values():
            if one.state is State.AWAITS_CONFIRMATION and now >= one.lapses_at:
                self._end(one, State.LAPSED, Code.NOT_CONFIRMED_IN_TIME)
            if one.state is State.PROCESSING and one.due_at is not None and now >= one.due_at:
                self._carry_out(one, one.due_at)

    def _carry_out(self, one: Instruction, at: datetime) -> None:
        held = [self.blocks.get(block_id) for block_id in one.lots]
        blocks = [block for block in held if block is not None and block.condition is Condition.IN_FLIGHT]
        if len(blocks) != len(one.lots):
            self._end(one, State.REFUSED, Code.UNITS_FROZEN)
            return
        asked = one.asked
        way = Way.OUT if asked.business in REDEEMED | {Business.TRANSFER} else Way.WITHIN
        for block in blocks:
            self._write(one.number, asked.business, block, at, way, asked=asked)
            block.condition = Condition.FREE
            match asked.business:
                case Business.TO_TRADING_ACCOUNT:
                    block.place = Place.TRADING_ACCOUNT
                case Business.TO_TRADING_PLATFORM:
                    block.place = Place.PLATFORM
                case Business.TRANSFER:
                    assert asked.counter is not None
                    block.account = asked.counter
                case _:
                    del self.blocks[block.block_id]
        one.state = State.DONE
        if asked.business in REDEEMED:
            one.certificate = f"ZX{one.number}"

    def _end(self, one: Instruction, state: State, code: Code) -> None:
        """Ends an instruction without effect; the units that are still aside for it are free again."""
        one.state, one.code = state, code
        for block_id in one.lots:
            block = self.blocks.get(block_id)
            if block is not None and block.condition is Condition.IN_FLIGHT:
                block.condition = Condition.FREE

    # What others do, from behind.

    def open_account(self, number: str, name: str, trading_number: str) -> Account:
        """Opens an account."""
        return self.accounts.setdefault(number, Account(number, name, trading_number))

    def show(self, opening: Opening) -> Opening:
        """Puts an item into its public list: the newest comes first there."""
        self.openings.insert(0, opening)
        return opening

    def listed(self, tab: Tab) -> list[Opening]:
        """The items of a public list."""
        return [one for one in self.openings if one.tab is tab]

    def statement(self, account: str) -> list[Block]:
        """The blocks of an account, the oldest first."""
        return sorted((one for one in self.blocks.values() if one.account == account), key=lambda one: one.block_id)

    def movements(self, account: str, since: datetime) -> list[Flow]:
        """The movements of an account from an instant on, the oldest first."""
        found = [one for one in self.flows if one.account == account and one.at >= since]
        return sorted(found, key=lambda one: (one.at, one.flow_id))

    def issue(self, product: Product, units: int, account: str, at: datetime) -> Block:
        """Issues units of a product; its count goes on where it stopped."""
        first = self.numbered.get(product.code, 0) + 1
        self.numbered[product.code] = first + units - 1
        block = Block(self.next_id(), account, product, first, first + units - 1)
        self.blocks[block.block_id] = block
        self._write(self.next_id(), Business.ISSUANCE, block, at, Way.IN)
        return block

    def freeze(self, block_id: str, hold: Hold, at: datetime) -> Block:
        """A court freezes a block, whatever is under way with it."""
        block = self.blocks[block_id]
        block.condition, block.hold = Condition.FROZEN, hold
        self._write(self.next_id(), Business.FREEZE, block, at, Way.NONE, hold=hold)
        return block

    def unfreeze(self, block_id: str, hold: Hold, at: datetime) -> Block:
        """The freeze of a block is lifted."""
        block = self.blocks[block_id]
        block.condition, block.hold = Condition.FREE, None
        self._write(self.next_id(), Business.UNFREEZE, block, at, Way.NONE, hold=hold)
        return block

    def freeze_account(self, number: str, hold: Hold, at: datetime) -> None:
        """A court freezes an account, and with it everything that it holds."""
        self.accounts[number].frozen = hold
        for block in self.statement(number):
            if block.condition is not Condition.FROZEN:
                self.freeze(block.block_id, hold, at)

    def cancel_by_force(self, block_id: str, hold: Hold, at: datetime) -> None:
        """Units are cancelled by order (强制注销): nobody commands that, it is only seen."""
        block = self.blocks.pop(block_id)
        self._write(self.next_id(), Business.FORCED, block, at, Way.OUT, hold=hold)

    def release(self, block_id: str, at: datetime) -> Block:
        """The venue gives units back to the registry account (CCER转出)."""
        block = self.blocks[block_id]
        block.place = Place.REGISTRY
        self._write(self.next_id(), Business.FROM_TRADING_PLATFORM, block, at, Way.WITHIN)
        return block

    def deliver(self, block_id: str, buyer: str, at: datetime) -> Block:
        """Units change hands by a trade that venue and registry both confirmed."""
        block = self.blocks[block_id]
        number, seller = self.next_id(), block.account
        self._write(number, Business.DELIVERY, block, at, Way.OUT, counter=buyer)
        block.account = buyer
        self._write(number, Business.DELIVERY, block, at, Way.IN, counter=seller)
        return block

    def divide(self, block_id: str, units: int) -> Block:
        """Cuts the first units off a block and gives them as a block of their own."""
        block = self.blocks[block_id]
        return cut(self.blocks, block, block.first, block.first + units - 1, self.next_id)

    def effects(self, reference: str) -> int:
        """How often an instruction took effect."""
        return len({one.number for one in self.flows if one.reference == reference})

    # Checks and lines.

    def _require(self, operator: Operator, role: Role, account: str) -> None:
        if operator.role is not role or operator.account != account:
            raise RefusedHere(Code.NOT_PERMITTED, operator.name)
        if self.accounts[account].frozen is not None:
            raise RefusedHere(Code.ACCOUNT_FROZEN, account)

    def _require_counter(self, asked: Asked) -> None:
        known: Iterable[str | None]
        match asked.business:
            case Business.TO_TRADING_ACCOUNT:
                known = {self.accounts[asked.account].trading_number}
            case Business.TRANSFER:
                known = self.accounts.keys() - {asked.account}
            case _:
                return
        if asked.counter not in known:
            raise RefusedHere(Code.NO_SUCH_ACCOUNT, str(asked.counter))

    def _write(
        self,
        number: str,
        business: Business,
        block: Block,
        at: datetime,
        way: Way,
        *,
        asked: Asked | None = None,
        counter: str | None = None,
        hold: Hold | None = None,
    ) -> None:
        line = Flow(
            flow_id=self.next_id(),
            number=number,
            reference=asked.reference if asked else None,
            business=business,
            way=way,
            account=block.account,
            counter=asked.counter if asked else counter,
            product=block.product,
            first=block.first,
            last=block.last,
            at=at,
            beneficiary=asked.beneficiary if asked else None,
            reason=hold.reason if hold else asked.remark if asked else None,
            authority=hold.authority if hold else None,
        )
        self.flows.append(line)
        if asked is not None and business is Business.TRANSFER:
            assert asked.counter is not None
            receipt = replace(line, flow_id=self.next_id(), way=Way.IN, account=asked.counter, counter=asked.account)
            self.flows.append(receipt)


def _require_beneficiary(asked: Asked) -> None:
    """Who redeems names for whom; use against an obligation (抵销) is by an entity of the mainland, with its code."""
    if asked.business not in REDEEMED:
        return
    if not asked.beneficiary or len(asked.beneficiary) > BENEFICIARY_LIMIT:
        raise RefusedHere(Code.BENEFICIARY, f"beneficiaryName 1..{BENEFICIARY_LIMIT}")
    if asked.business is Business.OFFSET and asked.uscc is None:
        raise RefusedHere(Code.BENEFICIARY, "uscc")
    if asked.uscc is not None and not is_uscc(asked.uscc):
        raise RefusedHere(Code.BENEFICIARY, "uscc")
