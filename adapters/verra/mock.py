"""A stand-in of the Verra registry: its book behind the platform's public reports and behind our account.

``build(seed, clock)`` gives one. What it holds is in ``VerraMock.book``, and a test or a demonstration changes it
there; what is wrong in it on purpose is listed in ``VerraMock.book.planted``, each with its reason. What account
holders ask of the registry goes through ``VerraMock.desk``; that side's shape is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from adapters._platts.mock import WINDOW, Feed, PlattsMock, Standard
from adapters._platts.mock_rows import Value
from adapters.verra.book import Book
from adapters.verra.book_build import build_book
from adapters.verra.book_entries import OMNIBUS_NUMBER, Batch, Block, Entry, Project
from adapters.verra.book_operations import Desk
from adapters.verra.book_rows import (
    CANCELLATION_FORM,
    HOLDING_FORM,
    ISSUANCE_FORM,
    PROJECT_FORM,
    RETIREMENT_FORM,
    STANDARD_ID,
    STANDARD_NAME,
    cancellation_row,
    holding_row,
    issuance_row,
    project_row,
    retirement_row,
)
from adapters.verra.config import ACCOUNTS_PATH, VerraConfig
from adapters.verra.mock_accounts import AccountsMock
from gateway.kit.clock import Clock

REGISTRY: Final = "VERRA"
STANDARDS: Final = (
    Standard(str(STANDARD_ID), STANDARD_NAME, "VCS"),
    Standard("150000000000002", "Jurisdictional and Nested REDD+ Framework", "JNR"),
)


class VerraMock:
    """The registry, answering over the platform's protocol.

    Args:
        book: what the registry holds.
        clock: the registry's time.
        seed: decides the order of rows where the platform promises none.
        window: how far the platform pages; the real one is 10,000 rows.
    """

    def __init__(self, book: Book, clock: Clock, *, seed: int, window: int = WINDOW) -> None:
        self.book = book
        self.desk = Desk(book, clock, mute={OMNIBUS_NUMBER})
        config = VerraConfig()
        self.accounts = AccountsMock(
            self.desk, str(OMNIBUS_NUMBER), config.client_id, config.client_secret.get_secret_value()
        )
        self._platform = PlattsMock(
            registry=REGISTRY, standards=STANDARDS, feeds=feeds(book), clock=clock, seed=seed, window=window
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the registry would."""
        if request.url.path.startswith(f"{ACCOUNTS_PATH}/"):
            return self.accounts.handle(request)
        self.desk.settle()
        return self._platform.handle(request)


def build(
    seed: int,
    clock: Clock,
    *,
    projects: int = 300,
    blocks: int = 4_000,
    defective: bool = True,
    window: int = WINDOW,
) -> VerraMock:
    """A registry made from a seed.

    Args:
        seed: decides everything.
        clock: the registry's time; nothing in the book is later than its present.
        projects: how many projects.
        blocks: about how many blocks, over holdings, retirements and cancellations.
        defective: whether the book contains one wrong row of each kind.
        window: how far the platform pages.

    Raises ValueError for sizes that ``build_book`` refuses.
    """
    book = build_book(seed, clock, projects=projects, blocks=blocks, defective=defective)
    return VerraMock(book, clock, seed=seed, window=window)


def feeds(book: Book) -> tuple[Feed[Any], ...]:
    """The five public reports over a book, with the filters and sorts that are understood."""
    projects = Feed(
        "project",
        book.projects.values,
        PROJECT_FORM,
        project_row,
        filters={
            "countryName": lambda project: project.country.name,
            "regionName": _region_name,
            "status": _project_status,
            "publicStateNameEn": _project_status,
            "projectId": lambda project: project.number,
            "vcsProjectId": lambda project: project.number,
        },
        sorts={
            "projectName.keyword": lambda project: project.name,
            "projectId": lambda project: project.number,
            "modifiedDate": _modified,
        },
    )
    issuances = Feed(
        "issuances",
        book.batches.values,
        ISSUANCE_FORM,
        issuance_row,
        filters=_unit_filters(lambda batch: batch),
        sorts={"issueDate": lambda batch: batch.issued.isoformat(), **_UNIT_SORTS},
    )
    by_batch = _unit_filters(lambda block: block.batch)
    holdings = Feed(
        "holdings",
        book.holdings.values,
        HOLDING_FORM,
        holding_row,
        filters={"status": lambda block: block.shown_state[0], "isBuffer": lambda block: block.buffer, **by_batch},
        sorts={"issueDate": lambda block: block.batch.issued.isoformat(), **_UNIT_SORTS},
    )
    retirements = Feed(
        "retirements",
        book.retirements.values,
        RETIREMENT_FORM,
        retirement_row,
        filters=by_batch,
        sorts={"retiredDate": _acted, **_UNIT_SORTS},
    )
    cancellations = Feed(
        "cancellations",
        book.cancellations.values,
        CANCELLATION_FORM,
        cancellation_row,
        filters=by_batch,
        sorts={"cancellation_date": _acted, **_UNIT_SORTS},
    )
    return projects, issuances, holdings, retirements, cancellations


def _unit_filters(batch_of: Callable[[Any], Batch]) -> dict[str, Callable[[Any], Value]]:
    return {
        "countryName": lambda record: batch_of(record).project.country.name,
        "regionName": lambda record: _region_name(batch_of(record).project),
        "vintage": lambda record: batch_of(record).vintage,
        "projectId": lambda record: batch_of(record).project.number,
        "vcsProjectId": lambda record: batch_of(record).project.number,
    }


def _region_name(project: Project) -> str | None:
    return project.country.region.name if project.has_region else None


def _project_status(project: Project) -> str:
    return project.shown_status[0]


def _modified(entry: Entry) -> str:
    return entry.modified.isoformat()


def _acted(block: Block) -> str | None:
    return None if block.acted is None else block.acted.isoformat()


_UNIT_SORTS: Final[Mapping[str, Callable[[Any], str | int | None]]] = {
    "modifiedDate": _modified,
    "holdingQuantity": lambda record: record.stated_quantity,
}
