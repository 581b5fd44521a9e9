"""The composition root: the only module that knows everybody, and the only one that asks the real clock."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import stamina.instrumentation
import structlog
from stamina.instrumentation import RetryDetails

from gateway.kit.clock import Clock
from gateway.kit.manifest import Manifest, MarketRole
from gateway.markets.linked import LinkedMarket, addresses, link
from gateway.markets.registry import installed
from gateway.model.errors import ConfigurationError
from gateway.offers.candidates import Markets
from gateway.settings import Settings
from gateway.store import schema
from gateway.store.database import Database, DatabaseUnreachable
from gateway.store.embedded import EmbeddedServer


def new_id(prefix: str) -> str:
    """A new id of ours, as in ``PB-3F2A…``: it fits every market's reference field."""
    return f"{prefix}-{uuid4().hex[:24].upper()}"


def now() -> datetime:
    """The instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Application:
    """A running gateway: its database, its adapters, its settings and its clock."""

    settings: Settings
    database: Database
    manifests: Mapping[str, Manifest]
    clock: Clock

    def manifest(self, market: str) -> Manifest:
        """A market's manifest. Raises ConfigurationError naming the markets there are."""
        found = self.manifests.get(market)
        if found is None:
            raise ConfigurationError(f"no market is called {market!r}; there are {', '.join(sorted(self.manifests))}")
        return found

    def require_addresses(self, market: str) -> None:
        """Raises ConfigurationError unless each address of a market is configured: no host is called unasked."""
        given = self.settings.markets.get(market, {})
        unset = ", ".join(
            f"CARBON_GATEWAY_MARKETS__{market.upper()}__{name.upper()}={default}"
            for name, default in addresses(self.manifest(market)).items()
            if name not in given
        )
        if unset:
            raise ConfigurationError(
                f"market {market} is not configured, and no address is called that is not; to read the real one set "
                f"{unset}; for a stand-in call 'carbon-gateway mocks {market}' and set what it prints"
            )

    def home_venue(self) -> Manifest | None:
        """The manifest of the home venue; None where none is installed. Raises ConfigurationError where several are."""
        found = [one for one in self.manifests.values() if one.role is MarketRole.HOME_VENUE]
        if len(found) > 1:
            raise ConfigurationError(f"several home venues are installed: {', '.join(one.name for one in found)}")
        return found[0] if found else None

    def markets(self) -> Markets:
        """The markets that are installed, and the number of our account at each; empty where we have none."""
        accounts = {
            name: str(self.settings.markets.get(name, {}).get(setting, _default(manifest, setting)))
            for name, manifest in self.manifests.items()
            for setting in [manifest.account_setting]
        }
        return Markets(self.manifests, accounts)

    def is_configured(self, market: str) -> bool:
        """Whether each address of a market is configured."""
        try:
            self.require_addresses(market)
        except ConfigurationError:
            return False
        return True

    def link(self, market: str, settings: Mapping[str, Any] | None = None) -> AbstractAsyncContextManager[LinkedMarket]:
        """A market, bound to its settings (those given win over the environment's)."""
        merged = dict(self.settings.markets.get(market, {})) | dict(settings or {})
        return link(self.manifest(market), merged, self.clock)


def _default(manifest: Manifest, setting: str) -> str:
    field = manifest.config_model.model_fields.get(setting)
    return "" if field is None or field.default is None else str(field.default)


@asynccontextmanager
async def running(settings: Settings, *, prepared: bool = True, clock: Clock = now) -> AsyncIterator[Application]:
    """The gateway for as long as the context lasts; its embedded PostgreSQL stops with the last process that uses it.

    Args:
        settings: what this installation was told.
        prepared: bring the embedded database's schema up to date, and require it of one of your own.
        clock: gives the instant.

    Raises ConfigurationError when it cannot start, saying what to change.
    """
    configure_logs(settings)
    manifests = installed()
    async with _database(settings) as database:
        if prepared and settings.database_url is None:
            await schema.upgrade(database)
        elif prepared:
            await schema.require_current(database)
        yield Application(settings, database, manifests, clock)


def embedded_directory(settings: Settings) -> Path:
    """Where the embedded PostgreSQL keeps its files."""
    return settings.data_directory / "postgresql"


def configure_logs(settings: Settings) -> None:
    """Structured logs, one line each, on standard error. A read that is tried again is no warning: its end is told."""
    stamina.instrumentation.set_on_retry_hooks([_log_retry])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        # Looked up at each message: the stream may have been replaced since.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _log_retry(details: RetryDetails) -> None:
    structlog.get_logger().info("retry", attempt=details.retry_num, cause=str(details.caused_by))


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    if settings.database_url is not None:
        async with Database(settings.database_url.get_secret_value()) as database:
            yield database
        return
    server = EmbeddedServer(embedded_directory(settings))
    try:
        address = await asyncio.to_thread(server.__enter__)
    except ConfigurationError as error:
        raise DatabaseUnreachable(str(error)) from error
    try:
        async with Database(address.url) as database:
            yield database
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
