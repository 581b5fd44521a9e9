"""The two mounts of a mock, its clock, and the faults composed around it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kit.faults import LATE_LIMIT, Drift, Fault, FaultPlan, FaultyMock, drifted, with_faults
from gateway.kit.mock import BODY_LIMIT, DELAY, MockClock, in_process, serve
from gateway.model.errors import ConfigurationError

COMMAND = "http://market.test/orders?side=sell&q=%E6%B5%B7"


class Counter:
    """A market that counts what it was told, in the order it was told."""

    def __init__(self, *, delay: timedelta | None = None) -> None:
        self.seen: list[httpx.Request] = []
        self.delay = delay

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        extensions = {} if self.delay is None else {DELAY: self.delay}
        body = {"count": len(self.seen), "rows": [{"serialNo": "1-2", "note": 'a "serialNo": in a text'}]}
        headers = [
            ("content-type", "application/json"),
            ("x-total-count", "7"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]
        return httpx.Response(200, headers=headers, content=json.dumps(body).encode(), extensions=extensions)

    @property
    def bodies(self) -> list[bytes]:
        return [request.content for request in self.seen]


def request(body: bytes = b"", *, read_seconds: float | None = 30) -> httpx.Request:
    return httpx.Request("POST", COMMAND, content=body, extensions={"timeout": {"read": read_seconds}})


class TestClock:
    def test_stands_still_until_it_is_moved_and_speaks_utc(self) -> None:
        clock = MockClock(datetime(2026, 8, 15, 17, 0, tzinfo=timezone(timedelta(hours=8))))
        assert clock() == clock() == datetime(2026, 8, 15, 9, 0, tzinfo=UTC)
        assert clock().utcoffset() == timedelta(0)
        clock.advance(timedelta(days=1))
        assert clock() == datetime(2026, 8, 16, 9, 0, tzinfo=UTC)
        clock.move_to(datetime(2026, 1, 1, tzinfo=UTC))
        assert clock().month == 1

    def test_refuses_a_naive_time_and_a_step_back(self) -> None:
        with pytest.raises(ValueError, match="naive"):
            MockClock(datetime(2026, 8, 15))  # noqa: DTZ001 - the naive time is what is tested
        with pytest.raises(ValueError, match="advances"):
            MockClock(datetime(2026, 8, 15, tzinfo=UTC)).advance(timedelta(seconds=-1))


@pytest.fixture(params=["in process", "served"])
async def mounted(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Counter, httpx.AsyncClient]]:
    market = Counter()
    if request.param == "in process":
        async with httpx.AsyncClient(transport=in_process(market), base_url="http://market.test") as client:
            yield market, client
    else:
        async with serve(market) as base_url, httpx.AsyncClient(base_url=base_url) as client:
            yield market, client


class TestMounts:
    async def test_hand_over_method_target_headers_and_body(self, mounted: tuple[Counter, httpx.AsyncClient]) -> None:
        market, client = mounted
        response = await client.put(
            "/orders/a%2Fb?side=sell&q=%E6%B5%B7", content="海".encode(), headers={"x-key": "one"}
        )
        [seen] = market.seen
        assert (seen.method, seen.url.raw_path) == ("PUT", b"/orders/a%2Fb?side=sell&q=%E6%B5%B7")
        assert seen.content.decode() == "海"
        assert seen.headers["x-key"] == "one"
        assert response.status_code == 200
        assert response.headers["x-total-count"] == "7"
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert response.headers.get_list("content-type") == ["application/json"]
        assert json.loads(response.content)["count"] == 1

    async def test_hand_over_a_streamed_body(self, mounted: tuple[Counter, httpx.AsyncClient]) -> None:
        market, client = mounted

        async def parts() -> AsyncIterator[bytes]:
            yield b"one "
            yield b"two"

        await client.post("/orders", content=parts())
        assert market.bodies == [b"one two"]

    async def test_keep_the_state_over_requests(self, mounted: tuple[Counter, httpx.AsyncClient]) -> None:
        _, client = mounted
        counts = [json.loads((await client.get("/")).content)["count"] for _ in range(3)]
        assert counts == [1, 2, 3]


class TestTime:
    async def test_a_delay_over_the_read_timeout_raises_after_the_effect(self) -> None:
        market = Counter(delay=timedelta(minutes=5))
        async with httpx.AsyncClient(transport=in_process(market), timeout=30) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(COMMAND)
        assert len(market.seen) == 1

    @pytest.mark.parametrize("seconds", [301, None])
    async def test_a_shorter_delay_passes_at_once(self, seconds: float | None) -> None:
        market = Counter(delay=timedelta(minutes=5))
        async with httpx.AsyncClient(transport=in_process(market), timeout=seconds) as client:
            assert (await client.post(COMMAND)).status_code == 200

    async def test_a_served_delay_is_waited_for(self) -> None:
        market = Counter(delay=timedelta(seconds=20))
        async with serve(market) as base_url, httpx.AsyncClient(base_url=base_url, timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/")
        assert len(market.seen) == 1


class TestServed:
    async def test_a_lost_reply_breaks_the_connection_after_the_effect(self) -> None:
        market = Counter()
        faulty = with_faults(market, FaultPlan(seed=1, script=(Fault.LOST_REPLY,)))
        async with serve(faulty) as base_url, httpx.AsyncClient(base_url=base_url) as client:
            with pytest.raises(httpx.TransportError) as caught:
                await client.get("/")
            assert not isinstance(caught.value, httpx.ConnectError)
            assert len(market.seen) == 1
            assert (await client.get("/")).status_code == 200

    async def test_a_late_request_leaves_the_caller_waiting(self) -> None:
        market = Counter()
        faulty = with_faults(market, FaultPlan(seed=1, script=(Fault.LATE,)))
        async with serve(faulty) as base_url, httpx.AsyncClient(base_url=base_url, timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/", content=b"late")
            await client.post("/", content=b"next")
        assert market.bodies == [b"next", b"late"]

    async def test_a_body_over_the_limit_is_refused_before_the_market_sees_it(self) -> None:
        market = Counter()
        async with serve(market) as base_url, httpx.AsyncClient(base_url=base_url) as client:
            response = await client.post("/", content=b"x" * (BODY_LIMIT + 1))
        assert response.status_code == 413
        assert market.seen == []

    async def test_a_proxy_request_is_refused(self) -> None:
        market = Counter()
        async with serve(market) as base_url:
            port = int(base_url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET http://elsewhere.test/ HTTP/1.1\r\nhost: elsewhere.test\r\nconnection: close\r\n\r\n")
            status = (await reader.readline()).split()[1]
            writer.close()
            await writer.wait_closed()
        assert (status, market.seen) == (b"400", [])

    async def test_the_port_is_free_again_afterwards(self) -> None:
        async with serve(Counter()) as base_url:
            port = int(base_url.rpartition(":")[2])
        async with serve(Counter(), port=port) as again:
            assert again == base_url


def play(plan: FaultPlan, count: int) -> tuple[Counter, FaultyMock, list[str]]:
    market = Counter()
    faulty = with_faults(market, plan)
    outcomes = []
    for number in range(count):
        try:
            response = faulty.handle(request(str(number).encode()))
            outcomes.append(f"{response.status_code}:{response.content.decode()}")
        except httpx.TransportError as error:
            outcomes.append(type(error).__name__)
    return market, faulty, outcomes


class TestFaults:
    def test_lost_reply_has_its_effect(self) -> None:
        market, faulty, outcomes = play(FaultPlan(seed=1, script=(Fault.LOST_REPLY,)), 1)
        assert (outcomes, len(market.seen)) == (["ReadError"], 1)
        assert [(one.fault, one.method, one.path) for one in faulty.injected] == [(Fault.LOST_REPLY, "POST", "/orders")]

    def test_delay_reaches_the_mount(self) -> None:
        market = Counter(delay=timedelta(seconds=5))
        faulty = with_faults(market, FaultPlan(seed=1, script=(Fault.DELAY,), delay=timedelta(seconds=10)))
        assert faulty.handle(request()).extensions[DELAY] == timedelta(seconds=15)

    def test_duplicate_is_handled_twice_and_answered_second(self) -> None:
        market, _, [outcome] = play(FaultPlan(seed=1, script=(Fault.DUPLICATE,)), 1)
        assert market.bodies == [b"0", b"0"]
        assert '"count": 2' in outcome

    def test_late_is_overtaken_by_the_next_request(self) -> None:
        market, _, outcomes = play(FaultPlan(seed=1, script=(Fault.LATE, Fault.LATE, None)), 4)
        assert outcomes[:2] == ["ReadTimeout", "ReadTimeout"]
        assert market.bodies == [b"2", b"0", b"1", b"3"]

    def test_what_is_late_can_be_pushed_and_never_piles_up(self) -> None:
        market, faulty, _ = play(FaultPlan(seed=1, rates={Fault.LATE: 1}), LATE_LIMIT + 3)
        assert market.bodies == [b"0", b"1", b"2"]
        assert faulty.deliver_late() == LATE_LIMIT
        assert len(market.bodies) == LATE_LIMIT + 3

    @pytest.mark.parametrize(
        ("fault", "status", "effects"),
        [(Fault.SERVER_ERROR, 502, 0), (Fault.SERVER_ERROR_AFTER_EFFECT, 502, 1), (Fault.RATE_LIMITED, 429, 0)],
    )
    def test_error_statuses(self, fault: Fault, status: int, effects: int) -> None:
        market = Counter()
        response = with_faults(market, FaultPlan(seed=1, script=(fault,), retry_after=3600)).handle(request())
        assert (response.status_code, len(market.seen)) == (status, effects)
        assert response.headers.get("retry-after") == ("3600" if status == 429 else None)

    def test_a_truncated_body_is_a_shorter_beginning_of_the_same(self) -> None:
        whole = Counter().handle(request()).content
        for seed in range(20):
            market = Counter()
            response = with_faults(market, FaultPlan(seed=seed, script=(Fault.TRUNCATED,))).handle(request())
            assert whole.startswith(response.content)
            assert len(response.content) < len(whole)
            assert response.headers["x-total-count"] == "7"
            assert int(response.headers["content-length"]) == len(response.content)
            assert len(market.seen) == 1

    def test_drift_of_a_chosen_key_renames_it_everywhere_and_in_no_text(self) -> None:
        plan = FaultPlan(seed=1, rates={Fault.DRIFT: 1}, drift=Drift({"serialNo": "serialNumber"}, {"era": "2"}))
        [_, outcome] = play(plan, 2)[2]
        document = json.loads(outcome.removeprefix("200:"))
        assert document == {
            "era": 2,
            "count": 2,
            "rows": [{"era": 2, "serialNumber": "1-2", "note": 'a "serialNo": in a text'}],
        }

    def test_drift_without_a_choice_renames_one_key(self) -> None:
        renamed = set()
        for seed in range(30):
            [outcome] = play(FaultPlan(seed=seed, script=(Fault.DRIFT,)), 1)[2]
            document = json.loads(outcome.removeprefix("200:"))
            keys = {*document, *(document.get("rows") or document["rowsV2"])[0]}
            [new] = [key for key in keys if key.endswith("V2")]
            renamed.add(new)
            assert len(keys) == 4
        assert len(renamed) > 1

    def test_drift_keeps_the_text_of_numbers(self) -> None:
        assert drifted(b'{"a":235604.0,"b":[{"a" : 1e2}],"c":{}}', Drift({"a": "z"}, {"n": "null"})) == (
            b'{"n":null,"z":235604.0,"b":[{"n":null,"z" : 1e2}],"c":{}}'
        )

    def test_drift_takes_no_text_for_an_object(self) -> None:
        document = b'{"k":"a{","l":["{",{"k":"b"}]}'
        changed = json.loads(drifted(document, Drift(added={"n": "1"})))
        assert changed == {"n": 1, "k": "a{", "l": ["{", {"n": 1, "k": "b"}]}

    @given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
    def test_drift_never_touches_a_value(self, value: object) -> None:
        document = json.dumps({"k": value, "l": [{"k": value}]}, ensure_ascii=False).encode()
        changed = json.loads(drifted(document, Drift({"k": "K"}, {"n": "1"})))
        assert changed == {"n": 1, "K": value, "l": [{"n": 1, "K": value}]}

    def test_the_same_seed_gives_the_same_faults_and_another_seed_others(self) -> None:
        rates = dict.fromkeys(Fault, 0.08)
        first, again, other = (play(FaultPlan(seed=seed, rates=rates), 300) for seed in (5, 5, 6))
        assert first[2] == again[2]
        assert first[0].bodies == again[0].bodies
        assert first[2] != other[2]
        assert {one.fault for one in first[1].injected} == set(Fault)

    def test_no_rate_is_no_fault_and_the_whole_rate_is_always_one(self) -> None:
        assert not play(FaultPlan(seed=3), 50)[1].injected
        assert len(play(FaultPlan(seed=3, rates={Fault.SERVER_ERROR: 1}), 50)[1].injected) == 50

    def test_spared_requests_pass_and_are_not_counted(self) -> None:
        market = Counter()
        plan = FaultPlan(seed=1, script=(Fault.SERVER_ERROR,), hits=lambda one: one.method == "POST")
        faulty = with_faults(market, plan)
        reading = httpx.Request("GET", COMMAND)
        statuses = [faulty.handle(one).status_code for one in (reading, reading, request(), request())]
        assert statuses == [200, 200, 502, 200]

    @pytest.mark.parametrize("rates", [{Fault.DELAY: 1.2}, {Fault.DELAY: -0.1}, {Fault.DELAY: 0.6, Fault.LATE: 0.6}])
    def test_impossible_rates_are_refused(self, rates: dict[Fault, float]) -> None:
        with pytest.raises(ConfigurationError, match="at most 1"):
            FaultPlan(seed=1, rates=rates)
