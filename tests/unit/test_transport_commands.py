"""A command is sent once: each row of its table of errors, and that silence is never an answer."""

from __future__ import annotations

import httpx
import pytest

from gateway.kit import transport as module
from gateway.kit.decoding import Undecodable, decode_json, members
from gateway.kit.errors import AccessDenied, AdapterError, NotSent, OutcomeUnknown, Rejected
from gateway.kit.transport import UNDECIDED, Pacer, RateLimit, Refusal, Response, Transport

URL = "https://market.test/transfers"
NO = b'{"code": "NOT_ENOUGH", "message": "five units are missing"}'
DONE = httpx.Response(201, content=b"")


class Market:
    """Answers every command with one step, and counts them."""

    def __init__(self, step: httpx.Response | Exception) -> None:
        self.step = step
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.step, Exception):
            raise self.step
        return httpx.Response(self.step.status_code, headers=self.step.headers, content=self.step.content)


def listed(response: Response) -> Refusal | None:
    said = members(decode_json(response.body), "the error")
    code = said.get("code")
    return Refusal("NOT_ENOUGH", str(said["message"])) if code == "NOT_ENOUGH" else None


async def sent(step: httpx.Response | Exception) -> tuple[Market, Response | AdapterError]:
    market = Market(step)
    line = Transport("cbl", httpx.AsyncClient(transport=httpx.MockTransport(market)))
    async with line:
        try:
            return market, await line.command("POST", URL, operation="transfer T-1", refusal=listed, content=b"{}")
        except AdapterError as error:
            return market, error


async def test_a_whole_answer_is_given_as_it_came() -> None:
    market, answer = await sent(httpx.Response(200, headers={"x-id": "7"}, content=b"[1]"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers["x-id"], answer.body) == (200, "7", b"[1]")
    assert len(market.asked) == 1


@pytest.mark.parametrize(
    "step", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]
)
async def test_what_provably_never_left(step: Exception) -> None:
    market, error = await sent(step)
    assert isinstance(error, NotSent)
    assert len(market.asked) == 1


@pytest.mark.parametrize(
    "step",
    [
        httpx.ReadTimeout("silence"),
        httpx.WriteError("cut"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("half a line"),
        httpx.Response(500, content=NO),
        httpx.Response(502, html="<html>Bad Gateway</html>"),
        httpx.Response(503),
        httpx.Response(302, headers={"location": "https://elsewhere.test"}),
        httpx.Response(400, html="<html>Bad Request</html>"),
        httpx.Response(400, content=b""),
        httpx.Response(400, content=b'{"code": "SOMETHING_NEW", "message": "?"}'),
        httpx.Response(422, content=b'{"code": null}'),
        httpx.DecodingError("no gzip"),
        *(httpx.Response(status, content=NO) for status in sorted(UNDECIDED)),
    ],
    ids=str,
)
async def test_what_may_have_happened_is_unknown_and_not_sent_again(step: httpx.Response | Exception) -> None:
    market, error = await sent(step)
    assert isinstance(error, OutcomeUnknown)
    assert "cbl, transfer T-1" in str(error)
    assert len(market.asked) == 1


@pytest.mark.parametrize("status", [400, 402, 406, 412, 422, 451])
async def test_a_no_with_a_listed_code_is_final(status: int) -> None:
    market, error = await sent(httpx.Response(status, content=NO))
    assert isinstance(error, Rejected)
    assert (error.code, len(market.asked)) == ("NOT_ENOUGH", 1)
    assert "five units are missing [NOT_ENOUGH]" in str(error)


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_are_told_apart(status: int) -> None:
    market, error = await sent(httpx.Response(status, content=NO))
    assert isinstance(error, AccessDenied)
    assert (error.code, len(market.asked)) == (str(status), 1)


async def test_a_body_over_the_limit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_LIMIT", 10)
    _, error = await sent(httpx.Response(200, content=b"x" * 11))
    assert isinstance(error, OutcomeUnknown)


async def test_a_reader_of_refusals_that_fails_by_itself_is_an_error_of_ours() -> None:
    def broken(_: Response) -> Refusal | None:
        raise ZeroDivisionError

    line = Transport("cbl", httpx.AsyncClient(transport=httpx.MockTransport(Market(httpx.Response(400)))))
    async with line:
        with pytest.raises(ZeroDivisionError):
            await line.command("POST", URL, operation="transfer", refusal=broken)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1, "a": 2}', b"[1", b"\xff"])
async def test_an_answer_that_is_no_json_is_unknown(body: bytes) -> None:
    line = Transport("cbl", httpx.AsyncClient(transport=httpx.MockTransport(Market(httpx.Response(200, content=body)))))
    async with line:
        with pytest.raises(OutcomeUnknown) as raised:
            await line.command_json("POST", URL, operation="transfer", refusal=listed)
    assert isinstance(raised.value.__cause__, Undecodable)


async def test_a_json_answer_keeps_its_numbers_as_text() -> None:
    market = Market(httpx.Response(200, content=b'{"quantity": 12345678901234567890}'))
    async with Transport("cbl", httpx.AsyncClient(transport=httpx.MockTransport(market))) as line:
        answer = await line.command_json("POST", URL, operation="transfer", refusal=listed)
    assert answer == {"quantity": "12345678901234567890"}


async def test_commands_keep_to_the_rate_limit_of_their_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []
    pacer = Pacer(RateLimit("s", 1, 1))

    async def turn() -> None:
        turns.append(1)

    monkeypatch.setattr(pacer, "turn", turn)
    async with Transport("cbl", httpx.AsyncClient(transport=httpx.MockTransport(Market(DONE))), {"s": pacer}) as line:
        await line.command("POST", URL, operation="transfer", refusal=listed, scope="s")
        await line.command("POST", URL, operation="transfer", refusal=listed)
    assert turns == [1]
