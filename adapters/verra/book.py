"""The stand-in's book: what the registry holds, and what can happen to it.

Serial blocks are consistent: the range of every batch is exactly the union of its holdings, retirements and
cancellations, without overlap, and the two numbering epochs count on their own. A row that is shown wrongly (see
``Defect``) is wrong in what it shows; the book behind it stays true. A change touches the rows it concerns, and no
others: their ``esUpdatedOn`` moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from adapters.verra.book_entries import (
    FIRST_PRESENT_BATCH,
    PRESENT_EPOCH,
    REASONS_OF_DEFECTS,
    Account,
    Batch,
    Block,
    BlockKind,
    Change,
    ChangeKind,
    Defect,
    Hold,
    Planted,
    Project,
    serial_end,
    serial_middle,
)
from adapters.verra.book_words import STATUS_OF
from gateway.kit.clock import Clock


class Book:
    """All records of the registry, and what can be done to them.

    Args:
        clock: when changes happen.
        next_entity: the id that the next new record gets.
    """

    def __init__(self, clock: Clock, *, next_entity: int) -> None:
        self.projects: dict[int, Project] = {}
        self.batches: dict[int, Batch] = {}
        self.holdings: dict[int, Block] = {}
        self.retirements: dict[int, Block] = {}
        self.cancellations: dict[int, Block] = {}
        self.accounts: dict[str, Account] = {}
        self.frozen: dict[str, Hold] = {}
        self.changes: list[Change] = []
        self.planted: list[Planted] = []
        self._clock = clock
        self._next_entity = next_entity
        self._next_sequence = 1

    def blocks(self) -> Iterator[Block]:
        """Every block there is: held, retired, cancelled."""
        yield from self.holdings.values()
        yield from self.retirements.values()
        yield from self.cancellations.values()

    def new_entity(self) -> int:
        """An entity id that was never used."""
        self._next_entity += 1
        return self._next_entity - 1

    def new_sequence(self) -> int:
        """The next place in the history of the accounts."""
        self._next_sequence += 1
        return self._next_sequence - 1

    def account(self, name: str) -> Account:
        """The account of this name; it is opened at its first use."""
        return self.accounts.setdefault(name, Account(name, 1_000 + len(self.accounts)))

    def put(self, block: Block) -> None:
        """Files a block under its kind."""
        self._shelf(block.kind)[block.entity_id] = block

    def retire(
        self,
        holding_id: int,
        *,
        units: tuple[int, int] | None = None,
        beneficiary: str | None = None,
        reason: str | None = None,
        details: str | None = None,
        operation: str | None = None,
        reference: str | None = None,
    ) -> Block:
        """Retires a holding, or the inclusive range ``units`` of it, and returns the retirement.

        Raises KeyError when there is no such holding, ValueError when the range is not inside it.
        """
        ended = self._end(holding_id, units, BlockKind.RETIREMENT)
        ended.beneficiary, ended.reason, ended.details = beneficiary, reason, details
        self._note(ChangeKind.RETIRED, ended, operation=operation, reference=reference)
        return ended

    def cancel(self, holding_id: int, *, units: tuple[int, int] | None = None, reason: str | None = None) -> Block:
        """Cancels a holding or a part of it, and returns the cancellation. Raises as ``retire`` does."""
        ended = self._end(holding_id, units, BlockKind.CANCELLATION)
        ended.reason = reason
        self._note(ChangeKind.CANCELLED, ended)
        return ended

    def transfer(
        self,
        holding_id: int,
        to: str,
        *,
        units: tuple[int, int] | None = None,
        operation: str | None = None,
        reference: str | None = None,
    ) -> Block:
        """Moves a holding or a part of it to the account named ``to``, and returns what is held there now.

        A whole holding keeps its row; a part becomes a new one. Raises as ``retire`` does.
        """
        moved = self._take(holding_id, units)
        before, moved.account, moved.locked = moved.account, self.account(to), None
        self.put(moved)
        self._note(
            ChangeKind.TRANSFERRED,
            moved,
            account=before,
            target=moved.account,
            operation=operation,
            reference=reference,
        )
        return moved

    def lock(self, holding_id: int, operation: str, *, units: tuple[int, int] | None = None) -> Block:
        """Sets a holding or a part of it aside for an operation that is under way. Raises as ``retire`` does."""
        taken = self._take(holding_id, units)
        taken.locked = operation
        self.put(taken)
        return taken

    def unlock(self, holding_id: int) -> None:
        """Gives a holding back that was set aside. Raises KeyError when there is none."""
        holding = self.holdings[holding_id]
        holding.locked = None
        holding.touch(self._clock())

    def put_on_hold(self, holding_id: int, reason: str, *, authority: str | None = None) -> None:
        """Stops a holding: it is shown as On Hold, and moves no more. Raises KeyError when there is none."""
        holding = self.holdings[holding_id]
        holding.hold = Hold(reason, authority)
        holding.touch(self._clock())
        self._note(ChangeKind.HELD, holding)

    def lift_hold(self, holding_id: int) -> None:
        """Lets a holding move again. Raises KeyError when there is none."""
        holding = self.holdings[holding_id]
        self._note(ChangeKind.LIFTED, holding)
        holding.hold = None
        holding.touch(self._clock())

    def freeze(self, name: str, reason: str, *, authority: str | None = None) -> None:
        """Stops an account: it can do nothing more, and each of its holdings that is not on hold already is."""
        self.frozen[name] = Hold(reason, authority)
        for holding in [one for one in self.holdings.values() if one.account.name == name and one.hold is None]:
            self.put_on_hold(holding.entity_id, reason, authority=authority)

    def unfreeze(self, name: str) -> None:
        """Lets an account act again, and lifts what its freezing put on hold. Raises KeyError when it is not frozen."""
        hold = self.frozen.pop(name)
        for holding in [one for one in self.holdings.values() if one.account.name == name and one.hold == hold]:
            self.lift_hold(holding.entity_id)

    def issue(
        self, project_number: int, quantity: int, *, vintage: tuple[date, date], account: str | None = None
    ) -> Batch:
        """Issues units of a project to an account (the proponent's without one) and returns the batch.

        The batch takes the next number of the present epoch, and the units the numbers after the last.
        Raises KeyError when there is no such project, ValueError when nothing would be issued.
        """
        if quantity < 1:
            raise ValueError(f"found a quantity of {quantity}; an issuance has one unit or more")
        project, now = self.projects[project_number], self._clock()
        present = [batch for batch in self.batches.values() if batch.serial_middle.startswith(PRESENT_EPOCH)]
        first = 1 + max((batch.last for batch in present), default=0)
        batch = Batch(
            entity_id=self.new_entity(),
            modified=now,
            updated=now,
            nanoseconds=0,
            number=1 + max((batch.number for batch in present), default=FIRST_PRESENT_BATCH - 1),
            first=first,
            last=first + quantity - 1,
            project=project,
            vintage_start=vintage[0],
            vintage_end=vintage[1],
            issued=now,
            account=project.proponent if account is None else self.account(account),
            serial_middle=serial_middle(PRESENT_EPOCH, project, "VER", project.country.letters, scoped=True),
            serial_end=serial_end(vintage),
            labels=(),
        )
        batch.touch(now)
        self.batches[batch.entity_id] = batch
        held = self._block_of(batch, BlockKind.HOLDING)
        held.touch(now)
        self.put(held)
        self._note(ChangeKind.ISSUED, held)
        return batch

    def set_project_status(self, project_number: int, word: str) -> None:
        """Gives a project another status. Raises KeyError for an unknown project, ValueError for an unknown word."""
        if word not in STATUS_OF:
            raise ValueError(f"found the project status {word!r}; expected one of {', '.join(STATUS_OF)}")
        project = self.projects[project_number]
        project.status = word
        project.touch(self._clock())

    def add_label(self, holding_id: int, label: str) -> None:
        """Adds a label to a holding, whose serial is flagged from then on. Raises KeyError when there is none."""
        holding = self.holdings[holding_id]
        if label not in holding.labels:
            holding.labels = (*holding.labels, label)
        holding.flagged = True
        holding.touch(self._clock())

    def plant(self, defect: Defect, entity_id: int) -> Planted:
        """Makes the row of a record show something wrong, and notes it in ``planted``.

        Raises KeyError when no record of the fitting feeds has this id: a project for an unknown project status, a
        holding for an unknown state, any block for the others.
        """
        feed, record = self._find(defect, entity_id)
        record.defect = defect
        record.touch(self._clock())
        planted = Planted(defect, feed, entity_id, REASONS_OF_DEFECTS[defect])
        self.planted.append(planted)
        return planted

    def _note(
        self,
        kind: ChangeKind,
        block: Block,
        *,
        account: Account | None = None,
        target: Account | None = None,
        operation: str | None = None,
        reference: str | None = None,
    ) -> None:
        self.changes.append(
            Change(
                sequence=self.new_sequence(),
                kind=kind,
                at=self._clock(),
                block=replace(block),
                account=account or block.account,
                target=target,
                operation=operation,
                reference=reference,
            )
        )

    def _find(self, defect: Defect, entity_id: int) -> tuple[str, Project | Block]:
        if defect is Defect.UNKNOWN_PROJECT_STATUS:
            for project in self.projects.values():
                if project.entity_id == entity_id:
                    return "project", project
        else:
            kinds = (BlockKind.HOLDING,) if defect is Defect.UNKNOWN_STATE else tuple(BlockKind)
            for kind in kinds:
                if entity_id in self._shelf(kind):
                    return kind.value, self._shelf(kind)[entity_id]
        raise KeyError(f"no row {entity_id} in a feed that can show {defect.value}")

    def _end(self, holding_id: int, units: tuple[int, int] | None, kind: BlockKind) -> Block:
        now = self._clock()
        taken = self._take(holding_id, units)
        ended = replace(taken, entity_id=self.new_entity(), kind=kind, acted=now, hold=None, locked=None)
        ended.touch(now)
        self.put(ended)
        return ended

    def _take(self, holding_id: int, units: tuple[int, int] | None) -> Block:
        """Takes a range out of a holding; what is left of it stays held, in one row or two."""
        holding = self.holdings[holding_id]
        first, last = units or (holding.first, holding.last)
        if not holding.first <= first <= last <= holding.last:
            raise ValueError(
                f"found the range {first}-{last}; expected one inside {holding.first}-{holding.last} "
                f"of holding {holding_id}"
            )
        now = self._clock()
        left = [(holding.first, first - 1), (last + 1, holding.last)]
        left = [(start, end) for start, end in left if start <= end]
        del self.holdings[holding_id]
        for position, (start, end) in enumerate(left):
            kept_id = holding_id if position == 0 else self.new_entity()
            kept = replace(holding, entity_id=kept_id, first=start, last=end)
            kept.touch(now)
            self.put(kept)
        taken = replace(holding, entity_id=self.new_entity() if left else holding_id, first=first, last=last)
        taken.touch(now)
        return taken

    def _block_of(self, batch: Batch, kind: BlockKind) -> Block:
        return Block(
            entity_id=self.new_entity(),
            modified=batch.modified,
            updated=batch.updated,
            nanoseconds=batch.nanoseconds,
            batch=batch,
            first=batch.first,
            last=batch.last,
            kind=kind,
            account=batch.account,
            labels=batch.labels,
            flagged=bool(batch.labels),
        )

    def _shelf(self, kind: BlockKind) -> dict[int, Block]:
        return {
            BlockKind.HOLDING: self.holdings,
            BlockKind.RETIREMENT: self.retirements,
            BlockKind.CANCELLATION: self.cancellations,
        }[kind]
