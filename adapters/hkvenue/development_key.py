"""Keys that protect nothing: what the stand-in knows, and the settings have until real keys are set.

They are made of public numbers, the largest primes of 1024 bits, so that anybody can work them out; they are here so
that a person can try the gateway on the stand-in without making keys first. The settings refuse them wherever a
request could reach somebody.
"""

from __future__ import annotations

import base64
import math
from enum import Enum
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_EXPONENT: Final = 65537

WEBHOOK_KEY: Final = "whsec_" + base64.b64encode(b"a development key, it protects nothing").decode()
"""The secret of the stand-in's webhooks, in the words of Standard Webhooks."""


class DevelopmentKey(Enum):
    """Two RSA keys of 2048 bits, each by what its two primes lack to ``2 ** 1024``."""

    AGENT = (105, 179)
    MACHINE = (1397, 3177)

    @property
    def modulus(self) -> int:
        """The public number by which the key is known again, however it is written."""
        first, second = self._primes()
        return first * second

    def _primes(self) -> tuple[int, int]:
        first, second = self.value
        return 2**1024 - first, 2**1024 - second


@cache
def development_pem(key: DevelopmentKey) -> str:
    """A development key as PEM (PKCS 8)."""
    first, second = key._primes()  # noqa: SLF001 - the class above is of this module
    private = pow(_EXPONENT, -1, math.lcm(first - 1, second - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=first,
        q=second,
        d=private,
        dmp1=rsa.rsa_crt_dmp1(private, first),
        dmq1=rsa.rsa_crt_dmq1(private, second),
        iqmp=rsa.rsa_crt_iqmp(first, second),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, first * second),
    )
    return numbers.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
