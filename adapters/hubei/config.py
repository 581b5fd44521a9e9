"""Settings of the Hubei market."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

RECORDS_A_FILE: Final = 20_000
"""Records of one file at most."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A word that may stand in a path and in a header."""


class HubeiConfig(BaseModel):
    """Where the two lines end, and who we are there. The defaults are placeholders, which the stand-in accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    line_a: Address = Field(default="https://hubei.example/line-a", description="The end of the first line.")
    line_b: Address | None = Field(
        default="https://hubei.example/line-b", description="The end of its backup; null where there is none."
    )
    receiver: Word = Field(default="HKGW", description="Our code as the receiver of files (接收方).")
    access_token: SecretStr = Field(
        default=SecretStr("the-receiver-s-token"), min_length=1, description="The header x-access-token of a receiver."
    )
    records_a_file: int = Field(
        default=RECORDS_A_FILE, ge=1, le=RECORDS_A_FILE, description="How many records of a file to ask for."
    )
