"""The line to a market: each row of its table of errors, what is tried again and when, and its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace

import httpx
import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kit import transport as module
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, NotSent, RateLimited, Unavailable
from gateway.kit.transport import ATTEMPTS, EXCERPT, TIMEOUT, WAIT_INITIAL, WAIT_MAX, Pacer, RateLimit, Transport

URL = "https://market.test/units"
Step = httpx.Response | Exception


class Market:
    """Answers with one step after another, the last one again and again."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        step = self.steps[min(len(self.asked), len(self.steps) - 1)]
        self.asked.append(request)
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)


def line_to(market: Callable[[httpx.Request], httpx.Response], pacers: dict[str, Pacer] | None = None) -> Transport:
    return Transport("verra", httpx.AsyncClient(transport=httpx.MockTransport(market)), pacers)


@pytest.fixture
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wait would have been; nobody waits."""
    real, found = asyncio.sleep, []

    async def noted(seconds: float) -> None:
        found.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    return found


TRIED_AGAIN: list[tuple[Step, type[AdapterError]]] = [
    (httpx.ConnectError("refused"), NotSent),
    (httpx.ConnectTimeout("slow"), NotSent),
    (httpx.PoolTimeout("busy"), NotSent),
    (httpx.ReadTimeout("slow"), Unavailable),
    (httpx.WriteTimeout("slow"), Unavailable),
    (httpx.ReadError("reset"), Unavailable),
    (httpx.RemoteProtocolError("hung up"), Unavailable),
    (httpx.Response(500), Unavailable),
    (httpx.Response(502, text="<html>"), Unavailable),
    (httpx.Response(599), Unavailable),
    (httpx.Response(408), Unavailable),
    (httpx.Response(425), Unavailable),
    (httpx.Response(429), RateLimited),
]
FINAL: list[tuple[Step, type[AdapterError]]] = [
    (httpx.Response(401), AccessDenied),
    (httpx.Response(403), AccessDenied),
    (httpx.Response(301, headers={"location": "https://elsewhere.test/"}), ContractBreach),
    (httpx.Response(304), ContractBreach),
    (httpx.Response(400), ContractBreach),
    (httpx.Response(404), ContractBreach),
    (httpx.Response(409), ContractBreach),
    (httpx.Response(422), ContractBreach),
]


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(("step", "error"), TRIED_AGAIN, ids=lambda value: repr(value)[:40])
async def test_what_may_pass_is_tried_as_often_as_is_allowed_and_then_said(
    step: Step, error: type[AdapterError]
) -> None:
    market = Market(step)
    with pytest.raises(error) as caught:
        await line_to(market).read("GET", URL, operation="count units")
    assert type(caught.value) is error
    assert len(market.asked) == ATTEMPTS
    assert (caught.value.market, caught.value.operation) == ("verra", "count units")
    assert caught.value.code == (str(step.status_code) if isinstance(step, httpx.Response) else None)


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(("step", "error"), TRIED_AGAIN, ids=lambda value: repr(value)[:40])
async def test_what_passes_leaves_no_trace(step: Step, error: type[AdapterError]) -> None:
    market = Market(step, step, httpx.Response(200, headers={"etag": "7"}, content=b"units"))
    response = await line_to(market).read("POST", URL, operation="count units", headers={"a": "b"}, content=b"body")
    assert (response.status, response.headers["etag"], response.body) == (200, "7", b"units")
    assert [(one.method, one.content, one.headers["a"]) for one in market.asked] == [("POST", b"body", "b")] * 3


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(("step", "error"), FINAL, ids=lambda value: repr(value)[:40])
async def test_what_will_not_pass_is_said_at_once(step: Step, error: type[AdapterError]) -> None:
    market = Market(step)
    with pytest.raises(error) as caught:
        await line_to(market).read("GET", URL, operation="count units")
    assert type(caught.value) is error
    assert len(market.asked) == 1


async def test_an_error_quotes_the_beginning_of_what_the_market_said() -> None:
    body = "<h1>no such page</h1>" + "x" * 10_000
    with pytest.raises(
        ContractBreach, match=r"verra, count units: status 404: '<h1>no such page</h1>x+' \[404\]"
    ) as at:
        await line_to(Market(httpx.Response(404, text=body))).read("GET", URL, operation="count units")
    assert len(str(at.value)) < EXCERPT + 100


async def test_every_request_has_its_time_limits() -> None:
    market = Market(httpx.Response(200))
    await line_to(market).read("GET", URL, operation="count units")
    assert market.asked[0].extensions["timeout"] == TIMEOUT.as_dict()
    assert all(market.asked[0].extensions["timeout"].values())


async def test_waits_grow_have_a_limit_and_are_never_none(waits: list[float]) -> None:
    with pytest.raises(Unavailable):
        await line_to(Market(httpx.Response(503))).read("GET", URL, operation="count units")
    assert len(waits) == ATTEMPTS - 1
    for turn, wait in enumerate(waits):
        assert WAIT_INITIAL.total_seconds() * 2**turn <= wait <= WAIT_MAX.total_seconds()


@pytest.mark.parametrize(("header", "waited"), [("0", 1.0), ("1", 1.0), ("7", 7.0), ("60", 60.0)])
async def test_a_market_s_retry_after_is_honoured_above_a_floor(waits: list[float], header: str, waited: float) -> None:
    market = Market(httpx.Response(429, headers={"retry-after": header}), httpx.Response(200))
    await line_to(market).read("GET", URL, operation="count units")
    assert waits == [waited]


@pytest.mark.parametrize("header", ["61", "3600", "999999999999999999999"])
async def test_nobody_waits_for_an_hour_the_caller_is_told_instead(waits: list[float], header: str) -> None:
    market = Market(httpx.Response(429, headers={"retry-after": header}))
    with pytest.raises(RateLimited) as caught:
        await line_to(market).read("GET", URL, operation="count units")
    assert (len(market.asked), waits) == (1, [])
    assert caught.value.retry_after == int(header[:9])


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1.5", "soon", "", "²"])
async def test_a_retry_after_that_names_no_seconds_is_as_none(waits: list[float], header: str) -> None:
    headers = [(b"retry-after", header.encode())]
    market = Market(httpx.Response(429, headers=headers), httpx.Response(200))
    await line_to(market).read("GET", URL, operation="count units")
    assert len(waits) == 1
    assert waits[0] <= WAIT_MAX.total_seconds()


class Parts(httpx.AsyncByteStream):
    """A body in parts, of which it knows how many were taken."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part


