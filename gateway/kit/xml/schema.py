"""A schema twice: lxml's, which is fast, and xmlschema's, which can say what is wrong and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from lxml import etree

from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    import xmlschema

REASONS: Final = 3
"""How many faults of one element are told."""
REASON_CHARACTERS: Final = 500
EXPLAINED_ELEMENTS: Final = 500
"""xmlschema lists every fault of an element before it tells the first, so it is not asked about larger ones."""


def hardened_parser() -> etree.XMLParser:
    """A parser that expands no entity, loads nothing, asks no network and keeps libxml2's limits."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        collect_ids=False,
    )


def finder(path: str) -> Callable[[etree._Element], Any]:
    """A compiled XPath that gives plain texts and numbers."""
    return etree.XPath(path, smart_strings=False)


_ELEMENTS: Final = finder("count(.//*)")


class Schema:
    """A schema of ours (XSD 1.0), from its own text alone: what it would include or import is not loaded.

    Args:
        source: the schema's text.
        name: what it is called in messages.

    Raises ConfigurationError when it is no schema.
    """

    def __init__(self, source: bytes, name: str) -> None:
        self._source = source
        self._name = name
        try:
            self._fast = etree.XMLSchema(etree.fromstring(source, hardened_parser()))
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise ConfigurationError(f"schema {name}: {error}") from error

    @cached_property
    def _model(self) -> xmlschema.XMLSchema:
        # It takes longer to load and to build than a usual file takes to read.
        import xmlschema

        return xmlschema.XMLSchema(self._source.decode(), defuse="always", allow="local")

    def columns(self, record: str) -> tuple[str, ...]:
        """The children of a record, in their order.

        Raises ConfigurationError when the schema has no such element at its top, or when it is not a flat sequence in
        which every child holds text and comes once at most.
        """
        from xmlschema.validators import XsdComplexType, XsdElement, XsdGroup

        element = self._model.elements.get(record)
        if element is None:
            raise ConfigurationError(f"schema {self._name}: found no element {record} at its top")
        kind = element.type
        group = kind.content if isinstance(kind, XsdComplexType) else None
        children = (
            list(group) if isinstance(group, XsdGroup) and group.model == "sequence" and group.max_occurs == 1 else []
        )
        names = [
            child.local_name
            for child in children
            if isinstance(child, XsdElement) and child.type.is_simple() and child.max_occurs == 1
        ]
        if not names or len(names) != len(children):
            raise ConfigurationError(f"schema {self._name}: {record} is no sequence of single elements that hold text")
        return tuple(names)

    def accepts(self, element: etree._Element) -> bool:
        """Whether an element, with all that is in it, is as the schema's top-level element of its name."""
        return self._fast.validate(element)

    def explain(self, element: etree._Element) -> str:
        """Why the schema refuses an element: the path and the reason of its first faults."""
        told = ""
        if _ELEMENTS(element) <= EXPLAINED_ELEMENTS:
            faults = islice(self._model.iter_errors(element), REASONS)
            told = "; ".join(f"{fault.path}: {fault.reason}" for fault in faults)
        if not told:
            # Too large, or the two disagree: the one that refused says why.
            self._fast.validate(element)
            log = cast("Iterable[Any]", self._fast.error_log)
            told = "; ".join(entry.message for entry in islice(log, REASONS))
        return " ".join(told.split())[:REASON_CHARACTERS]
