"""Signed webhooks after Standard Webhooks 1.0.0: ``v1`` is HMAC-SHA256 (RFC 2104), ``v1a`` is Ed25519 (RFC 8032).

What is signed is ``{webhook-id}.{webhook-timestamp}.{body}``, the body as the bytes that were sent. A secret is written
``whsec_`` and base64, a private key ``whsk_``, a public key ``whpk_``. The header ``webhook-signature`` carries one or
more signatures with a space between them, each ``version,base64``: so keys can be changed without losing an event.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.kit.errors import WebhookRefused

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of signing may lie from ours, either way."""

BODY_LIMIT: Final = 1024 * 1024
"""Bytes of a webhook's body."""

ID_LIMIT: Final = 255
SIGNATURES_LIMIT: Final = 16
"""How many signatures one webhook may carry."""

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP_DIGITS: Final = 11
_SIGNATURES_LENGTH: Final = SIGNATURES_LIMIT * 100
_SECRET_BYTES: Final = range(24, 65)
_KEY_BYTES: Final = 32
_PRIME: Final = 2**255 - 19
_ORDER_EIGHT: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _ORDER_EIGHT, _PRIME - _ORDER_EIGHT, _PRIME - 1, _PRIME, _PRIME + 1})
"""The ordinates of the points of Ed25519's curve whose order divides eight, as a public key may write them.

Under such a key, 32 zeros for one, anybody can make a signature that verifies.
"""


class KeyKind(StrEnum):
    """What a key is, by the prefix of its text."""

    SECRET = "whsec_"  # noqa: S105 - a prefix, no secret
    PRIVATE = "whsk_"
    PUBLIC = "whpk_"


class SignatureVersion(StrEnum):
    """The two ways of signing that the standard names."""

    HMAC_SHA256 = "v1"
    ED25519 = "v1a"


_SIGNATURE_BYTES: Final = {SignatureVersion.HMAC_SHA256: 32, SignatureVersion.ED25519: 64}


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """A key that signs webhooks or checks them. Its bytes are never shown.

    Attributes:
        kind: a shared secret, or one half of a pair.
        material: 24 to 64 bytes of a secret, 32 bytes of a private or public key.
    """

    kind: KeyKind
    material: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``whsec_…``, ``whsk_…`` or ``whpk_…``.

        A private key may be written with its public half behind it, as libsodium does. Raises ValueError, without the
        text in it, when it is none of these, or a public key under which anybody could sign.
        """
        kind = next((one for one in KeyKind if text.startswith(one.value)), None)
        if kind is None:
            raise ValueError("found a webhook key without a known prefix; expected whsec_, whsk_ or whpk_")
        try:
            material = base64.b64decode(text.removeprefix(kind.value), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"found a {kind.value} key that is no base64") from None
        if kind is KeyKind.PRIVATE and len(material) == 2 * _KEY_BYTES:
            material, public = material[:_KEY_BYTES], material[_KEY_BYTES:]
            if Ed25519PrivateKey.from_private_bytes(material).public_key().public_bytes_raw() != public:
                raise ValueError("found a whsk_ key whose public half belongs to another key")
        expected = _SECRET_BYTES if kind is KeyKind.SECRET else range(_KEY_BYTES, _KEY_BYTES + 1)
        if len(material) not in expected:
            raise ValueError(
                f"found a {kind.value} key of {len(material)} bytes; expected {expected.start} to {expected.stop - 1}"
            )
        if kind is KeyKind.PUBLIC and int.from_bytes(material, "little") % 2**255 in _SMALL_ORDER:
            raise ValueError("found a whpk_ key under which anybody could sign; expected one made of a private key")
        return cls(kind, material)

    @property
    def version(self) -> SignatureVersion:
        """The way of signing that this key belongs to."""
        return SignatureVersion.HMAC_SHA256 if self.kind is KeyKind.SECRET else SignatureVersion.ED25519

    def public(self) -> WebhookKey:
        """The public half, to give to whoever checks. Raises ValueError for a shared secret, which has none."""
        if self.kind is KeyKind.SECRET:
            raise ValueError("a shared secret has no public half")
        if self.kind is KeyKind.PUBLIC:
            return self
        pair = Ed25519PrivateKey.from_private_bytes(self.material)
        return WebhookKey(KeyKind.PUBLIC, pair.public_key().public_bytes_raw())

    def signature(self, content: bytes) -> bytes:
        """Signs. Raises ValueError for a public key, which cannot."""
        if self.kind is KeyKind.SECRET:
            return hmac.digest(self.material, content, "sha256")
        if self.kind is KeyKind.PRIVATE:
            return Ed25519PrivateKey.from_private_bytes(self.material).sign(content)
        raise ValueError("a public key cannot sign")

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's. A secret compares in constant time."""
        if self.kind is KeyKind.SECRET:
            return hmac.compare_digest(self.signature(content), signature)
        try:
            Ed25519PublicKey.from_public_bytes(self.public().material).verify(signature, content)
        except (InvalidSignature, ValueError):  # ValueError: the public key is no point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signed:
    """A webhook whose signature is good: the sender's id of the event, and when it was signed (to the second)."""

    event_id: str
    sent_at: datetime


