"""How the venue knows us: two assertions for an access token (RFC 7523), and a signature over each request.

Documented of the venue's template (HKEX's FINI): the Agent (the company) and the Machine each sign a JWT with RS256
that ends in at most 30 minutes; every request carries an id that comes once, its time, and a signature. What is signed,
and how, is our own shape.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.hkvenue.config import HkVenueConfig, private_key

AUDIENCE: Final = "hkcv-open-api"
ASSERTION_LIFE: Final = timedelta(minutes=5)
"""The venue refuses more than 30."""

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

REQUEST_ID_HEADER: Final = "X-HKCV-REQUEST-ID"
TIMESTAMP_HEADER: Final = "X-HKCV-TIMESTAMP"
SIGNATURE_HEADER: Final = "X-HKCV-SIGNATURE"


class Credentials:
    """Signs with the two keys of the settings."""

    def __init__(self, config: HkVenueConfig) -> None:
        self._config = config
        self._agent = private_key(config.agent_key)
        self._machine = private_key(config.machine_key)

    def token_request(self, now: datetime) -> bytes:
        """The form that asks for an access token.

        The company's assertion is the grant, the machine's the authentication of the client.
        """
        config = self._config
        claims = {"iss": config.company_id, "aud": AUDIENCE, "iat": now, "exp": now + ASSERTION_LIFE}
        agent = jwt.encode(
            {**claims, "sub": config.company_id}, self._agent, algorithm="RS256", headers={"kid": config.agent_key_id}
        )
        machine = jwt.encode(
            {**claims, "sub": config.machine_id},
            self._machine,
            algorithm="RS256",
            headers={"kid": config.machine_key_id},
        )
        form = {
            "grant_type": GRANT_TYPE,
            "assertion": agent,
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": machine,
        }
        return urlencode(form).encode()

    def request_headers(self, method: str, target: str, body: bytes, request_id: str, now: datetime) -> dict[str, str]:
        """The three headers of one request.

        Args:
            method: the HTTP method.
            target: path and query as they are sent.
            body: the bytes of the body.
            request_id: comes once.
            now: our time.
        """
        timestamp = epoch_milliseconds(now)
        signature = self._machine.sign(signed_text(method, target, timestamp, request_id, body), PKCS1v15(), SHA256())
        return {
            REQUEST_ID_HEADER: request_id,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }


def signed_text(method: str, target: str, timestamp: str, request_id: str, body: bytes) -> bytes:
    """What a request's signature is over: its parts in lines, the body by its SHA-256."""
    return "\n".join((method, target, timestamp, request_id, hashlib.sha256(body).hexdigest())).encode()


def epoch_milliseconds(instant: datetime) -> str:
    """An instant as the venue's requests write it; what is finer is left out."""
    return str((instant - _EPOCH) // timedelta(milliseconds=1))


class EachAttempt(Mapping[str, str]):
    """Headers that are made anew whenever they are read as a whole.

    The transport reads a request's headers once for each attempt. So an attempt that is repeated has an id and a time
    of its own: the venue refuses a request id that it had, and a time that is old.
    """

    def __init__(self, make: Callable[[], dict[str, str]]) -> None:
        self._make = make
        self._made: dict[str, str] = {}

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        self._made = self._make()
        return iter(self._made)

    def __getitem__(self, name: str) -> str:
        return self._made[name]

    def __len__(self) -> int:
        return len(self._made)
