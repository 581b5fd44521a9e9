"""Makes the stand-in's book from a seed: the same seed, size and instant give the same book."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final

from adapters.verra.book import Book
from adapters.verra.book_entries import (
    FIRST_PRESENT_BATCH,
    FORMER_EPOCH,
    LAST_FORMER_BATCH,
    OMNIBUS_NAME,
    OMNIBUS_NUMBER,
    PRESENT_EPOCH,
    Account,
    Batch,
    Block,
    BlockKind,
    Change,
    ChangeKind,
    Defect,
    Project,
    serial_end,
    serial_middle,
)
from adapters.verra.book_words import (
    COUNTRIES,
    COUNTRY_WEIGHTS,
    GOALS,
    LABEL_SETS,
    LAND_USE,
    LAND_USE_ACTIVITIES,
    REASONS,
    SCOPE_WEIGHTS,
    SCOPES,
    STATUSES,
    invented_beneficiary,
    invented_firm,
    invented_project,
    invented_word,
)
from gateway.kit.clock import Clock

FIRST_ENTITY: Final = 110_200_000_600_001
MOST_BLOCKS_OF_A_BATCH: Final = 8
MEAN_BLOCKS_OF_A_BATCH: Final = 4
"""As on the registry: a few blocks a batch. The mean of 1 to 8, less what small batches cannot hold."""

MOST_OMNIBUS_BLOCKS: Final = 24

_FORMER_YEARS = (date(2009, 4, 1), date(2020, 3, 31))
_PRESENT_START = date(2020, 5, 1)
_FORMER_SHARE = 4
_FIRST_FORMER_BATCH = 16
_ORIGINS = ("MER", "APX", "TZ1", "CDC", "VER")
_ORIGIN_WEIGHTS = (49, 39, 6, 5, 1)
_KINDS = (BlockKind.HOLDING, BlockKind.RETIREMENT, BlockKind.CANCELLATION)
_KIND_WEIGHTS = (45, 50, 5)
_NANOSECONDS = 1_000_000_000


def build_book(seed: int, clock: Clock, *, projects: int, blocks: int, defective: bool) -> Book:
    """A consistent book.

    Args:
        seed: decides everything.
        clock: the present; nothing in the book is later.
        projects: how many projects, about a half of them with issuances.
        blocks: about how many blocks, over all three kinds.
        defective: whether one row of each ``Defect`` is planted.

    Raises ValueError when a size is below 1 or more former batches would be needed than there are numbers.
    """
    if projects < 1 or blocks < 1:
        raise ValueError(f"found {projects} projects and {blocks} blocks; expected one or more of each")
    batches = max(1, blocks // MEAN_BLOCKS_OF_A_BATCH)
    if batches // _FORMER_SHARE > LAST_FORMER_BATCH - _FIRST_FORMER_BATCH:
        raise ValueError(f"found {blocks} blocks; the former epoch has no batch numbers for so many")
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    builder = _Builder(Book(clock, next_entity=FIRST_ENTITY), chance, clock())
    issuing = builder.make_projects(projects, batches)
    builder.make_batches(issuing, batches)
    if defective:
        plant_each(builder.book)
    give_to_omnibus(builder.book, clock())
    return builder.book


def give_to_omnibus(book: Book, now: datetime) -> None:
    """Gives some sound holdings to the omnibus account, as if they had been transferred there one day after another.

    Half of them and 24 at most, spread over the book; no row changes but for its account.
    """
    omnibus = Account(OMNIBUS_NAME, OMNIBUS_NUMBER)
    book.accounts[OMNIBUS_NAME] = omnibus
    sound = [one for one in book.holdings.values() if one.defect is None and not one.buffer]
    count = min(MOST_OMNIBUS_BLOCKS, len(sound) // 2)
    for place in range(count):
        block = sound[len(sound) * place // count]
        before, block.account = block.account, omnibus
        at = (now - timedelta(days=count - place)).replace(microsecond=0)
        change = Change(
            book.new_sequence(),
            ChangeKind.TRANSFERRED,
            at,
            replace(block),
            before,
            omnibus,
            reference=f"IN-{place + 1}",
        )
        book.changes.append(change)


def plant_each(book: Book) -> None:
    """Plants one defect of each kind, on rows that are far from the first ones, where the book has such rows."""
    candidates = {
        Defect.UNKNOWN_STATE: list(book.holdings),
        Defect.UNREADABLE_SERIAL: list(book.retirements),
        Defect.QUANTITY_MISMATCH: list(book.holdings),
        Defect.UNKNOWN_PROJECT_STATUS: [project.entity_id for project in book.projects.values()],
        Defect.MISSING_SERIAL: list(book.retirements),
    }
    used = set[int]()
    for place, (defect, ids) in enumerate(candidates.items(), start=2):
        free = [entity_id for entity_id in ids if entity_id not in used]
        if free:
            chosen = free[len(free) * place // (len(candidates) + 2)]
            used.add(chosen)
            book.plant(defect, chosen)


@dataclass(frozen=True, slots=True)
class _Issue:
    """What is drawn for a batch before it has numbers."""

    project: Project
    issued: date
    vintage: tuple[date, date]
    former: bool


class _Builder:
    def __init__(self, book: Book, chance: random.Random, now: datetime) -> None:
        self.book = book
        self._chance = chance
        self._now = now
        self._indexed = now - timedelta(days=3)
        self._firms = [book.account(invented_firm(chance)) for _ in range(60)]

    def make_projects(self, count: int, batches: int) -> list[Project]:
        chance = self._chance
        numbers = sorted(chance.sample(range(1, count + count // 5 + 10), count))
        issuing = set(chance.sample(numbers, max(1, min(count * 11 // 20, batches))))
        usual, with_units = [one.weight for one in STATUSES], [one.issues for one in STATUSES]
        for number in numbers:
            weights = with_units if number in issuing else usual
            status = chance.choices(STATUSES, weights)[0].word
            self.book.projects[number] = self._project(number, status)
        return [self.book.projects[number] for number in sorted(issuing)]

    def _project(self, number: int, status: str) -> Project:
        chance = self._chance
        scope = chance.choices(SCOPES, SCOPE_WEIGHTS)[0]
        second = () if chance.randrange(10) else (chance.choice([one for one in SCOPES if one is not scope]),)
        several = chance.randrange(12) == 0
        start = date(2005 + chance.randrange(19), 1 + chance.randrange(12), 1)
        years = chance.choice((20, 30, 40)) if scope.number == LAND_USE else chance.choice((7, 10, 21))
        registered = status in {"Registered", "Late to Verify", "Inactive", "Verification approval requested"}
        entity_id, modified, updated, nanoseconds = self._stamp(start + timedelta(days=200))
        return Project(
            entity_id=entity_id,
            modified=modified,
            updated=updated,
            nanoseconds=nanoseconds,
            number=number,
            name=invented_project(chance, scope),
            proponent=chance.choice(self._firms),
            status=status,
            country=chance.choices(COUNTRIES, COUNTRY_WEIGHTS)[0],
            province=invented_word(chance),
            scopes=(scope, *second),
            methodologies=tuple(chance.sample(scope.methodologies, 2 if several else 1)),
            activities=chance.choice(LAND_USE_ACTIVITIES) if scope.number == LAND_USE else None,
            annual=chance.randrange(1_000, 900_000),
            body_code=1 + chance.randrange(1_500),
            goals=chance.choice(GOALS) if chance.randrange(5) == 0 else None,
            submitted=start + timedelta(days=30),
            credit_start=start,
            credit_end=_years_later(start, years) - timedelta(days=1),
            registered=start + timedelta(days=180) if registered else None,
            has_region=chance.randrange(20) != 0,
        )

    def make_batches(self, issuing: list[Project], count: int) -> None:
        """Makes the batches in the order of their numbers, which is the order of their dates in either epoch."""
        chance = self._chance
        former = count // _FORMER_SHARE
        numbers = sorted(chance.sample(range(_FIRST_FORMER_BATCH, LAST_FORMER_BATCH + 1), former))
        numbers += range(FIRST_PRESENT_BATCH, FIRST_PRESENT_BATCH + count - former)
        yesterday = self._now.date() - timedelta(days=1)
        days = _spread(*_FORMER_YEARS, former) + _spread(min(_PRESENT_START, yesterday), yesterday, count - former)
        last = 0
        for place, (number, day) in enumerate(zip(numbers, days, strict=True)):
            # The count starts again with the present epoch: numbers of the two are not comparable.
            last = 0 if place == former else last
            issue = _Issue(chance.choice(issuing), day, self._vintage(day), place < former)
            first = last + 1 + (chance.randrange(2_000) if issue.former else 0)
            last = first + self._quantity() - 1
            self._make_batch(issue, number, (first, last))

    def _make_batch(self, issue: _Issue, number: int, units: tuple[int, int]) -> None:
        chance, project = self._chance, issue.project
        origin = chance.choices(_ORIGINS, _ORIGIN_WEIGHTS)[0] if issue.former else "VER"
        # Facts of the real book: the country is frozen at issuance and sometimes wrong, newer serials may lack the
        # scope, and one old serial has an underscore between its vintage dates.
        letters = "CH" if chance.randrange(150) == 0 else project.country.letters
        scoped = issue.former or (self._now.date() - issue.issued).days > 300 or chance.randrange(2) == 0
        separator = "_" if issue.former and chance.randrange(200) == 0 else "-"
        issued = datetime.combine(issue.issued, time(chance.randrange(24), chance.randrange(60)), UTC)
        entity_id, modified, updated, nanoseconds = self._stamp(issue.issued)
        batch = Batch(
            entity_id=entity_id,
            modified=modified,
            updated=updated,
            nanoseconds=nanoseconds,
            number=number,
            first=units[0],
            last=units[1],
            project=project,
            vintage_start=issue.vintage[0],
            vintage_end=issue.vintage[1],
            issued=issued,
            account=project.proponent,
            serial_middle=serial_middle(
                FORMER_EPOCH if issue.former else PRESENT_EPOCH, project, origin, letters, scoped=scoped
            ),
            serial_end=serial_end(issue.vintage, separator),
            labels=chance.choice(LABEL_SETS) if chance.randrange(6) == 0 else (),
        )
        self.book.batches[entity_id] = batch
        project.credit_start = min(project.credit_start, issue.vintage[0])
        project.credit_end = max(project.credit_end, issue.vintage[1])
        self._cut(batch)

    def _cut(self, batch: Batch) -> None:
        """Divides a batch into blocks without a gap."""
        chance = self._chance
        pieces = min(1 + chance.randrange(MOST_BLOCKS_OF_A_BATCH), batch.quantity)
        starts = sorted(chance.sample(range(batch.first + 1, batch.last + 1), pieces - 1))
        for start, following in pairwise([batch.first, *starts, batch.last + 1]):
            self.book.put(self._block(batch, start, following - 1, chance.choices(_KINDS, _KIND_WEIGHTS)[0]))

    def _block(self, batch: Batch, first: int, last: int, kind: BlockKind) -> Block:
        chance = self._chance
        held = kind is BlockKind.HOLDING
        acted = None if held else self._after(batch.issued, midnight=kind is BlockKind.CANCELLATION)
        # A label can be lost, and the flag in the serial stays.
        flagged = bool(batch.labels)
        labels = () if chance.randrange(40) == 0 else batch.labels
        entity_id, modified, updated, nanoseconds = self._stamp((acted or batch.issued).date())
        told = kind is BlockKind.RETIREMENT and chance.randrange(3) == 0
        return Block(
            entity_id=entity_id,
            modified=modified,
            updated=updated,
            nanoseconds=nanoseconds,
            batch=batch,
            first=first,
            last=last,
            kind=kind,
            account=self._holder(batch),
            labels=labels,
            flagged=flagged,
            buffer=held and batch.project.scopes[0].number == LAND_USE and chance.randrange(12) == 0,
            acted=acted,
            beneficiary=invented_beneficiary(chance) if told else None,
            reason=chance.choice(REASONS) if told else None,
            details="Retired for the emissions of one year" if told and chance.randrange(4) == 0 else None,
        )

    def _holder(self, batch: Batch) -> Account:
        return self._chance.choice(self._firms) if self._chance.randrange(2) else batch.account

    def _after(self, issued: datetime, *, midnight: bool) -> datetime:
        span = max(1, (self._now - issued) // timedelta(seconds=1))
        acted = issued + timedelta(seconds=self._chance.randrange(span))
        return acted.replace(hour=0, minute=0, second=0) if midnight else acted

    def _vintage(self, issued: date) -> tuple[date, date]:
        chance = self._chance
        kind = chance.randrange(100)
        year = issued.year - 1 - chance.randrange(4)
        if kind < 72:
            return date(year, 1, 1), date(year, 12, 31)
        if kind < 86:
            return date(year, 1 + chance.randrange(6), 3), date(year, 12, 31)
        start = date(year - (3 if kind < 94 else 1), 7, 15)
        return start, date(year, 7, 14)

    def _quantity(self) -> int:
        size: int = 10 ** self._chance.choice((2, 3, 3, 4, 4, 4, 5))
        return size + self._chance.randrange(9 * size)

    def _stamp(self, day: date) -> tuple[int, datetime, datetime, int]:
        """An entity id, and when the record was modified and indexed."""
        chance = self._chance
        modified = datetime.combine(day, time(chance.randrange(24), chance.randrange(60), chance.randrange(60)), UTC)
        if chance.randrange(2):
            modified = modified.replace(microsecond=1_000 * chance.randrange(1_000))
        entity_id = self.book.new_entity()
        indexed = self._indexed + timedelta(seconds=(entity_id - FIRST_ENTITY) // 8)
        # The clock's own fraction would give every row the same one.
        whole = min(indexed, self._now).replace(microsecond=0)
        return entity_id, min(modified, self._now), whole, chance.randrange(_NANOSECONDS)


def _spread(start: date, end: date, count: int) -> list[date]:
    """Days from start to end, evenly and in order."""
    span = (end - start).days
    return [start + timedelta(days=span * place // max(1, count)) for place in range(count)]


def _years_later(day: date, years: int) -> date:
    return day.replace(year=day.year + years)
