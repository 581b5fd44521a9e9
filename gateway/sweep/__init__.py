"""The comparison of two books of serial blocks: exact segments, a verdict, and the identity of a break.

``overlaps`` looks inside one book, ``compare`` between two, both in an ``Engine``. Importing this
package loads neither DuckDB nor Ibis; comparing does.
"""

from gateway.sweep.comparison import SEGMENT_LIMIT, compare, overlaps
from gateway.sweep.engine import Engine
from gateway.sweep.verdict import (
    BreakKind,
    Comparison,
    Overlaps,
    Segment,
    SegmentKind,
    Total,
    Verdict,
    break_id,
)

__all__ = [
    "SEGMENT_LIMIT",
    "BreakKind",
    "Comparison",
    "Engine",
    "Overlaps",
    "Segment",
    "SegmentKind",
    "Total",
    "Verdict",
    "break_id",
    "compare",
    "overlaps",
]
