"""Settings of the PHCER register."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

PART_LIMIT: Final = 5_000
"""Rows of one part of an export at most."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""


class PhcerConfig(BaseModel):
    """Where the register's portal is and who logs in; the defaults are placeholders, which the stand-in accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Address = Field(default="https://phcer.example/portal", description="Where the portal is.")
    username: str = Field(
        default="hkcv-operator", min_length=1, max_length=64, description="The operator's name (用户名)."
    )
    password: SecretStr = Field(
        default=SecretStr("the-register-s-password"), min_length=1, description="The operator's password (密码)."
    )
    account: str = Field(
        default="GDZH-0000128", min_length=1, max_length=32, description="Our account in the register (账户编号)."
    )
    export_format: Literal["csv", "xlsx"] = Field(default="csv", description="What kind of file is asked for.")
    page_size: int = Field(default=2_000, ge=1, le=PART_LIMIT, description="Rows of one part of an export.")
