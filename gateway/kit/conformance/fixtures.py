"""Recorded exchanges and the rows they became: written once from the stand-in, compared ever after.

A fixture is the first two pages of one feed, small ones: each request as it left, less its headers, and each answer.
Beside it lies its golden file: the records, the defects and the drift that the mapping made of them. What differs
between two recordings of the same thing (a nonce, a signature) is not compared. Nothing is ever overwritten: to record
a feed again a person deletes its two files, and the difference is seen in the review.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.kit.conformance.check import Failed
from gateway.kit.conformance.line import Exchange
from gateway.kit.conformance.reading import Stream, mapped, streams
from gateway.kit.conformance.sources import FIXTURES
from gateway.kit.conformance.subject import Subject
from gateway.kit.contract import Page
from gateway.kit.manifest import Manifest
from gateway.kit.mapping.engine import ROW
from gateway.model.errors import ConfigurationError

PAGES: Final = 2
GOLDEN: Final = ".golden"
UNKEPT_HEADERS: Final = frozenset({"content-length", "content-encoding", "date", "server", "transfer-encoding"})
"""Headers of an answer that say nothing of it."""

TEXT_LIMIT: Final = 16 * 1024
"""Bytes of a body that is kept as text."""

HIDDEN: Final = "***"


class Strange(Exception):
    """An adapter asked something else than was recorded."""


@dataclass
class Replay(httpx.AsyncBaseTransport):
    """Answers with what was recorded, in that order; raises Strange for any other request.

    Attributes:
        recorded: the exchanges of a fixture.
        place: how many of them were used.
    """

    recorded: Sequence[dict[str, Any]]
    place: int = field(default=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The next recorded answer."""
        await request.aread()
        if self.place >= len(self.recorded):
            raise Strange(f"{request.method} {request.url.path} is one request more than was recorded")
        one = self.recorded[self.place]
        self.place += 1
        asked = _request(request, ())
        for name, expected in one["request"].items():
            if expected != asked[name] and expected != HIDDEN:
                raise Strange(
                    f"request {self.place}: its {name} is {asked[name]!r:.200}, recorded was {expected!r:.200}"
                )
        answer = one["response"]
        content = zlib.decompress(base64.b64decode(answer["zlib"])) if "zlib" in answer else answer["body"].encode()
        return httpx.Response(answer["status"], headers=answer["headers"], content=content)


async def record(subject: Subject | Manifest) -> tuple[Path, ...]:
    """Writes the fixtures of every feed that has none and returns their paths; none is ever overwritten.

    Raises ConfigurationError when one of its files was written meanwhile, or is there without the other.
    """
    subject = Subject.of(subject) if isinstance(subject, Manifest) else subject
    folder = subject.folder / FIXTURES
    written: list[Path] = []
    async with subject.trial().adapter() as adapter:
        found = streams(adapter, subject.manifest.capabilities())
    for stream in found:
        if (folder / f"{stream.file}.json").exists():
            continue
        exchanges, pages = await _recorded(subject, stream)
        again, _ = await _recorded(subject, stream)
        steady = [_without_volatile(one, other) for one, other in zip(exchanges, again, strict=True)]
        folder.mkdir(exist_ok=True)
        document = {"capability": stream.capability, "feed": stream.feed.name, "pages": len(pages)}
        written.append(_write_once(folder / f"{stream.file}.json", {**document, "exchanges": steady}))
        written.append(_write_once(folder / f"{stream.file}{GOLDEN}.json", golden(subject, stream, pages)))
    return tuple(written)


def read(path: Path) -> dict[str, Any]:
    """A fixture or a golden file. Raises Failed when it is none."""
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Failed(f"{path.name}: {error}") from error
    return document


def golden(subject: Subject, stream: Stream, pages: Sequence[Page]) -> dict[str, Any]:
    """What the mapping made of each page."""
    return {"pages": [_golden_page(subject, stream, page) for page in pages]}


async def first_pages(stream: Stream, adapter: Any, since: Any) -> list[Page]:
    """The pages that a fixture has."""
    pages = [await stream.page(adapter, since, None)]
    while len(pages) < PAGES and pages[-1].next_cursor is not None:
        pages.append(await stream.page(adapter, since, pages[-1].next_cursor))
    return pages


def _golden_page(subject: Subject, stream: Stream, page: Page) -> dict[str, Any]:
    made = mapped(subject, stream, page.rows)
    whole = {
        # Without what is empty: a field that the model gains later changes no golden file.
        "records": [
            {name: value for name, value in row.items() if value is not None} for row in made.rows.drop(ROW).to_dicts()
        ],
        "defects": made.defects.to_dicts(),
        "unknown": made.unknown,
        "missing": made.missing,
        "rejected": [one.reason for one in page.rejected],
        "last": page.next_cursor is None,
    }
    plain: dict[str, Any] = json.loads(json.dumps(whole, default=str))
    return plain


async def _recorded(subject: Subject, stream: Stream) -> tuple[list[dict[str, Any]], list[Page]]:
    trial = subject.trial()
    async with trial.adapter(small=True) as adapter:
        pages = await first_pages(stream, adapter, trial.rehearsal.since)
    return [_exchange(one, trial.rehearsal.secrets) for one in trial.line.exchanges], pages


def _exchange(one: Exchange, secrets: tuple[str, ...]) -> dict[str, Any]:
    assert one.response is not None
    headers = [pair for pair in one.response.headers.multi_items() if pair[0].lower() not in UNKEPT_HEADERS]
    answer = {
        "status": one.response.status_code,
        "headers": [[name, _silenced(value, secrets)] for name, value in headers],
        **{kind: _silenced(text, secrets) for kind, text in _body(one.response.content).items()},
    }
    return {"request": _request(one.request, secrets), "response": answer}


def _request(request: httpx.Request, secrets: tuple[str, ...]) -> dict[str, Any]:
    (content,) = _body(request.content).values()
    asked = {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query.decode(),
        "content": content,
    }
    return {name: HIDDEN if any(secret in value for secret in secrets) else value for name, value in asked.items()}


def _body(content: bytes) -> dict[str, str]:
    """A body as text where it is one that a person would read; else compressed, in base64."""
    if len(content) <= TEXT_LIMIT:
        with suppress(UnicodeDecodeError):
            return {"body": content.decode("utf-8")}
    return {"zlib": base64.b64encode(zlib.compress(content, 9)).decode("ascii")}


def _silenced(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _without_volatile(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    asked = {name: value if other["request"][name] == value else HIDDEN for name, value in one["request"].items()}
    return {"request": asked, "response": one["response"]}


def _write_once(path: Path, document: dict[str, Any]) -> Path:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    except FileExistsError as error:
        raise ConfigurationError(f"{path} is there already, and is never overwritten") from error
    return path
