"""Settings, read once at start from the environment. This is the only place where the program looks there.

| variable | meaning |
|---|---|
| ``CARBON_GATEWAY_DATABASE_URL`` | your own PostgreSQL, 14 or later: ``postgresql://user:password@host:5432/name`` |
| ``CARBON_GATEWAY_DATA_DIRECTORY`` | where the embedded PostgreSQL keeps its files when you have none |
| ``CARBON_GATEWAY_MARKETS__VERRA__…`` | a market's own settings, as its adapter's README lists them |
| ``CARBON_GATEWAY_LOG_LEVEL`` | ``debug``, ``info``, ``warning`` or ``error`` |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.model.errors import ConfigurationError


class Settings(BaseSettings):
    """What a person decides about one installation."""

    model_config = SettingsConfigDict(
        env_prefix="CARBON_GATEWAY_", env_nested_delimiter="__", frozen=True, extra="ignore", env_ignore_empty=True
    )

    database_url: SecretStr | None = None
    data_directory: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "carbon-gateway")
    markets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"


def read_settings() -> Settings:
    """The settings of this process. Raises ConfigurationError naming each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"CARBON_GATEWAY_{'__'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()
        )
        raise ConfigurationError(f"settings: {wrong}") from error
