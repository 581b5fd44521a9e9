"""Files that attack their reader: each is refused with a clear error, and none takes memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gateway.kit.xml import Limits
from gateway.model.errors import UnusableFile
from tests.unit.xml_samples import read, record, written

ENTITIES = '<!DOCTYPE 文件 [<!ENTITY a0 "哈">' + "".join(
    f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 12)
)
PROLOGS = {
    "billion laughs": f"{ENTITIES}]>",
    "quadratic blow-up": f'<!DOCTYPE 文件 [<!ENTITY a "{"哈" * 20_000}">]>',
    "external entity, file": '<!DOCTYPE 文件 [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "external entity, http": '<!DOCTYPE 文件 [<!ENTITY a SYSTEM "http://127.0.0.1:9/a">]>',
    "parameter entity": '<!DOCTYPE 文件 [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
    "external document type": '<!DOCTYPE 文件 SYSTEM "http://127.0.0.1:9/d.dtd">',
    "public document type": '<!DOCTYPE 文件 PUBLIC "-//X//Y" "http://127.0.0.1:9/d.dtd">',
    "document type alone": "<!DOCTYPE 文件>",
    "document type behind white space": "\n \t\r\n<!DOCTYPE 文件>",
}


@pytest.mark.parametrize("prolog", PROLOGS.values(), ids=PROLOGS.keys())
def test_a_document_type_is_refused_before_anything_in_it_is_read(prolog: str) -> None:
    body = [record("a", 1).replace("<量>1<", "<量>&a;&a11;<")]
    with pytest.raises(UnusableFile, match="a document type"):
        read(written(body, count=1, total=1, prolog=prolog))


def test_the_same_whatever_size_the_bytes_come_in() -> None:
    content = written([record("a", 1)], count=1, total=1, prolog=PROLOGS["document type alone"])
    for size in range(1, 70):
        with pytest.raises(UnusableFile, match=r"document type|markup declaration"):
            read(content, limits=Limits(read_bytes=size))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (record("&xxe;", 1).replace("&amp;", "&"), "Entity 'xxe' not defined"),
        (record("a", 1).replace("a", "<!DOCTYPE x>"), "a document type"),
        (record("a", 1).replace("a", "<!ENTITY x 'y'>"), "the declaration of an entity"),
        (record("a", 1).replace("a", "<![CDATA[a]]>"), "a CDATA section"),
        (record("a", 1) + "<!-- 注 -->", "a comment"),
        (record("a", 1) + '<?xml-stylesheet href="http://127.0.0.1:9/"?>', "a processing instruction"),
        (record("a", 1) + "<?php x?>", "a processing instruction"),
        (
            record("a", 1) + '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>',
            "attribute 'href'",
        ),
        (record("a", 1).replace("<笔>", '<笔 id="1">'), "the attribute 'id' of <笔>"),
        (record("a", 1).replace("<笔>", "<笔 xml:space = 'preserve'>"), "the attribute"),
        (record("a", 1) + "text", "a body that the schema refuses"),
        (record("a", "x") + "text", "a body that the schema refuses"),
        ("text" + record("a", 1), "a body that the schema refuses"),
        ("</体><体>" + record("a", 1), "an envelope that the schema refuses"),
        (record("a", 1) + "</体></文件><文件><体>", "broken XML"),
        (record("a", 1).replace("a", "\x01"), "broken XML"),
        (record("a", 1).replace("a", "&#0;"), "broken XML"),
        (record("a", 1).replace("a", "&#xD800;"), "broken XML"),
        (record("a", 1).replace("a", "\0"), "a NUL character"),
        ("<笔>" * 300 + "</笔>" * 300, "Excessive depth"),
        ("<笔><号>a</量></笔>", "broken XML"),
    ],
)
def test_what_is_no_element_or_text_is_refused(body: str, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        read(written(body, count=1, total=1))


INSTANCE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://127.0.0.1:9/a.xsd"])
def test_a_schema_location_is_never_followed(place: str) -> None:
    for hint in (f'xsi:noNamespaceSchemaLocation="{place}"', f'xsi:schemaLocation="urn:x {place}"', 'xsi:nil="true"'):
        with pytest.raises(UnusableFile, match="root element without attributes"):
            read(written([record("a", 1)], count=1, total=1, root=f"<文件 {INSTANCE} {hint}>"))
        inner = record("a", 1).replace("<笔>", f"<笔 {INSTANCE} {hint}>")
        with pytest.raises(UnusableFile, match=r"the attribute .*XMLSchema-instance"):
            read(written([inner], count=1, total=1))


def test_a_text_may_speak_of_namespaces() -> None:
    (batch,) = read(written([record("xmlns='urn:x' a=1", 1)], count=1, total=1))
    assert batch.frame.get_column("号").to_list() == ["xmlns='urn:x' a=1"]


def test_a_namespace_is_another_vocabulary() -> None:
    with pytest.raises(UnusableFile, match="root element without attributes"):
        read(written([record("a", 1)], count=1, total=1, root='<文件 xmlns="urn:x">'))
    for declared in ('xmlns="urn:x"', 'xmlns:x="urn:x"', 'xmlns=""', INSTANCE):
        inner = record("a", 1).replace("<笔>", f"<笔 {declared}>")
        with pytest.raises(UnusableFile, match="the declaration of a namespace in the body"):
            read(written([inner], count=1, total=1))
        with pytest.raises(UnusableFile, match="the declaration of a namespace in the header"):
            read(
                written([record("a", 1)], count=1, total=1).replace(
                    "<头>".encode("gb18030"), f"<头 {declared}>".encode("gb18030")
                )
            )


@pytest.mark.parametrize("declared", ["UTF-8", "GBK", "GB2312", "UTF-7", "UTF-16", "ISO-8859-1", "x-nonsense"])
def test_another_declared_encoding_is_refused(declared: str) -> None:
    with pytest.raises(UnusableFile, match=f"the encoding {declared}"):
        read(written([record("a", 1)], count=1, total=1, declared=declared))


def test_bytes_that_are_not_what_they_are_declared_to_be_are_refused() -> None:
    chinese = written([record("甲", 1)], count=1, total=1, declared="UTF-8")
    with pytest.raises(UnusableFile, match="which is no UTF-8"):
        read(chinese, "UTF-8")
    cut = written([record("甲", 1)], count=1, total=1).replace("甲".encode("gb18030"), b"\xbc\x20")
    with pytest.raises(UnusableFile, match="which is no GB18030"):
        read(cut)
    with pytest.raises(UnusableFile, match="cut off within a character"):
        read(written([record("a", 1)], count=1, total=1) + b"\x81\x30")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"   ", "found"),
        (b"<html><body>login</body></html>", "found '<html>"),
        ("<文件/>".encode("utf-16"), "byte order mark of UTF-16"),
        ("<文件/>".encode("utf-16-le"), "UTF-16"),
        ("<文件/>".encode("utf-16-be"), "UTF-16"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><a/>", "byte order mark of UTF-8"),
        ("\ufeff<文件/>".encode("gb18030"), "byte order mark of GB18030"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"\x1f\x8b\x08rest", "a gzip archive"),
        (b'<?xml version="1.1" encoding="GB18030"?><a/>', "found"),
        (b'<?xml version="1.0"?><a/>', "found"),
        (b'<?xml version="1.0" encoding="GB18030"?>', "ends before its <"),
        (b'<?xml version="1.0" encoding="GB18030"?><a/>', "ends before its <"),
        (b'<?xml version="1.0" encoding="GB18030"?>' + b" " * 70_000, "from one tag to the next"),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        read(content)


def test_a_file_that_ends_anywhere_too_early_is_refused() -> None:
    content = written([record("甲", 1), record("乙", 2)], count=2, total=3, end="</文件>")
    assert read(content)
    for length in range(len(content)):
        with pytest.raises(UnusableFile):
            read(content[:length])


@pytest.mark.parametrize("end", ["</文件><文件/>", "</文件>text", "</文件></文件>", "<尾/></文件>", "<x/></文件>", ""])
def test_a_second_root_or_a_second_trailer_is_refused(end: str) -> None:
    with pytest.raises(UnusableFile):
        read(written([record("a", 1)], count=1, total=1, end=end))


HUGE = textwrap.dedent(
    """
    import itertools, pathlib, sys
    from gateway.model.errors import UnusableFile
    from tests.unit.xml_samples import read, record, written

    class Made:
        \"\"\"A file that is made up while it is read.\"\"\"
        def __init__(self, parts):
            self._parts, self.given = parts, 0
        def read(self, size):
            part = next(self._parts, b"")
            self.given += len(part)
            return part

    head, tail = written("@", count=1, total=1).split(b"@")
    open_, close = record("@", 1).encode("gb18030").split(b"@")
    gigabyte = 2_048
    piece = 512 << 10
    def around(middle):
        return Made(itertools.chain([head], middle, [tail]))
    def named(number):
        return ("<笔>" + "".join(f"<n{number}x{i}/>" for i in range(2_000)) + "</笔>").encode("gb18030")
    attacks = {
        "one text": around(itertools.chain([open_], itertools.repeat(b"a" * piece, gigabyte), [close])),
        "one tag's attributes": around([b"<x " + b" ".join(b'a%d=\"\"' % i for i in range(1_000_000)) + b"/>"]),
        "one tag's attribute": around(itertools.chain([b"<x a='"], itertools.repeat(b"a" * piece, gigabyte), [b"'/>"])),
        "one name": around(itertools.chain([b"<"], itertools.repeat(b"a" * piece, gigabyte))),
        "white space": around(itertools.repeat(b" " * piece, gigabyte)),
        "depth": around(itertools.repeat(b"<a>" * (piece // 3), gigabyte)),
        "one record's children": around(itertools.chain([b"<x>"], itertools.repeat(b"<a/>" * (piece // 4), gigabyte))),
        "refused records": around(itertools.repeat("<笔></笔>".encode("gb18030") * 50_000, gigabyte)),
        "names": around(named(number) for number in range(gigabyte)),
        "header": Made(itertools.chain(
            ['<?xml version="1.0" encoding="GB18030"?><文件><头>'.encode("gb18030")],
            itertools.repeat(b"<a/>" * (piece // 4), gigabyte))),
        "trailer": around(itertools.chain(["</体><尾>".encode("gb18030")],
            itertools.repeat(b"<a/>" * (piece // 4), gigabyte))),
    }
    def peak():
        # A child's ru_maxrss begins with its parent's; this is the process's own.
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    read(written(record("a", 1), count=1, total=1))
    for name, file in attacks.items():
        before = peak()
        try:
            read(file)
        except UnusableFile as error:
            print(name, "|", file.given >> 20, "|", (peak() - before) >> 10, "|", error)
        else:
            sys.exit(f"{name} was read")
    """
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's peak memory is read from Linux's /proc")
def test_a_gigabyte_of_anything_is_refused_within_a_few_megabytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUGE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(" | ") for line in done.stdout.splitlines()]
    assert len(lines) == 11
    for name, megabytes_read, megabytes_grown, _ in lines:
        assert int(megabytes_grown) < 100, (name, megabytes_grown)
        assert int(megabytes_read) < 100, (name, megabytes_read)
