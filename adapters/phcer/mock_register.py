"""The stand-in's register: projects, batches, accounts and what the rules do with them (创建、分配、变更、注销).

Quantities are tonnes. It asks its clock and nothing else; a change of holder and a cancellation take a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from gateway.kit.clock import Clock

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
PROCESSING: Final = timedelta(minutes=10)
"""How long a change of holder and a cancellation are under way."""
OFFICE: Final = "登记簿管理机构"
"""The body that keeps the register, in general words."""


class Act(StrEnum):
    """What the register does."""

    CREATE = "创建"
    ALLOCATE = "分配"
    CHANGE = "变更"
    CANCEL = "注销"
    FREEZE = "冻结"
    UNFREEZE = "解冻"


class Way(StrEnum):
    """Which way an account is changed."""

    IN = "转入"
    OUT = "转出"
    NONE = "不变"


class Progress(StrEnum):
    """How far an act has come."""

    PENDING = "处理中"
    DONE = "已完成"


class RegisterError(ValueError):
    """What the register's own rules do not allow."""


@dataclass(slots=True)
class Project:
    """A filed project."""

    number: str
    name: str
    owner: str
    kind: str
    methodology: str
    city: str
    state: str
    filed_on: date | None
    period: tuple[date, date] | None
    yearly: int


@dataclass(slots=True)
class Batch:
    """Reductions of one project that were created at once; ``years`` as the register writes them."""

    number: str
    project: Project
    years: str
    quantity: int
    registered_on: date
    labels: str = ""
    frozen: bool = False


@dataclass(slots=True)
class Account:
    """An account of a holder."""

    number: str
    name: str


@dataclass(slots=True)
class Balance:
    """What one account holds of one batch: ``frozen`` and ``moving`` are parts of ``quantity``."""

    number: str
    account: Account
    batch: Batch
    quantity: int = 0
    frozen: int = 0
    moving: int = 0
    reason: str | None = None
    authority: str | None = None

    @property
    def available(self) -> int:
        """What may be moved."""
        return self.quantity - self.frozen - self.moving


@dataclass(slots=True)
class Line:
    """One line of the business journal."""

    number: str
    act: Act
    way: Way
    account: Account
    other: Account | None
    batch: Batch
    quantity: int
    progress: Progress
    reason: str | None
    authority: str | None
    at: datetime
    due_at: datetime | None = None


