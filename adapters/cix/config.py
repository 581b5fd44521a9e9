"""Settings of the CIX market."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from gateway.kit.signature import WebhookKey

PAGE_LIMIT: Final = 200
"""Rows of a page at most."""

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A word that may stand in a path and in a header."""


def _require_key(secret: SecretStr) -> SecretStr:
    WebhookKey.parse(secret.get_secret_value())
    return secret


SigningKey = Annotated[SecretStr, AfterValidator(_require_key)]
"""A webhook key as Standard Webhooks writes it: ``whsec_`` and base64."""


class CixConfig(BaseModel):
    """Where the venue is, who we are there, and what its webhooks are signed with.

    The defaults are placeholders, which the stand-in accepts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Address = Field(default="https://cix.example/api/v1", description="Where the venue's interface is.")
    member: Word = Field(default="HKCV", description="Our member code.")
    account: Word = Field(default="HKCV-OMNIBUS", description="Our account: HKCV Omnibus.")
    api_key: SecretStr = Field(
        default=SecretStr("the-member-s-key"), min_length=1, description="The header x-api-key of a member."
    )
    webhook_key: SigningKey = Field(
        default=SecretStr("whsec_Y2l4LXN0YW5kLWluLXdlYmhvb2sta2V5LTAx"),
        description="The secret with which the venue signs what it pushes.",
    )
    former_webhook_key: SigningKey | None = Field(
        default=None, description="The secret before that one, while both are in use."
    )
    page_size: int = Field(default=100, ge=1, le=PAGE_LIMIT, description="Rows of a page.")
