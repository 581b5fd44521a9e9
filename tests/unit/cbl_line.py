"""The CBL stand-in on a line, for its tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from adapters.cbl.adapter import CblAdapter
from adapters.cbl.config import CblConfig
from adapters.cbl.mock import CREDENTIALS, ROOT, CblMock
from adapters.cbl.rehearsal import rehearse
from gateway.kit.clock import Clock
from gateway.kit.mock import Mock, MockClock, in_process
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.kit.transport import Transport

ACCOUNT = "5C0D11A7"


def rehearsal() -> tuple[Rehearsal, MockClock]:
    clock = MockClock(STARTS_AT)
    return rehearse(3, clock), clock


def mock_of(plan: Rehearsal) -> CblMock:
    assert isinstance(plan.mock, CblMock)
    return plan.mock


@asynccontextmanager
async def adapter_of(mounted: Mock, clock: Clock, **settings: Any) -> AsyncIterator[CblAdapter]:
    async with Transport("cbl", httpx.AsyncClient(transport=in_process(mounted))) as transport:
        yield CblAdapter(CblConfig(**settings), transport, clock)


class Caller:
    """Asks the stand-in directly, with a token of its own."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        reply = self.raw("POST", "/oauth/token", json.dumps(dict(CREDENTIALS)).encode(), headers={})
        self.token = json.loads(reply.content)["access_token"]

    def raw(
        self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.token}"} if headers is None else headers
        return self._mock.handle(httpx.Request(method, f"https://cbl.example{path}", headers=sent, content=content))

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.raw("POST", f"{ROOT}{path}", b"" if body is None else json.dumps(body).encode())

    def get(self, path: str) -> httpx.Response:
        return self.raw("GET", f"{ROOT}{path}")


def told(response: httpx.Response) -> Any:
    """A body, its decimals as text."""
    return json.loads(response.content, parse_float=str)


def codes(response: httpx.Response) -> tuple[int, str, list[str]]:
    """A refusal's status, outer code, and inner codes in order."""
    body = told(response)
    inner = [*body.get("errors", []), *body.get("attributeErrors", [])]
    inner += [one for item in body.get("retirementErrors", []) for one in item]
    return response.status_code, body["code"], [one["code"] for one in inner]
