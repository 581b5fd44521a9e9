"""Whether a CSV file's quotes are what RFC 4180 says they are."""

from __future__ import annotations

import os
import re
from typing import BinaryIO

from gateway.kit.files.recognise import UTF8_MARK
from gateway.kit.files.stream import READ

# RFC 4180: a quote opens after a separator and closes before one; a doubled quote closes and opens again.
# Possessive, so that a mismatch is found in one pass.
_WELL_QUOTED = re.compile(rb'(?:[^"]*+(?<![^,\n"])"[^"]*+"(?![^,\r\n"]))*+[^"]*+')


def is_well_quoted(file: BinaryIO, record_bytes: int) -> bool:
    """Whether every quote in the file opens, closes or doubles. Reads all of it, leaving its own position alone.

    A record of more than twice ``record_bytes`` counts as badly quoted: a quote was left open.
    """
    rest = os.pread(file.fileno(), READ, 0)
    at = len(rest)
    rest = rest.removeprefix(UTF8_MARK)
    while more := os.pread(file.fileno(), READ, at):
        at += len(more)
        rest += more
        end = _last_line_end(rest)
        if not _WELL_QUOTED.fullmatch(rest[:end]) or len(rest) - end > 2 * record_bytes + READ:
            return False
        rest = rest[end:]
    return _WELL_QUOTED.fullmatch(rest) is not None


def _last_line_end(content: bytes) -> int:
    """The place after the last line end that is outside quotes; 0 where there is none."""
    end = content.rfind(b"\n") + 1
    if content.count(b'"', 0, end) % 2 == 0:
        return end
    opening = content.rfind(b'"', 0, end)
    while True:
        closing = content.rfind(b'"', 0, opening)
        end = content.rfind(b"\n", max(closing, 0), opening) + 1
        if end or closing < 0:
            return end
        opening = content.rfind(b'"', 0, closing)
