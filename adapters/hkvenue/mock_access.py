"""Who may ask the stand-in: keys of its portal, tokens of 30 seconds, signatures, request ids, the limit of requests.

The order of the checks is the one in which they prove something: an id counts as used only for a request that was well
signed and in time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from adapters.hkvenue.credentials import (
    AUDIENCE,
    CLIENT_ASSERTION_TYPE,
    GRANT_TYPE,
    REQUEST_ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signed_text,
)
from adapters.hkvenue.mock_wire import Failure, token_reply
from gateway.kit.clock import Clock

TOKEN_SECONDS: Final = 30
ASSERTION_LIMIT: Final = timedelta(minutes=30)
TIMESTAMP_TOLERANCE: Final = timedelta(seconds=60)
REQUESTS: Final = 480
REQUESTS_WINDOW: Final = timedelta(seconds=60)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_TIMESTAMP: Final = re.compile(r"[0-9]{12,13}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PortalKey:
    """A public key as its owner registered it in the venue's portal; it ends, and must be replaced before."""

    owner: str
    key: RSAPublicKey
    ends_at: datetime


class Unacceptable(Exception):
    """An assertion that is not accepted: RFC 6749's word and the venue's."""

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status = status
        self.error = error
        self.description = description
        super().__init__(description)


class Access:
    """The venue's gate for one company.

    Args:
        clock: the venue's time.
        company: the company's id.
        machine: the id of its machine.
        entitlements: the functions that it may use.
    """

    def __init__(self, clock: Clock, *, company: str, machine: str, entitlements: set[str]) -> None:
        self._clock = clock
        self._company = company
        self._machine = machine
        self.entitlements = entitlements
        self.keys: dict[str, PortalKey] = {}
        self._tokens: dict[str, datetime] = {}
        self._given = 0
        self._used: set[str] = set()
        self._asked: deque[datetime] = deque()

    def give_token(self, request: httpx.Request) -> httpx.Response:
        """Answers a request for a token (RFC 7523)."""
        try:
            form = _form(request.content)
            self._check_assertion(form.get("client_assertion", ""), self._machine, "invalid_client")
            self._check_assertion(form.get("assertion", ""), self._company, "invalid_grant")
        except Unacceptable as refused:
            return token_reply(refused.status, {"error": refused.error, "error_description": refused.description})
        self._given += 1
        token = f"tk{self._given:08d}{self._company}"
        now = self._clock()
        self._tokens = {known: end for known, end in self._tokens.items() if end > now}
        self._tokens[token] = now + timedelta(seconds=TOKEN_SECONDS)
        reply = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": self._company}
        return token_reply(200, reply)

    def admit(self, request: httpx.Request, entitlement: str) -> str:
        """Checks a request and gives its id. Raises Failure with the venue's code."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        ends_at = self._tokens.get(token)
        if scheme.lower() != "bearer" or ends_at is None or ends_at <= self._clock():
            raise Failure(401, "401001", "Access token is missing, unknown or expired")
        self._count()
        if entitlement not in self.entitlements:
            raise Failure(403, "403001", f"Company is not entitled to {entitlement}")
        request_id: str = request.headers.get(REQUEST_ID_HEADER, "")
        if _REQUEST_ID.fullmatch(request_id) is None:
            raise Failure(400, "411001", "Invalid Request ID")
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        if _TIMESTAMP.fullmatch(timestamp) is None:
            raise Failure(400, "411003", "Invalid Timestamp")
        self._check_signature(request, timestamp, request_id)
        if abs(self._clock() - _instant(timestamp)) > TIMESTAMP_TOLERANCE:
            raise Failure(400, "411004", "Timestamp is not within the allowed time")
        if request_id in self._used:
            raise Failure(400, "411002", "Duplicate Request ID")
        self._used.add(request_id)
        return request_id

    def _count(self) -> None:
        now = self._clock()
        while self._asked and self._asked[0] <= now - REQUESTS_WINDOW:
            self._asked.popleft()
        if len(self._asked) >= REQUESTS:
            raise Failure(429, "429001", f"More than {REQUESTS} requests in {REQUESTS_WINDOW.seconds} seconds")
        self._asked.append(now)

    def _check_signature(self, request: httpx.Request, timestamp: str, request_id: str) -> None:
        signed = signed_text(request.method, request.url.raw_path.decode(), timestamp, request_id, request.content)
        try:
            signature = base64.b64decode(request.headers.get(SIGNATURE_HEADER, ""), validate=True)
        except (binascii.Error, ValueError):
            raise Failure(400, "411008", "Invalid Signature") from None
        for known in self.keys.values():
            if known.owner == self._machine and known.ends_at > self._clock() and _is_of(known.key, signature, signed):
                return
        raise Failure(400, "411008", "Invalid Signature")

    def _check_assertion(self, assertion: str, owner: str, error: str) -> None:
        now = self._clock()
        claims, known = self._claims(assertion, error)
        if known.owner != owner or known.ends_at <= now or claims["sub"] != owner or claims["iss"] != self._company:
            raise Unacceptable(401, error, "JWT is not of a registered key")
        ends_at = _EPOCH + timedelta(seconds=claims["exp"])
        if ends_at <= now:
            raise Unacceptable(401, error, "JWT is expired")
        if ends_at > now + ASSERTION_LIMIT:
            raise Unacceptable(401, error, "JWT expiration time is unreasonable")

    def _claims(self, assertion: str, error: str) -> tuple[dict[str, Any], PortalKey]:
        # The library would ask the machine's clock; the times are compared with the venue's.
        options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": _CLAIMS}
        try:
            known = self.keys[str(jwt.get_unverified_header(assertion).get("kid"))]
            claims = jwt.decode(assertion, known.key, algorithms=["RS256"], audience=AUDIENCE, options=options)
        except (jwt.InvalidTokenError, KeyError):
            raise Unacceptable(401, error, "JWT is invalid") from None
        if not isinstance(claims["exp"], int):
            raise Unacceptable(401, error, "JWT is invalid")
        return claims, known


_CLAIMS: Final = ["iss", "sub", "aud", "exp", "iat"]


def _form(content: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(content.decode("ascii"), strict_parsing=True, max_num_fields=20)
    except ValueError:
        raise Unacceptable(400, "invalid_request", "The form cannot be read") from None
    form = {name: values[0] for name, values in fields.items()}
    if form.get("grant_type") != GRANT_TYPE:
        raise Unacceptable(400, "unsupported_grant_type", "grant_type is not supported")
    if form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
        raise Unacceptable(401, "invalid_client", "client_assertion_type is not supported")
    return form


def _instant(milliseconds: str) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(milliseconds))


def _is_of(key: RSAPublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
