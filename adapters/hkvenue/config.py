"""Settings of the home venue."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from adapters.hkvenue.development_key import WEBHOOK_KEY, DevelopmentKey, development_pem
from gateway.kit.signature import WebhookKey

PAGE_LIMIT: Final = 1000
"""Rows of a page, as the venue allows."""

WEBHOOK_KEYS_LIMIT: Final = 10
KEY_BITS: Final = 2048

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""An id that the venue gave."""

_RESERVED: Final = (".example", ".invalid", ".localhost", ".test")
"""Ends of names that lead to nobody, by RFC 6761."""


class HkVenueConfig(BaseModel):
    """Settings of one company's line to the venue.

    The keys have defaults so that the stand-in can be tried at once. They protect nothing, and are refused unless both
    addresses are of this machine or lead to nobody.
    """

    # A wrong key must not be told with the error.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    login_url: Address = Field(
        default="https://api.hkcv.example/hkcv/auth/token/v1", description="Where access tokens are given."
    )
    api_url: Address = Field(default="https://api.hkcv.example/hkcv/api", description="Where the functions are.")
    company_id: Identifier = Field(default="CP00088", description="Our company's id at the venue.")
    account: Identifier = Field(default="OA0001", description="Our omnibus account, under which we offer.")
    machine_id: Identifier = Field(default="MC00088", description="The id of this machine, given in the portal.")
    agent_key: SecretStr = Field(
        default_factory=lambda: SecretStr(development_pem(DevelopmentKey.AGENT)),
        description="The company's private RSA key (PEM), 2048 bits or more.",
    )
    agent_key_id: Identifier = Field(default="agent-development", description="Its key id in the portal.")
    machine_key: SecretStr = Field(
        default_factory=lambda: SecretStr(development_pem(DevelopmentKey.MACHINE)),
        description="The machine's private RSA key (PEM), 2048 bits or more; it also signs requests.",
    )
    machine_key_id: Identifier = Field(default="machine-development", description="Its key id in the portal.")
    webhook_keys: SecretStr = Field(
        default=SecretStr(WEBHOOK_KEY),
        description="The live keys of the venue's webhooks (whsec_ or whpk_), with spaces between them.",
    )
    page_size: int = Field(default=200, ge=1, le=PAGE_LIMIT, description="Rows asked for at once.")

    @field_validator("agent_key", "machine_key")
    @classmethod
    def _is_a_private_key(cls, value: SecretStr) -> SecretStr:
        private_key(value)
        return value

    @field_validator("webhook_keys")
    @classmethod
    def _are_webhook_keys(cls, value: SecretStr) -> SecretStr:
        webhook_keys(value)
        return value

    @model_validator(mode="after")
    def _development_keys_reach_nobody(self) -> Self:
        strangers = [host for host in map(_host, (self.login_url, self.api_url)) if not _harmless(host)]
        if strangers and _development_keys(self):
            raise ValueError(
                f"found development keys ({', '.join(_development_keys(self))}) for {strangers[0]}; expected keys of "
                "your own for every address that is not of this machine"
            )
        return self


@lru_cache(maxsize=8)
def private_key(secret: SecretStr) -> RSAPrivateKey:
    """The RSA key of a PEM text. Raises ValueError, without the text in it, when it is none of at least 2048 bits.

    It is kept: reading one takes long, since its primes are checked.
    """
    try:
        key = load_pem_private_key(secret.get_secret_value().encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("found no private key without a password in PEM") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"found a {type(key).__name__}; expected an RSA key")  # noqa: TRY004 - pydantic wants ValueError
    if key.key_size < KEY_BITS:
        raise ValueError(f"found an RSA key of {key.key_size} bits; expected at least {KEY_BITS}")
    return key


def webhook_keys(secret: SecretStr) -> tuple[WebhookKey, ...]:
    """The keys of a text. Raises ValueError, without the text in it, when there is none or one cannot be read."""
    keys = tuple(WebhookKey.parse(text) for text in secret.get_secret_value().split())
    if not 0 < len(keys) <= WEBHOOK_KEYS_LIMIT:
        raise ValueError(f"found {len(keys)} webhook keys; expected 1 to {WEBHOOK_KEYS_LIMIT}")
    return keys


def _development_keys(config: HkVenueConfig) -> list[str]:
    known = {key.modulus for key in DevelopmentKey}
    rsa_keys = {"agent_key": config.agent_key, "machine_key": config.machine_key}
    found = [name for name, key in rsa_keys.items() if private_key(key).public_key().public_numbers().n in known]
    if WebhookKey.parse(WEBHOOK_KEY) in webhook_keys(config.webhook_keys):
        found.append("webhook_keys")
    return found


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _harmless(host: str) -> bool:
    if host == "localhost" or host.endswith(_RESERVED):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
