"""Settings of Harbour."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""


class HarbourConfig(BaseModel):
    """Where the market is and who we are there. The defaults are placeholders, which the stand-in accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Address = Field(default="https://harbour.example", description="Where the market answers.")
    client: str = Field(default="our-client", min_length=1, description="Our name there.")
    secret: SecretStr = Field(default=SecretStr("harbour-secret"), min_length=1, description="Its secret.")
    webhook_secret: SecretStr = Field(
        default=SecretStr("harbour-webhook-secret"), min_length=1, description="What the market signs events with."
    )
    page_size: int = Field(default=100, ge=1, le=100, description="Rows a page; the market gives 100 at most.")