def verify(headers: Mapping[str, str], body: bytes, keys: Iterable[WebhookKey], now: datetime) -> Signed:
    """Checks a webhook against every live key; none of them is left out because another one fitted.

    Args:
        headers: as received; their names compare without case.
        body: the bytes as received.
        keys: all that may have signed it: the present ones and those on their way out.
        now: our time.

    Raises WebhookRefused, of one kind and without detail, when it is not to be believed: a wrong key, a time of
    signing more than ``TOLERANCE`` away, a header missing, double or malformed, a body too long or not UTF-8.
    A signature of a version that the standard may yet get is passed over.
    """
    event_id, timestamp = _event_id(headers), _header(headers, TIMESTAMP_HEADER, _TIMESTAMP_DIGITS)
    sent_at = _sent_at(timestamp)
    if abs(now - sent_at) > TOLERANCE:
        raise WebhookRefused(f"signed at {sent_at.isoformat()}, which is more than {TOLERANCE} from now")
    if len(body) > BODY_LIMIT:
        raise WebhookRefused(f"a body of {len(body)} bytes; expected at most {BODY_LIMIT}")
    try:
        body.decode()
    except UnicodeDecodeError:
        raise WebhookRefused("the body is not UTF-8") from None
    content = _content(event_id, timestamp, body)
    signatures = _signatures(_header(headers, SIGNATURE_HEADER, _SIGNATURES_LENGTH))
    good = False
    for key in keys:
        for version, signature in signatures:
            if version is key.version:
                good |= key.signed(content, signature)
    if not good:
        raise WebhookRefused("no signature of a live key")
    return Signed(event_id, sent_at)


def sign(event_id: str, instant: datetime, body: bytes, *keys: WebhookKey) -> dict[str, str]:
    """The three headers of a webhook, signed at ``instant`` (whole seconds) by each key.

    Raises ValueError when the id could not be told from what follows it, a key cannot sign, or there is none.
    """
    if not _is_id(event_id):
        raise ValueError(f"found the event id {event_id!r}; expected 1 to {ID_LIMIT} visible characters without a dot")
    if not keys:
        raise ValueError("found no key to sign with")
    timestamp = str((instant - _EPOCH) // timedelta(seconds=1))
    content = _content(event_id, timestamp, body)
    signatures = (f"{key.version.value},{base64.b64encode(key.signature(content)).decode()}" for key in keys)
    return {ID_HEADER: event_id, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: " ".join(signatures)}


def _content(event_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{event_id}.{timestamp}.".encode() + body


def _header(headers: Mapping[str, str], name: str, limit: int) -> str:
    found = [value for key, value in headers.items() if key.lower() == name]
    if len(found) != 1:
        raise WebhookRefused(f"the header {name} is there {len(found)} times; expected once")
    if not 0 < len(found[0]) <= limit:
        raise WebhookRefused(f"the header {name} has {len(found[0])} characters; expected 1 to {limit}")
    return found[0]


def _is_id(text: str) -> bool:
    # A dot would let id and timestamp be cut elsewhere under the same signature.
    return 0 < len(text) <= ID_LIMIT and text.isascii() and text.isprintable() and not {".", " "} & set(text)


def _event_id(headers: Mapping[str, str]) -> str:
    event_id = _header(headers, ID_HEADER, ID_LIMIT)
    if not _is_id(event_id):
        raise WebhookRefused("an id with a dot, a space or an unprintable character")
    return event_id


def _sent_at(timestamp: str) -> datetime:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookRefused("the timestamp is no whole number of seconds")
    return _EPOCH + timedelta(seconds=int(timestamp))


def _signatures(text: str) -> list[tuple[SignatureVersion, bytes]]:
    parts = text.split(" ")
    if len(parts) > SIGNATURES_LIMIT:
        raise WebhookRefused(f"{len(parts)} signatures; expected at most {SIGNATURES_LIMIT}")
    known = {version.value: version for version in SignatureVersion}
    read = []
    for part in parts:
        name, comma, encoded = part.partition(",")
        if not (name and comma and encoded):
            raise WebhookRefused("a signature without its version")
        if name not in known:
            continue
        try:
            signature = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise WebhookRefused("a signature that is no base64") from None
        if len(signature) != _SIGNATURE_BYTES[known[name]]:
            raise WebhookRefused(f"a {name} signature of {len(signature)} bytes")
        read.append((known[name], signature))
    return read
