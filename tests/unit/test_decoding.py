"""Decoding loses nothing and lets nothing through that a market should not have sent."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def as_text(value: Any) -> Json:
    """What a value must come back as: the same, numbers as the text that wrote them."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {key: as_text(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_text(one) for one in value]
    return str(value)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | STORABLE | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STORABLE, inner, max_size=4),
    max_leaves=12,
)


@given(document=DOCUMENTS, escaped=st.booleans())
@example(document={"a": ["\U0001f333", "\\u0000", "\\ud800"]}, escaped=True)
def test_a_document_comes_back_as_it_was_written(document: Any, escaped: bool) -> None:
    assert decode_json(json.dumps(document, ensure_ascii=escaped).encode()) == as_text(document)


@given(st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z"))
@example("123456789012345678901234567890")
@example("0.10")
@example("1.0E7")
@example("-0")
def test_a_number_is_its_own_text_however_long(number: str) -> None:
    assert decode_json(f"[{number}]".encode()) == [number]
    assert decode_json(f'{{"holdingQuantity": {number}}}'.encode()) == {"holdingQuantity": number}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "broken JSON at character 0 of 0"),
        (b"   ", "broken JSON"),
        (b"<!doctype html><html></html>", "found HTML or XML"),
        (b"\r\n <?xml version='1.0'?><a/>", "found HTML or XML"),
        (b"\xef\xbb\xbf<html>", "broken JSON"),
        (b'{"entities":[{"entityId":1},{"ent', "expected a whole document"),
        (b'{"a":1}{"b":2}', "Extra data"),
        (b'{"a":1,}', "broken JSON"),
        (b"{'a':1}", "broken JSON"),
        (b"[01]", "broken JSON"),
        (b"[NaN]", "found NaN"),
        (b"[Infinity]", "found Infinity"),
        (b'{"sum":-Infinity}', "found -Infinity"),
        (b'{"serialNo":"a","quantity":1,"serialNo":"b"}', "found the key 'serialNo' twice"),
        (b'[{"x":{"a":null,"a":null}}]', "found the key 'a' twice"),
        ('{"a":"ü"}'.encode("cp1252"), "found byte 0xfc at 6, expected UTF-8"),
        ('{"a":1}'.encode("utf-16"), "found byte 0xff at 0, expected UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "broken JSON"),
        ('{"a":1}'.encode("utf-16-be"), "broken JSON"),
        (gzip.compress(b"{}"), "found byte 0x8b at 1, expected UTF-8"),
        (b'["\xed\xa0\x80"]', "found byte 0xed at 2"),
        (b'["a\x00b"]', "broken JSON"),
        (b'["a\nb"]', "broken JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested beyond reason"),
        (b'{"a":' * 100_000, "nested beyond reason"),
        (rb'{"note":"a\u0000b"}', r"found the character U\+0000 at 1 of the text 'a\\x00b'"),
        (rb'{"a\u0000":1}', r"U\+0000 at 1"),
        (rb'[[{"a":["ok",{"b":"\ud800"}]}]]', r"found the character U\+D800 at 0"),
        (rb'["\uDFFF"]', r"U\+DFFF"),
        (rb'["\udf33\ud83c"]', r"U\+DF33"),
        (rb'["\\\ud83c"]', r"U\+D83C at 1"),
    ],
)
def test_what_is_no_document_of_ours_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decode_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": "1"}),
        (b"  [true, false, null]\n", [True, False, None]),
        (rb'["\ud83c\udf33 \u00e9"]', ["\U0001f333 é"]),
        (rb'["\\u0000 and \\ud800"]', [r"\u0000 and \ud800"]),
        (b'"<html>"', "<html>"),
    ],
)
def test_what_only_looks_odd_is_read(body: bytes, value: Json) -> None:
    assert decode_json(body) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_never_anything_else(body: bytes) -> None:
    try:
        value = decode_json(body)
    except Undecodable:
        return
    assert not isinstance(value, float | int) or isinstance(value, bool)


ODD = st.sampled_from(["\0", "\ud800", "\udfff", "\ud83c", "\udf33", "\ue000", "\\", "u0000", "a"])


@given(
    st.lists(ODD, max_size=6).map("".join), st.sampled_from(["[{}]", '{{"a":{{{}:null}}}}', '[[],{{"a":[null,{}]}}]'])
)
def test_what_can_be_stored_is_read_and_nothing_else(text: str, form: str) -> None:
    body = form.format(json.dumps(text)).encode()
    meant = json.loads(body)  # two halves that stand side by side in JSON are one character
    storable = not any(one == "\0" or "\ud800" <= one <= "\udfff" for one in json.loads(json.dumps(text)))
    if storable:
        assert decode_json(body) == meant
    else:
        with pytest.raises(Undecodable, match="expected text that can be stored"):
            decode_json(body)


@given(st.integers(0, 10**18 - 1), st.integers(0, 9))
def test_a_whole_number_is_read_with_or_without_an_empty_fraction(number: int, zeros: int) -> None:
    assert whole_number(str(number), "rows") == number
    assert whole_number(f"{number}.{'0' * zeros}", "rows") == number


@given(st.decimals(min_value=0, max_value=10**9, places=4).filter(lambda one: one != one.to_integral_value()))
def test_a_fraction_is_never_rounded_to_a_whole_number(number: Decimal) -> None:
    with pytest.raises(Undecodable, match=r"rows is '.*', expected a whole number"):
        whole_number(f"{number:f}", "rows")


@pytest.mark.parametrize("value", ["", "-1", "+1", "1,000", "1e3", "٣", "1 ", "0x1", "1" * 19, None, True, [], {}])
def test_what_is_no_whole_number_is_refused(value: Json) -> None:
    with pytest.raises(Undecodable, match="expected a whole number"):
        whole_number(value, "rows")


def test_members_and_elements_say_what_stood_there_instead() -> None:
    assert members({"a": None}, "the page") == {"a": None}
    assert elements(["a"], "the list") == ["a"]
    for value, said in ((None, "missing or null"), (["a"], "an array"), ("x", "'x'"), (True, "True")):
        with pytest.raises(Undecodable, match=f"the page is {said}, expected an object"):
            members(value, "the page")  # type: ignore[arg-type]
    with pytest.raises(Undecodable, match="the list is an object, expected an array"):
        elements({}, "the list")
