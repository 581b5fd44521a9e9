"""Settings of the CBL market."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

PAGE_ROWS: Final = 200
"""The most rows of a page. The market publishes no limit; this one is ours."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A code that may stand in a path."""


class CblConfig(BaseModel):
    """Where Xpansiv Connect is, who we are there, and which venue of it is meant.

    The placeholders are accepted by the stand-in; the real ones are issued by Xpansiv.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_url: Address = Field(default="https://connect.xpansiv.com/app/api/v1", description="Where the API is.")
    token_url: Address = Field(default="https://auth.xpansiv.com/oauth/token", description="Where tokens are given.")
    audience: str = Field(default="https://xpansiv/platform", description="What the token is for.")
    realm: str = Field(default="Username-Password-Authentication", description="The realm of the password grant.")
    client_id: str = Field(default="the-client-id", min_length=1, description="Of the application, given by Xpansiv.")
    client_secret: SecretStr = Field(default=SecretStr("the-client-secret"), min_length=1)
    username: str = Field(default="the-api-user", min_length=1, description="Of the API user, given by Xpansiv.")
    password: SecretStr = Field(default=SecretStr("the-api-password"), min_length=1)
    exchange: Code = Field(default="CBL", description="The exchange's code, as in CBL or RVCMC.")
    execution_venue: Code = Field(default="CBL", description="The code of the venue that deposits are for.")
    account: Code = Field(default="5C0D11A7", description="Our account there: eight hexadecimal digits.")
    programs: tuple[Code, ...] = Field(
        default=("ACR", "CAR", "GS", "VCS"),
        min_length=1,
        description="Programmes whose positions are read; the account's renewable energy certificates are no units.",
    )
    page_size: int = Field(default=100, ge=1, le=PAGE_ROWS, description="Rows of a page.")
