"""GB18030 with its four-byte characters, in the editions that senders write."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.kit.files.gb18030 import in_current_edition
from tests.unit.xml_samples import read, record, written

FOUR_BYTES = "龦㐀䶿𠀀𫝀𬭎\U0002b363\U00030ede\U0003134a"


def test_four_byte_characters_come_through() -> None:
    assert all(len(one.encode("gb18030")) == 4 for one in FOUR_BYTES)
    (batch,) = read(written([record(f"虚构{FOUR_BYTES}公司", 1)], count=1, total=1))
    assert batch.frame.item(0, "号") == f"虚构{FOUR_BYTES}公司"


def test_a_character_may_lie_across_two_reads() -> None:
    from gateway.kit.xml import Limits

    content = written([record(FOUR_BYTES * 3, 1)], count=1, total=1)
    for size in range(1, 30):
        (batch,) = read(content, limits=Limits(read_bytes=size))
        assert batch.frame.item(0, "号") == FOUR_BYTES * 3


@pytest.mark.parametrize("byte", [0x81, 0xA6, 0xFE])
def test_two_byte_sequences_mean_what_the_current_edition_says(byte: int) -> None:
    """libxml2 converts as the current edition does; Python decodes as the one of 2000."""
    for second in [*range(0x40, 0x7F), *range(0x80, 0xFF)]:
        sequence = bytes([byte, second])
        try:
            ours = in_current_edition(sequence.decode("gb18030").encode()).decode()
        except UnicodeDecodeError:
            continue
        theirs = etree.fromstring(b'<?xml version="1.0" encoding="GB18030"?><a>' + sequence + b"</a>").text
        assert ours == theirs, sequence.hex()


def test_a_sender_of_the_first_edition_and_one_of_the_current_edition_are_both_read() -> None:
    for sequence in (b"\xfe\x59", "\u9fb4".encode("gb18030")):
        content = written([record("@", 1)], count=1, total=1).replace(b"@", sequence)
        digest_free = content.split("<尾>".encode("gb18030"))[0]
        from adapters.hubei.client import sm3

        whole = digest_free + f"<尾><摘要>{sm3(digest_free)}</摘要></尾></文件>".encode("gb18030")
        assert read(whole)[0].frame.item(0, "号") == "\u9fb4"
