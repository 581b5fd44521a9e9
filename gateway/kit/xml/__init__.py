"""XML files as a market sends them, read safely, fast and in bounded memory.

A file is an envelope (header, body, trailer) around a long run of flat records of one kind. What is accepted is
elements and text and nothing else. A document type, an entity of one's own, a processing instruction, a comment, a
CDATA section, an attribute or a namespace is refused before anything acts on it, so that no file can name another
one, expand or hide anything. The encoding is the one that the market promised, whatever a file declares.

lxml parses and validates, a piece of the file at a time; xmlschema says why a record was refused, with its path. A
record that the schema refuses stops no other one. The envelope's totals and its digest over the bytes as sent are
checked at the end, so a file's rows are only to be believed when it was read to the end.

::

    stream = RecordStream(file, SHAPE, Records("持有记录", quantity="持有数量"), schema)
    stream.header                    # the header's fields
    for batch in stream.batches():   # raises UnusableFile
        batch.frame                  # "_row" and one String column per child element of a record
        batch.rejected               # records that the schema refuses, with their text and the reason
    stream.trailer
"""

from __future__ import annotations

from gateway.kit.xml.schema import Schema
from gateway.kit.xml.shape import Limits, Records, Shape
from gateway.kit.xml.stream import Batch, RecordStream

__all__ = ["Batch", "Limits", "RecordStream", "Records", "Schema", "Shape"]
