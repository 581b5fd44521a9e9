"""Standard Webhooks: what is signed is believed, and nothing else is."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.kit.errors import WebhookRefused
from gateway.kit.signature import (
    BODY_LIMIT,
    ID_LIMIT,
    SIGNATURES_LIMIT,
    KeyKind,
    SignatureVersion,
    Signed,
    WebhookKey,
    sign,
    verify,
)

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
BODY = '{"type":"trade.executed","data":{"名":"碳"}}'.encode()


def text_of(kind: KeyKind, material: bytes) -> str:
    return kind.value + base64.b64encode(material).decode()


SECRET = WebhookKey.parse(text_of(KeyKind.SECRET, bytes(range(32))))
OTHER = WebhookKey.parse(text_of(KeyKind.SECRET, bytes(range(1, 33))))
PRIVATE = WebhookKey.parse(text_of(KeyKind.PRIVATE, bytes(range(2, 34))))


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize("key", [SECRET, PRIVATE])
def test_what_is_signed_is_verified(key: WebhookKey) -> None:
    headers = sign("evt_1", NOW, BODY, key)
    checking = key if key.kind is KeyKind.SECRET else key.public()
    assert verify(headers, BODY, [checking], NOW) == Signed("evt_1", NOW)


def test_the_published_example_of_the_standard_is_reproduced() -> None:
    """The HMAC example that the standard's own libraries test with."""
    key = WebhookKey.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body, key)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_any_live_key_may_have_signed_whatever_its_place() -> None:
    for keys in ([SECRET, OTHER, PRIVATE.public()], [PRIVATE.public(), OTHER, SECRET]):
        assert verify(sign("evt_1", NOW, BODY, SECRET), BODY, keys, NOW).event_id == "evt_1"
    both = sign("evt_1", NOW, BODY, OTHER, PRIVATE)
    assert verify(both, BODY, [PRIVATE.public()], NOW).event_id == "evt_1"
    assert verify(both, BODY, [OTHER], NOW).event_id == "evt_1"


def test_every_key_is_tried_also_after_one_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[WebhookKey] = []
    original = WebhookKey.signed

    def noted(self: WebhookKey, content: bytes, signature: bytes) -> bool:
        tried.append(self)
        return original(self, content, signature)

    monkeypatch.setattr(WebhookKey, "signed", noted)
    verify(sign("evt_1", NOW, BODY, SECRET), BODY, [SECRET, OTHER], NOW)
    assert tried == [SECRET, OTHER]


def test_a_signature_of_a_version_to_come_is_passed_over() -> None:
    headers = sign("evt_1", NOW, BODY, SECRET)
    known = headers["webhook-signature"]
    assert verify({**headers, "webhook-signature": f"v9,whatever {known}"}, BODY, [SECRET], NOW).event_id == "evt_1"
    with pytest.raises(WebhookRefused):
        verify({**headers, "webhook-signature": "v9,whatever"}, BODY, [SECRET], NOW)


def test_header_names_compare_without_case() -> None:
    headers = {name.title(): value for name, value in sign("evt_1", NOW, BODY, SECRET).items()}
    assert verify(headers, BODY, [SECRET], NOW).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_tolerated(seconds: int) -> None:
    headers = sign("evt_1", NOW, BODY, SECRET)
    assert verify(headers, BODY, [SECRET], NOW + timedelta(seconds=seconds)).sent_at == NOW


@pytest.mark.parametrize("seconds", [-301, 301])
def test_more_is_refused(seconds: int) -> None:
    headers = sign("evt_1", NOW, BODY, SECRET)
    with pytest.raises(WebhookRefused):
        verify(headers, BODY, [SECRET], NOW + timedelta(seconds=seconds))


