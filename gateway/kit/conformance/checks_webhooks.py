"""W: a webhook is believed when it is the market's, and refused in one way and without detail when it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from gateway.kit.conformance.check import WEBHOOKS, Check, Failed, Group, NotCalledFor, check, require
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.contract import Notification
from gateway.kit.errors import WebhookRefused
from gateway.kit.mock import MockClock

STALE: Final = timedelta(minutes=10)
MALFORMED: Final = ("", "garbage", "v1,!!!not base64!!!", "v1,é", "AAAA", "=" * 5000, "0", "-1", "9" * 40)


@check(
    "W010", "A webhook of the market is believed, and its rows can be read.", called_by=WEBHOOKS, group=Group.WEBHOOKS
)
async def believed(subject: Subject) -> None:
    """With an id that is the same when it comes again, and the instant at which it was sent."""
    trial = subject.trial()
    headers, body = _webhook(trial)
    async with trial.adapter() as adapter:
        found, again = adapter.verify(headers, body), adapter.verify(headers, body)
    require(
        found.event_id and found.event_id == again.event_id, f"its id is {found.event_id!r}, then {again.event_id!r}"
    )
    require(found.sent_at.utcoffset() is not None, f"sent_at {found.sent_at} has no zone")
    late = abs(found.sent_at - trial.clock())
    require(late < STALE, f"sent_at is {found.sent_at.astimezone(UTC)}, it was sent {trial.clock()}")
    require(found.document.content == body, "its document is not the body as received")
    if found.feed is not None:
        made = subject.mapping(found.feed.mapping).apply(found.rows)
        require(made.rows.height, f"none of its {found.rows.height} rows is accepted: {made.defects.to_dicts()[:1]}")
        require(not made.unknown, f"its paths {', '.join(made.unknown)} are not listed")


@check("W020", "A webhook signed with another key is refused.", called_by=WEBHOOKS, group=Group.WEBHOOKS)
async def wrong_key(subject: Subject) -> None:
    """One of the adapter's keys is another one than the market's."""
    trial = subject.trial()
    headers, body = _webhook(trial)
    tried, refused = 0, 0
    for settings in _other_keys(subject, trial):
        try:
            async with trial.adapter(settings=settings) as adapter:
                tried += 1
                refused += _verified(adapter, headers, body) is None
        except (ValidationError, ValueError):
            continue
    if not tried:
        raise NotCalledFor("no key of its settings can be another one")
    require(refused, "whatever key the adapter has, it believes the webhook")


@check("W030", "An old webhook, and one of the future, are refused.", called_by=WEBHOOKS, group=Group.WEBHOOKS)
async def not_of_now(subject: Subject) -> None:
    """Ten minutes to either side."""
    trial = subject.trial()
    headers, body = _webhook(trial)
    for moved in (STALE, -STALE):
        async with trial.adapter(clock=MockClock(trial.clock() + moved)) as adapter:
            _require_refused(adapter, headers, body, f"sent {moved} ago")


@check(
    "W040",
    "A header that is missing or malformed is refused, and breaks nothing.",
    called_by=WEBHOOKS,
    group=Group.WEBHOOKS,
)
async def malformed_headers(subject: Subject) -> None:
    """Each header in turn; what is not read may say anything."""
    trial = subject.trial()
    headers, body = _webhook(trial)
    async with trial.adapter() as adapter:
        _require_refused(adapter, {}, body, "without headers")
        read = 0
        for name in headers:
            without = {key: value for key, value in headers.items() if key != name}
            spoilt = [without, *({**headers, name: text} for text in MALFORMED)]
            verdicts = [_verified(adapter, one, body) is None for one in spoilt]
            require(
                all(verdicts) or not any(verdicts), f"the header {name} is read, and {verdicts} of its spoilt forms"
            )
            read += all(verdicts)
    require(read, "no header is read")


@check("W050", "A webhook whose signature is not of its bytes is refused.", called_by=WEBHOOKS, group=Group.WEBHOOKS)
async def changed_bytes(subject: Subject) -> None:
    """Another byte, another order of bytes that says the same, and bytes that are no text."""
    trial = subject.trial()
    headers, body = _webhook(trial)
    async with trial.adapter() as adapter:
        for said, changed in _changed(body):
            _require_refused(adapter, headers, changed, said)


def _webhook(trial: Trial) -> tuple[dict[str, str], bytes]:
    if trial.rehearsal.webhook is None:
        raise Failed("the rehearsal has no webhook")
    return trial.rehearsal.webhook()


def _verified(adapter: Any, headers: dict[str, str], body: bytes) -> Notification | None:
    """The notification; None where it is refused. Raises Failed for any other error."""
    try:
        found: Notification = adapter.verify(headers, body)
    except WebhookRefused:
        return None
    except Exception as error:
        raise Failed(f"headers {headers!r:.200}: {error!r}, expected WebhookRefused") from error
    return found


def _require_refused(adapter: Any, headers: dict[str, str], body: bytes, said: str) -> None:
    require(_verified(adapter, headers, body) is None, f"a webhook {said} is believed")


def _changed(body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "with one more byte", body + b" "
    yield "without its last byte", body[:-1]
    yield "that is no text", b"\xff\xfe" + body
    yield "without a body", b""
    try:
        written = json.dumps(json.loads(body), indent=3).encode()
    except ValueError:
        return
    yield "written again", written


def _other_keys(subject: Subject, trial: Trial) -> Iterator[dict[str, Any]]:
    """Settings with one key changed by one character."""
    config = subject.manifest.config_model.model_validate(dict(trial.rehearsal.settings))
    for name, value in config:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and len(text) > 1 and not text.startswith(("http://", "https://")):
            middle = len(text) // 2
            other = "b" if text[middle] != "b" else "c"
            yield {name: text[:middle] + other + text[middle + 1 :]}


CHECKS: tuple[Check, ...] = (believed, wrong_key, not_of_now, malformed_headers, changed_bytes)