async def test_a_body_is_read_to_its_limit_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_LIMIT", 10)
    within = Parts(b"12345", b"67890")
    response = await line_to(lambda _: httpx.Response(200, stream=within)).read("GET", URL, operation="count units")
    assert response.body == b"1234567890"
    beyond = Parts(b"12345", b"678901", b"2", b"3")
    with pytest.raises(ContractBreach, match="a body of more than 10 bytes"):
        await line_to(lambda _: httpx.Response(200, stream=beyond)).read("GET", URL, operation="count units")
    assert beyond.taken == 2


async def test_a_body_in_a_wrong_encoding_is_a_breach() -> None:
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Parts(b"no gzip at all"))
    with pytest.raises(ContractBreach, match="unreadable encoding"):
        await line_to(lambda _: answer).read("GET", URL, operation="count units")


async def test_json_comes_with_its_raw_body_and_its_numbers_as_text() -> None:
    market = Market(httpx.Response(200, content=b'{"sum": 920282487.0}'))
    value, body = await line_to(market).read_json("GET", URL, operation="sum")
    assert (value, body) == ({"sum": "920282487.0"}, b'{"sum": 920282487.0}')


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("body", [b"<!doctype html><html>", b"", b'{"sum": 1', b'{"sum": NaN}'])
async def test_a_successful_answer_that_is_no_json_is_a_breach_and_not_asked_for_again(body: bytes) -> None:
    market = Market(httpx.Response(200, content=body))
    with pytest.raises(ContractBreach, match=r"verra, sum: found .*(expected|which is no JSON)"):
        await line_to(market).read_json("GET", URL, operation="sum")
    assert len(market.asked) == 1


async def test_a_cancelled_read_stays_cancelled() -> None:
    asked = asyncio.Queue[httpx.Request]()

    async def hang(request: httpx.Request) -> httpx.Response:
        asked.put_nowait(request)
        await asyncio.Event().wait()
        raise AssertionError

    transport = Transport("verra", httpx.AsyncClient(transport=httpx.MockTransport(hang)))
    task = asyncio.create_task(transport.read("GET", URL, operation="count units"))
    await asked.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked.empty()


async def test_leaving_it_closes_every_connection() -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(Market(httpx.Response(200))))
    async with Transport("verra", client) as transport:
        await transport.read("GET", URL, operation="count units")
        assert not client.is_closed
    assert client.is_closed


class Time:
    """An event loop's clock that only moves when somebody sleeps or a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def mount(self, patch: pytest.MonkeyPatch) -> None:
        loop = SimpleNamespace(time=lambda: self.now)
        stand_in = SimpleNamespace(sleep=self.sleep, get_running_loop=lambda: loop, Lock=asyncio.Lock)
        patch.setattr(module, "asyncio", stand_in)


@settings(max_examples=60, deadline=None)
@given(
    requests=st.integers(1, 30),
    seconds=st.integers(1, 90),
    pauses=st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 200.0]), min_size=2, max_size=60),
)
def test_no_window_of_a_limit_is_ever_exceeded(requests: int, seconds: int, pauses: list[float]) -> None:
    async def leave() -> list[float]:
        pacer, left = Pacer(RateLimit("platts", requests, seconds)), []
        for pause in pauses:
            time.now += pause
            await pacer.turn()
            left.append(time.now)
        return left

    time = Time()
    with pytest.MonkeyPatch.context() as patch:
        time.mount(patch)
        left = asyncio.run(leave())
    for place, end in enumerate(left[requests:]):
        assert end - left[place] >= seconds - 1e-6


async def test_many_at_once_leave_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    time.mount(monkeypatch)
    pacer, left = Pacer(RateLimit("platts", 20, 1)), []

    async def ask() -> None:
        await pacer.turn()
        left.append(round(time.now - 100, 6))

    await asyncio.gather(*(ask() for _ in range(41)))
    assert left == [round(place / 20, 6) for place in range(41)]


async def test_everything_of_one_scope_shares_its_limit_also_what_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = Time()
    time.mount(monkeypatch)
    pacers = {"platts": Pacer(RateLimit("platts", 1, 10))}
    verra, plan_vivo = (
        line_to(Market(httpx.Response(502), httpx.Response(200)), pacers) for _ in ("verra", "planvivo")
    )
    with stamina.set_testing(True, attempts=2):
        await verra.read("GET", URL, operation="count units", scope="platts")
        assert time.now == 110
        await plan_vivo.read("GET", URL, operation="count units", scope="platts")
        assert time.now == 130
        await plan_vivo.read("GET", URL, operation="count units")
        await plan_vivo.read("GET", URL, operation="count units", scope="unmetered")
        assert time.now == 130
