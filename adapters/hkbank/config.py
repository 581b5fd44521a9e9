"""Settings of the settlement bank."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

API_PATH: Final = "/open/v1"
PAGE_SIZE_LIMIT: Final = 100

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A word that may stand in a header."""


class Profile(StrEnum):
    """Which of the two banks it is.

    ``HONG_KONG`` keeps HKD, CNH and USD; ``MAINLAND`` keeps CNY on the mainland (在岸人民币).
    """

    HONG_KONG = "hong_kong"
    MAINLAND = "mainland"


class HkBankConfig(BaseModel):
    """Where the bank is and who we are there. The secret's default is a placeholder, which the stand-in accepts."""

    # A wrong secret must not be told with the error.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_url: Address = Field(default=f"https://api.hkbank.example{API_PATH}", description="Where the bank's API is.")
    profile: Profile = Field(default=Profile.HONG_KONG, description="The bank in Hong Kong, or the mainland one.")
    api_key: Word = Field(default="hkcv-venue", description="Names us; the header x-api-key.")
    signing_secret: SecretStr = Field(
        default=SecretStr("the-venue-signing-secret"), min_length=16, description="Signs every request."
    )
    purpose_code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{6}$")] = Field(
        default="COCADR", description="The purpose that is declared for a renminbi remittance."
    )
    page_size: int = Field(default=PAGE_SIZE_LIMIT, ge=1, le=PAGE_SIZE_LIMIT, description="Rows of a page to ask for.")