@dataclass(slots=True)
class Register:
    """Everything that is registered.

    Attributes:
        clock: the register's time.
        account: the number of our account.
    """

    clock: Clock
    account: str
    projects: dict[str, Project] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    balances: dict[tuple[str, str], Balance] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def open_account(self, name: str) -> Account:
        """Opens an account."""
        account = Account(f"GDZH-{len(self.accounts) + 128:07d}", name)
        self.accounts[account.number] = account
        return account

    def create(self, project: str, years: str, quantity: int, owner: str) -> Batch:
        """创建: a project's reductions of some years are registered, on its owner's account."""
        one = self.projects[project]
        count = sum(batch.project is one for batch in self.batches.values())
        today = self.clock().astimezone(SHANGHAI).date()
        batch = Batch(f"{project}-B{count + 1:02d}", one, years, quantity, today)
        self.batches[batch.number] = batch
        self._balance(owner, batch).quantity += quantity
        self._note(Act.CREATE, Way.IN, self.accounts[owner], None, batch, quantity)
        return batch

    def allocate(self, batch: str, source: str, target: str, quantity: int) -> None:
        """分配: units go from the owner to a holder, at once. Raises RegisterError when they are not available."""
        self._move(Act.ALLOCATE, batch, source, target, quantity)
        self._take(batch, source, quantity)
        self._balance(target, self.batches[batch]).quantity += quantity

    def change(self, batch: str, source: str, target: str, quantity: int) -> None:
        """变更: units change their holder, some time later. Raises RegisterError when they are not available."""
        due = self.clock() + PROCESSING
        self._move(Act.CHANGE, batch, source, target, quantity, due)
        self.balances[source, batch].moving += quantity

    def cancel(self, batch: str, account: str, quantity: int, reason: str) -> None:
        """注销: units end, some time later. Raises RegisterError when they are not available."""
        self._require(batch, account, quantity)
        holder, one = self.accounts[account], self.batches[batch]
        due = self.clock() + PROCESSING
        self._note(Act.CANCEL, Way.OUT, holder, None, one, quantity, reason=reason, due=due)
        self.balances[account, batch].moving += quantity

    def freeze(self, batch: str, account: str, quantity: int, reason: str, authority: str = OFFICE) -> None:
        """冻结: units may not be moved. Raises RegisterError when they are not available."""
        self._require(batch, account, quantity)
        balance = self.balances[account, batch]
        balance.frozen, balance.reason, balance.authority = balance.frozen + quantity, reason, authority
        line = self._note(Act.FREEZE, Way.NONE, balance.account, None, balance.batch, quantity, reason=reason)
        line.authority = authority

    def unfreeze(self, batch: str, account: str) -> None:
        """解冻: all that is frozen of a balance is free again. Raises RegisterError when nothing is."""
        balance = self.balances[account, batch]
        if not balance.frozen:
            raise RegisterError(f"nothing of {batch} is frozen on {account}")
        self._note(Act.UNFREEZE, Way.NONE, balance.account, None, balance.batch, balance.frozen)
        balance.frozen, balance.reason, balance.authority = 0, None, None

    def batch_state(self, batch: Batch) -> str:
        """The register's word for what became of a batch."""
        held = sum(one.quantity for one in self.balances.values() if one.batch is batch)
        if not held:
            return "已注销"
        if batch.frozen:
            return "已冻结"
        allocated = any(line.act is Act.ALLOCATE and line.batch is batch for line in self.lines)
        return "已分配" if allocated else "已创建"

    def catch_up(self) -> None:
        """Lets everything happen that is due by now."""
        now = self.clock()
        for line in self.lines:
            if line.due_at is None or line.due_at > now:
                continue
            line.progress, line.at, line.due_at = Progress.DONE, line.due_at, None
            if line.way is Way.OUT:
                balance = self.balances[line.account.number, line.batch.number]
                balance.moving -= line.quantity
                balance.quantity -= line.quantity
                self._drop_if_empty(balance)
            else:
                self._balance(line.account.number, line.batch).quantity += line.quantity

    def _move(self, act: Act, batch: str, source: str, target: str, quantity: int, due: datetime | None = None) -> None:
        self._require(batch, source, quantity)
        giver, taker, one = self.accounts[source], self.accounts[target], self.batches[batch]
        self._note(act, Way.OUT, giver, taker, one, quantity, due=due)
        self._note(act, Way.IN, taker, giver, one, quantity, due=due)

    def _require(self, batch: str, account: str, quantity: int) -> None:
        balance = self.balances.get((account, batch))
        available = 0 if balance is None else balance.available
        if self.batches[batch].frozen or not 0 < quantity <= available:
            raise RegisterError(f"{quantity} of {batch} were asked of {account}, which has {available} available")

    def _take(self, batch: str, account: str, quantity: int) -> None:
        balance = self.balances[account, batch]
        balance.quantity -= quantity
        self._drop_if_empty(balance)

    def _drop_if_empty(self, balance: Balance) -> None:
        if balance.quantity == 0:
            del self.balances[balance.account.number, balance.batch.number]

    def _balance(self, account: str, batch: Batch) -> Balance:
        key = account, batch.number
        if key not in self.balances:
            self.balances[key] = Balance(f"{account}/{batch.number}", self.accounts[account], batch)
        return self.balances[key]

    def _note(
        self,
        act: Act,
        way: Way,
        account: Account,
        other: Account | None,
        batch: Batch,
        quantity: int,
        *,
        reason: str | None = None,
        due: datetime | None = None,
    ) -> Line:
        at = self.clock()
        number = f"{at.astimezone(SHANGHAI):%Y%m%d}{len(self.lines) + 1:010d}"
        progress = Progress.DONE if due is None else Progress.PENDING
        line = Line(number, act, way, account, other, batch, quantity, progress, reason, OFFICE, at, due)
        self.lines.append(line)
        return line
