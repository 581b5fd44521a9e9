"""M: what an adapter says of itself holds together, and it can be tried."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.kit import calendars
from gateway.kit.conformance.check import ORDERS, READS, Check, Failed, NotCalledFor, check, require
from gateway.kit.conformance.line import Line
from gateway.kit.conformance.ordering import CAPABILITY, good_orders
from gateway.kit.conformance.reading import content, streams, subject_streams, whole
from gateway.kit.conformance.subject import SEED, Subject
from gateway.kit.contract import CONTRACT_VERSION
from gateway.kit.errors import AdapterError
from gateway.model.errors import ConfigurationError

ROWS_LEAST = 3
"""Rows that a rehearsal has in each feed, so that pages can be turned."""


@check("M010", "The manifest is written for this version of the contract.")
async def contract_version(subject: Subject) -> None:
    """Another version is another set of promises."""
    found = subject.manifest.contract_version
    require(found == CONTRACT_VERSION, f"contract_version is {found}, expected {CONTRACT_VERSION}")


@check("M020", "Each capability is whole: every method, with its parameters, a coroutine where one is due.")
async def whole_capabilities(subject: Subject) -> None:
    """Half a capability is found here, not when it is called."""
    try:
        found = subject.manifest.capabilities()
    except ConfigurationError as error:
        raise Failed(str(error)) from error
    require(found, f"{subject.manifest.adapter_class.__qualname__} offers no capability at all")


@check("M030", "The market's calendar is there.")
async def calendar(subject: Subject) -> None:
    """A market without its days and hours cannot be settled with."""
    found = subject.manifest.calendar
    require(found in calendars.names(), f"calendar is {found!r}, expected one of {', '.join(calendars.names())}")


@check("M040", "The market's zone is one of the IANA database, and the one in which its mappings read local times.")
async def zone(subject: Subject) -> None:
    """It is the zone in which the market writes a time without one."""
    named = subject.manifest.zone
    try:
        ZoneInfo(named)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Failed(f"zone is {named!r}: {error}") from error
    async with subject.trial().adapter() as adapter:
        for stream in streams(adapter, subject.manifest.capabilities()):
            for field, rule in subject.mapping(stream.feed.mapping).document.rules().items():
                found = getattr(rule, "zone", None) or named
                require(found == named, f"{stream.title}: {field} is read in {found}, the manifest's zone is {named}")


@check("M050", "Every feed and every file has a mapping document that can be used.")
async def mappings(subject: Subject) -> None:
    """Each is compiled with its code lists."""
    offered = subject.manifest.capabilities()
    async with subject.trial().adapter() as adapter:
        names = [stream.feed.mapping for stream in streams(adapter, offered)]
        names += adapter.export_mappings() if "ParsesExports" in offered else []
    for name in names:
        subject.mapping(name)


@check("M060", "How the market treats a repeated command is said exactly where it takes commands.")
async def idempotency(subject: Subject) -> None:
    """And a witness is borne exactly where the market keeps no id of ours."""
    try:
        subject.manifest.verify()
    except ConfigurationError as error:
        raise Failed(str(error)) from error


@check("M070", "Every request counts against a rate limit of the manifest.", called_by=READS)
async def metered(subject: Subject) -> None:
    """Otherwise a market's limit is exceeded by what nobody counted."""
    trial = subject.trial()
    if not trial.pacers:
        raise NotCalledFor("the market meters nothing")
    async with trial.adapter() as adapter:
        for stream in streams(adapter, subject.manifest.capabilities()):
            await whole(stream, adapter, trial.rehearsal.since)
    turns = sum(pacer.turns for pacer in trial.pacers.values())
    asked = len(trial.line.exchanges)
    require(turns == asked, f"{asked} requests were sent and {turns} counted in {', '.join(trial.pacers)}")


@check("M080", "The rehearsal has rows in each feed, orders of each command, refused ones too, and a webhook.")
async def rehearsal(subject: Subject) -> None:
    """What a rehearsal has not, no check can try."""
    offered = subject.manifest.capabilities()
    trial = subject.trial()
    async with trial.adapter() as adapter:
        for stream in streams(adapter, offered):
            rows = content(subject, stream, await whole(stream, adapter, trial.rehearsal.since)).rows
            require(rows >= ROWS_LEAST, f"{stream.title} has {rows} rows, expected {ROWS_LEAST} at least")
    commands = ORDERS & offered
    good = {CAPABILITY[type(order)] for order in good_orders(trial.rehearsal, offered)}
    require(good == commands, f"no order is carried out for {', '.join(sorted(commands - good))}")
    refused = {CAPABILITY[type(one.order)] for one in trial.rehearsal.refused} & offered
    require(refused == commands, f"no order is refused for {', '.join(sorted(commands - refused))}")
    pushes = "SendsWebhooks" in offered
    require(not pushes or trial.rehearsal.webhook is not None, "the market sends webhooks, and the rehearsal has none")


@check("M090", "The stand-in accepts the default settings, so that a person can try it.", called_by=READS)
async def default_settings(subject: Subject) -> None:
    """All but the addresses, which lead to where it is served, and what has no default."""
    (first, *_) = await subject_streams(subject)
    trial = subject.trial()
    required = {name for name, field in subject.manifest.config_model.model_fields.items() if field.is_required()}
    settings = {
        name: value
        for name, value in trial.rehearsal.settings.items()
        if name in required or str(value).startswith(("http://", "https://"))
    }
    line = Line(subject.manifest.mock_factory(SEED, trial.clock))
    async with replace(trial, line=line, rehearsal=replace(trial.rehearsal, settings=settings)).adapter() as adapter:
        try:
            await first.page(adapter, trial.rehearsal.since, None)
        except AdapterError as error:
            raise Failed(f"{first.title}: {error}") from error


CHECKS: tuple[Check, ...] = (
    contract_version,
    whole_capabilities,
    calendar,
    zone,
    mappings,
    idempotency,
    metered,
    rehearsal,
    default_settings,
)
