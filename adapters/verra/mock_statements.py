"""The account side's rows as the stand-in writes them: holdings, movements, operations, certificates. All simulated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from adapters._platts.mock_rows import Value
from adapters.verra.book_entries import Account, Batch, Block, Change, ChangeKind
from adapters.verra.book_operations import OPEN, Decision, Desk, Operation, OperationState, Piece

Row = dict[str, Value]

LINES: Final = 1_000
"""More lines than an operation has: each row has a place of its own."""


def holding_rows(desk: Desk, account: Account) -> list[tuple[int, Row]]:
    """What an account holds, one row a block, each with its place in the list."""
    held = [block for block in desk.book.holdings.values() if block.account == account]
    return [(block.entity_id, _holding(block)) for block in sorted(held, key=lambda one: one.entity_id)]


def movement_rows(desk: Desk, account: Account, since: datetime) -> list[tuple[int, Row]]:
    """What moved on an account since an instant, in the order in which it happened, each with its place.

    What is under way is a row whose status changes: with each change it moves to the end.
    """
    rows = [
        (change.sequence * LINES, _change(change, account))
        for change in desk.book.changes
        if account in {change.account, change.target} and change.at >= since
    ]
    for operation in desk.operations.values():
        over = operation.state is OperationState.COMPLETED
        if not over and account in {operation.account, operation.receiver} and operation.changed >= since:
            lines = enumerate(_under_way(operation, account))
            rows += ((operation.sequence * LINES + line, row) for line, row in lines)
    return sorted(rows, key=lambda one: one[0])


def operation_body(operation: Operation) -> dict[str, object]:
    """A transfer or a retirement, as the desk answers it."""
    body: dict[str, object] = {
        "operationId": operation.number,
        "reference": operation.reference,
        "accountNumber": str(operation.account.number),
        "state": operation.state.value,
        "reasonCode": operation.code,
        "reasonMessage": operation.message,
        "blocks": [
            {"holdingId": str(piece.block), "serialNumber": piece.serial, "quantity": piece.quantity}
            for piece in operation.pieces
        ],
        "createdAt": written(operation.begun),
        "updatedAt": written(operation.changed),
    }
    if operation.receiver is not None:
        return body | {"counterAccountNumber": str(operation.receiver.number)}
    return body | {
        "beneficiary": operation.beneficiary,
        "retirementReason": operation.reason,
        "remarks": operation.remarks,
    }


def decision_body(decision: Decision) -> dict[str, object]:
    """A receiver's answer, as the desk answers it."""
    transfer = decision.transfer
    return operation_body(transfer) | {
        "reference": decision.reference,
        "accountNumber": str(decision.account.number),
        "decision": "ACCEPT" if decision.accepted else "REJECT",
        "state": decision.state.value,
        "reasonCode": transfer.code if decision.accepted else None,
        "reasonMessage": transfer.message if decision.accepted else None,
    }


def certificate(retirement: Operation) -> bytes:
    """The proof of a retirement: a text, where the registry makes a picture of one."""
    lines = [
        "CERTIFICATE OF RETIREMENT OF VERIFIED CARBON UNITS (simulated)",
        f"Certificate number: {retirement.number}",
        f"Reference: {retirement.reference}",
        f"Account: {retirement.account.name} ({retirement.account.number})",
        f"Retired on behalf of: {retirement.beneficiary}",
        f"Reason: {retirement.reason}",
        f"Retired at: {written(retirement.changed)}",
        f"Quantity: {sum(piece.quantity for piece in retirement.pieces)} tCO2e",
        *(f"Serial number: {piece.serial}" for piece in retirement.pieces),
    ]
    return "\n".join([*lines, ""]).encode()


def written(instant: datetime) -> str:
    """An instant of UTC, to the second."""
    return f"{instant.isoformat(timespec='seconds')[:19]}Z"


def _holding(block: Block) -> Row:
    project, hold = block.batch.project, block.hold
    quantity = block.stated_quantity
    waiting = hold is None and block.locked is not None
    free = hold is None and not waiting
    row: Row = {
        "holdingId": str(block.entity_id),
        "accountNumber": str(block.account.number),
        "accountName": block.account.name,
        "unitType": "VCU",
        "quantity": quantity,
        "availableQuantity": quantity if free else 0,
        "onHoldQuantity": 0 if hold is None else quantity,
        "inTransitQuantity": quantity if waiting else 0,
        "status": block.shown_state[0],
        "holdReason": None if hold is None else hold.reason,
        "holdAuthority": None if hold is None else hold.authority,
        "additionalCertification": "; ".join(block.labels) or None,
        "projectId": str(project.number),
        "projectName": project.name,
    }
    serial = block.shown_serial
    return row if serial is None else row | {"serialNumber": serial}


def _change(change: Change, account: Account) -> Row:
    block, incoming = change.block, account == change.target or change.kind is ChangeKind.ISSUED
    stays = change.kind in {ChangeKind.HELD, ChangeKind.LIFTED}
    other = change.account if account == change.target else change.target
    hold = block.hold if stays else None
    return _movement(
        key=change.operation or f"CHG-{change.sequence:06d}",
        account=account,
        other=other,
        kind=change.kind,
        direction="NONE" if stays else "IN" if incoming else "OUT",
        status=OperationState.COMPLETED.value,
        units=(block.batch, block.first, block.last, block.flagged),
        reference=change.reference,
        beneficiary=block.beneficiary,
        reason=hold.reason if hold else block.reason,
        authority=hold.authority if hold else None,
        at=change.at,
    )


def _under_way(operation: Operation, account: Account) -> Iterator[Row]:
    incoming = account == operation.receiver
    for line, piece in enumerate(operation.pieces, start=1):
        yield _movement(
            key=f"{operation.number}/{line}",
            account=account,
            other=operation.account if incoming else operation.receiver,
            kind=ChangeKind.RETIRED if operation.receiver is None else ChangeKind.TRANSFERRED,
            direction="IN" if incoming else "OUT",
            status="Pending" if operation.state in OPEN else operation.state.value,
            units=_units(piece),
            reference=operation.reference,
            beneficiary=operation.beneficiary,
            reason=operation.reason,
            authority=None,
            at=operation.changed,
        )


def _units(piece: Piece) -> tuple[Batch, int, int, bool]:
    return piece.batch, piece.first, piece.last, piece.flagged


def _movement(
    *,
    key: str,
    account: Account,
    other: Account | None,
    kind: ChangeKind,
    direction: str,
    status: str,
    units: tuple[Batch, int, int, bool],
    reference: str | None,
    beneficiary: str | None,
    reason: str | None,
    authority: str | None,
    at: datetime,
) -> Row:
    batch, first, last, flagged = units
    return {
        "movementId": key,
        "accountNumber": str(account.number),
        "counterAccountNumber": None if other is None else str(other.number),
        "type": kind.value,
        "direction": direction,
        "status": status,
        "serialNumber": batch.serial(first, last, flagged=flagged),
        "unitType": "VCU",
        "quantity": last - first + 1,
        "projectId": str(batch.project.number),
        "reference": reference,
        "beneficiary": beneficiary,
        "reason": reason,
        "holdAuthority": authority,
        "updatedAt": written(at),
    }