GOOD = sign("evt_1", NOW, BODY, SECRET)
MALFORMED: dict[str, dict[str, str]] = {
    "no id": without(GOOD, "webhook-id"),
    "no timestamp": without(GOOD, "webhook-timestamp"),
    "no signature": without(GOOD, "webhook-signature"),
    "two ids": {**GOOD, "Webhook-Id": "evt_1"},
    "two signatures headers": {**GOOD, "WEBHOOK-SIGNATURE": GOOD["webhook-signature"]},
    "an empty id": {**GOOD, "webhook-id": ""},
    "an id with a dot": {**GOOD, "webhook-id": "evt.1"},
    "a long id": {**GOOD, "webhook-id": "e" * (ID_LIMIT + 1)},
    "an id beyond ASCII": {**GOOD, "webhook-id": "evt_碳"},
    "another id": {**GOOD, "webhook-id": "evt_2"},
    "another time": {**GOOD, "webhook-timestamp": str(int(GOOD["webhook-timestamp"]) + 1)},
    "a time with a sign": {**GOOD, "webhook-timestamp": "+" + GOOD["webhook-timestamp"]},
    "a time with a fraction": {**GOOD, "webhook-timestamp": GOOD["webhook-timestamp"] + ".0"},
    "a time in other digits": {**GOOD, "webhook-timestamp": "١٧٨٤٠٨٤٤٠٠"},
    "a time of many digits": {**GOOD, "webhook-timestamp": "9" * 5000},
    "a signature without version": {**GOOD, "webhook-signature": GOOD["webhook-signature"].removeprefix("v1,")},
    "a signature that is no base64": {**GOOD, "webhook-signature": "v1,*" + "A" * 43},
    "a short signature": {**GOOD, "webhook-signature": "v1,QUJD"},
    "the signature of the other version": {**GOOD, "webhook-signature": GOOD["webhook-signature"].replace("v1", "v1a")},
    "an empty signature beside a good one": {**GOOD, "webhook-signature": GOOD["webhook-signature"] + " v1,"},
    "a double space": {**GOOD, "webhook-signature": GOOD["webhook-signature"] + "  v9,A"},
    "too many signatures": {**GOOD, "webhook-signature": " ".join(["v9,A"] * (SIGNATURES_LIMIT + 1))},
    "a very long signature": {**GOOD, "webhook-signature": "v1," + "A" * 100_000},
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_headers_are_refused_alike(headers: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused) as refused:
        verify(headers, BODY, [SECRET], NOW)
    assert str(refused.value) == "the webhook was refused"


def test_a_wrong_key_no_key_and_another_body_are_refused() -> None:
    for keys, body in (([OTHER], BODY), ([], BODY), ([PRIVATE.public()], BODY), ([SECRET], BODY + b" ")):
        with pytest.raises(WebhookRefused):
            verify(GOOD, body, keys, NOW)


def test_a_body_that_is_not_utf8_or_too_long_is_refused_though_well_signed() -> None:
    for body in (b'{"name":"\xff"}', b" " * (BODY_LIMIT + 1)):
        with pytest.raises(WebhookRefused):
            verify(sign("evt_1", NOW, body, SECRET), body, [SECRET], NOW)


@given(
    event_id=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1),
    body=st.text().map(str.encode),
    material=st.binary(min_size=24, max_size=64),
    seconds=st.integers(0, 2**33),
)
def test_signing_and_verifying_agree(event_id: str, body: bytes, material: bytes, seconds: int) -> None:
    key = WebhookKey.parse(text_of(KeyKind.SECRET, material))
    instant = datetime.fromtimestamp(seconds, UTC)
    assert verify(sign(event_id, instant, body, key), body, [key], instant) == Signed(event_id, instant)


def test_a_key_never_shows_its_bytes() -> None:
    for key in (SECRET, PRIVATE):
        assert repr(key.material) not in repr(key)
        assert base64.b64encode(key.material).decode() not in repr(key)


def test_a_private_key_may_carry_its_public_half() -> None:
    seed = bytes(range(2, 34))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert WebhookKey.parse(text_of(KeyKind.PRIVATE, seed + public)) == PRIVATE
    assert WebhookKey.parse(text_of(KeyKind.PUBLIC, public)) == PRIVATE.public()
    with pytest.raises(ValueError, match="another key"):
        WebhookKey.parse(text_of(KeyKind.PRIVATE, seed + public[::-1]))


@pytest.mark.parametrize(
    "text",
    ["", "secret", "whsec_", "whsec_***", "whsec_" + "QUJD", text_of(KeyKind.SECRET, bytes(65)), "whsk_QUJD", "whpk_"],
)
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^found a ") as refused:
        WebhookKey.parse(text)
    assert text.partition("_")[2] not in str(refused.value) or not text.partition("_")[2]


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize(
    "ordinate",
    [
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    ],
)
def test_a_public_key_under_which_anybody_could_sign_is_refused(ordinate: str, sign_bit: int) -> None:
    material = bytearray.fromhex(ordinate)
    material[-1] |= sign_bit
    with pytest.raises(ValueError, match="anybody could sign"):
        WebhookKey.parse(text_of(KeyKind.PUBLIC, bytes(material)))


def test_who_cannot_sign_says_so() -> None:
    with pytest.raises(ValueError, match="cannot sign"):
        sign("evt_1", NOW, BODY, PRIVATE.public())
    with pytest.raises(ValueError, match="no key"):
        sign("evt_1", NOW, BODY)
    with pytest.raises(ValueError, match="without a dot"):
        sign("evt.1", NOW, BODY, SECRET)
    with pytest.raises(ValueError, match="no public half"):
        SECRET.public()
    assert PRIVATE.version is SignatureVersion.ED25519
