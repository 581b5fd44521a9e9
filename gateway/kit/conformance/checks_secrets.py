"""K: an adapter's secrets stay its own."""

from __future__ import annotations

import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial

import httpx
from pydantic import SecretStr

from gateway.kit.conformance.check import READS, Check, check, require
from gateway.kit.conformance.line import Tamper
from gateway.kit.conformance.ordering import good_orders, sent
from gateway.kit.conformance.reading import streams, whole
from gateway.kit.conformance.subject import Subject
from gateway.kit.conformance.tampers import HTML, dropped, instead

CONTEXT = 40
"""Characters before a found secret that a message shows."""


@check("K010", "Secrets are not seen in the settings when they are printed.")
async def hidden_settings(subject: Subject) -> None:
    """And each secret setting is among the rehearsal's secrets, so that the other checks look for it."""
    secrets = subject.trial().rehearsal.secrets
    config = subject.manifest.config_model.model_validate(dict(subject.trial().rehearsal.settings))
    for name, value in config:
        known = not isinstance(value, SecretStr) or value.get_secret_value() in secrets
        require(known, f"the setting {name} is a secret that the rehearsal does not name")
    _require_silent(f"{config!r} {config}", secrets, "the printed settings")


@check("K020", "Secrets are not seen in logs, on the screen or in the origin of a page.", called_by=READS)
async def hidden_logs(subject: Subject) -> None:
    """Everything is read, with every logger open."""
    trial = subject.trial()
    with _heard() as said:
        async with trial.adapter() as adapter:
            for stream in streams(adapter, subject.manifest.capabilities()):
                for page in await whole(stream, adapter, trial.rehearsal.since):
                    said.write(page.document.origin)
    _require_silent(said.getvalue(), trial.rehearsal.secrets, "what was logged")


@check("K030", "Secrets are not seen in errors.")
async def hidden_errors(subject: Subject) -> None:
    """Every feed and every order is tried on a market that is out of reach, refuses us or talks nonsense."""
    everything = dropped(lambda _one: True, httpx.ConnectError)
    for tamper in (everything, instead(lambda _one: True, 401, HTML), instead(lambda _one: True, 200, HTML)):
        await _fail_all(subject, tamper)


async def _fail_all(subject: Subject, tamper: Tamper) -> None:
    offered = subject.manifest.capabilities()
    trial = subject.trial()
    trial.line.tamper = tamper
    rehearsal = trial.rehearsal
    async with trial.adapter() as adapter:
        calls: list[Callable[[], Awaitable[object]]] = [
            *(partial(stream.page, adapter, rehearsal.since, None) for stream in streams(adapter, offered)),
            *(partial(sent, adapter, order) for order in good_orders(rehearsal, offered)),
        ]
        for call in calls:
            try:
                await call()
            except Exception as error:  # noqa: BLE001 - whatever is raised must keep the secrets
                _require_silent(_told(error), rehearsal.secrets, f"the error {type(error).__name__}")


def _told(error: BaseException | None) -> str:
    """An error's texts, with those of the errors that led to it."""
    texts = []
    while error is not None:
        texts.append(f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def _require_silent(text: str, secrets: tuple[str, ...], place: str) -> None:
    for number, secret in enumerate(secrets, start=1):
        at = text.find(secret)
        require(at < 0, f"secret {number} of the rehearsal is seen in {place}: {text[max(0, at - CONTEXT) : at]}…")


@contextmanager
def _heard() -> Iterator[io.StringIO]:
    """Everything that is logged or printed."""
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(said), redirect_stderr(said):
            yield said
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


CHECKS: tuple[Check, ...] = (hidden_settings, hidden_logs, hidden_errors)
