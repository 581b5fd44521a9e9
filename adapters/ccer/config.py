"""Settings of the national CCER registry."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

PAGE_ROWS: Final = 100

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

AccountNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{6,32}$")]


class CcerConfig(BaseModel):
    """Where the registry is, which account is ours there, and whether anything may be commanded.

    Logging in takes a password and a code sent to a person's telephone, so no program does it: each of the two
    operators puts in a session token. The placeholders are accepted by the stand-in only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    public_url: Address = Field(default="https://ccer.cets.org.cn", description="Where the public lists are.")
    account_url: Address = Field(
        default="https://ccer.example", description="Where the account side is; simulated, so no real address."
    )
    account: AccountNumber = Field(default="1000000000002147", description="Our registry account (登记账户).")
    trading_platform: AccountNumber = Field(
        default="CBGEX001", description="The counter account that stands for the trading platform (交易平台)."
    )
    maker_token: SecretStr = Field(
        default=SecretStr("the-maker-session"), min_length=1, description="Session of 登记系统发起代表."
    )
    checker_token: SecretStr = Field(
        default=SecretStr("the-checker-session"), min_length=1, description="Session of 登记系统确认代表."
    )
    page_size: int = Field(default=PAGE_ROWS, ge=1, le=PAGE_ROWS)
    commands_enabled: bool = Field(
        default=False,
        description="Off: rules for cross-border use are still to be made (Measures of 2023, article 29).",
    )

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.maker_token == self.checker_token:
            raise ValueError("maker_token and checker_token are one session; expected those of two different operators")
        return self
