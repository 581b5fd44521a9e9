"""Mapping documents: what they may say, and how they are read.

A mapping is a document, not a program: somebody who knows the market and no Python can read it, check it and mend it.
Every source path is mapped or listed as ignored with a reason; every field names one converter of a closed list and
says what hangs on it (its class); every code list has the row "anything else". There are no expressions.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.model.errors import ConfigurationError
from gateway.model.vocabulary import FieldClass, QuantityUnit, RecordKind

DOCUMENT_LIMIT: Final = 1024 * 1024

Part = TypeVar("Part", bound="_Part")


class _Part(BaseModel):
    """A part of a document: frozen, and closed to words that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Rule(_Part):
    """How one field is read. ``source`` is written ``from`` in the document."""

    source: str = Field(alias="from", min_length=1, description="The path or heading it is read from.")
    field_class: FieldClass = Field(alias="class", description="What hangs on it.")
    optional: bool = Field(default=False, description="The path may be absent from the source altogether.")
    note: str | None = Field(default=None, description="What a reader should know.")


class TextRule(_Rule):
    """The text as it is, outer spaces removed. With ``pattern`` all of it must match."""

    convert: Literal["text"]
    pattern: str | None = None


class WholeUnitsRule(_Rule):
    """A whole number: ``1454054``, ``"1,454,054"``, ``235604.0``. Never rounded; zero only where ``zero`` says so."""

    convert: Literal["whole_units"]
    zero: bool = False


class DateRule(_Rule):
    """A calendar day in one of the named styles; a time of day behind it is left out."""

    convert: Literal["date"]
    styles: tuple[Literal["iso", "day_month_year", "excel_serial"], ...] = Field(min_length=1)


class YearsRule(_Rule):
    """A year or a span of years (``2024``, ``2003 - 2004``); gives the facts ``first_year`` and ``last_year``."""

    convert: Literal["years"]


class CodeRule(_Rule):
    """One word of a code list."""

    convert: Literal["code"]
    codes: str


class CodesRule(_Rule):
    """Several words of a code list in one text, parted by ``separator``."""

    convert: Literal["codes"]
    codes: str
    separator: str = Field(min_length=1)


class PresenceRule(_Rule):
    """One word where the source is filled, another where it is empty."""

    convert: Literal["presence"]
    present: str
    absent: str


class FlagRule(_Rule):
    """``true`` or ``false``; an empty source is ``absent`` where the document says so."""

    convert: Literal["flag"]
    absent: bool | None = None


class SerialRule(_Rule):
    """A serial number, read by its registry's grammar; ``gives`` fills other fields from what the serial says."""

    convert: Literal["serial"]
    grammar: str
    gives: dict[str, str] = Field(default_factory=dict)


class ConstantRule(_Part):
    """The same word on every row."""

    convert: Literal["constant"]
    value: str | bool
    field_class: FieldClass = Field(alias="class")
    note: str | None = None


SourceRule = (
    TextRule | WholeUnitsRule | DateRule | YearsRule | CodeRule | CodesRule | PresenceRule | FlagRule | SerialRule
)
Rule = Annotated[SourceRule | ConstantRule, Field(discriminator="convert")]


class Agreement(_Part):
    """Two things that must say the same; a row where they differ is quarantined or noted, under ``code``."""

    fields: tuple[str, str]
    code: str = Field(pattern=r"^[A-Z][A-Z_]+$")
    otherwise: Literal["quarantine", "note"]
    why: str


class Ignored(_Part):
    """Source paths that are read past on purpose, for one reason."""

    paths: tuple[str, ...] = Field(min_length=1)
    why: str = Field(min_length=10)


class MappingDocument(_Part):
    """One document: which rows it reads, what becomes of each path, what must agree."""

    mapping: str = Field(description="Its name: folder.file.")
    describes: str
    source: str = Field(description="Where this shape is known from.")
    record: RecordKind
    rows: str | None = Field(default=None, description="In JSON: the member that holds the rows, as in entities[].")
    recognise: tuple[str, ...] = Field(default=(), description="In a file: the headings that tell it from others.")
    native_key: str | None = Field(default=None, description="The path of the market's own id of a row.")
    quantity_unit: QuantityUnit | None = None
    fields: dict[str, Rule]
    facts: dict[str, Rule] = Field(default_factory=dict, description="Read only to be compared.")
    agree: tuple[Agreement, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    def paths(self) -> frozenset[str]:
        """Every source path that the document knows: mapped, compared or ignored."""
        rules = [*self.fields.values(), *self.facts.values()]
        read = {rule.source for rule in rules if not isinstance(rule, ConstantRule)}
        return frozenset(read | {path for one in self.ignored for path in one.paths} | ({self.native_key} if self.native_key else set()))


class CodeRow(_Part):
    """One word of the market and what it means in ours."""

    native: str
    means: str
    note: str | None = None


class CodeList(_Part):
    """A market's vocabulary. Words are compared without regard to case, spaces or the kind of dash."""

    codes: str = Field(description="Its name: folder.file.")
    describes: str
    source: str
    rows: tuple[CodeRow, ...]
    anything_else: Literal["quarantine", "leave_empty"] = Field(
        description="What becomes of a record with any other word."
    )


class Library:
    """The mapping documents and code lists of one package, with the digest of each as it was read.

    Args:
        folder: where they lie.
        shared: where the code lists common to all markets lie.
    """

    def __init__(self, folder: Traversable, shared: Traversable | None) -> None:
        self._folder = folder
        self._shared = shared
        self._lists: dict[str, tuple[CodeList, str]] = {}

    @classmethod
    def of_package(cls, package: str) -> Library:
        """The library of a package such as ``mappings.verra``; common lists lie beside it in ``common``."""
        folder = importlib.resources.files(package)
        common = importlib.resources.files(package.rpartition(".")[0]) / "common" if "." in package else None
        return cls(folder, common)

    def document(self, name: str) -> tuple[MappingDocument, str]:
        """A mapping document by its file's name, and the SHA-256 of its bytes.

        Raises ConfigurationError naming the file, the place in it and what is wrong there.
        """
        return self._read(MappingDocument, self._folder / f"{name}.yaml")

    def codes(self, name: str) -> tuple[CodeList, str]:
        """A code list: ``project-status`` from the package's own folder, ``common/countries`` from the shared one."""
        if name not in self._lists:
            self._lists[name] = self._read(CodeList, self._place(name))
        return self._lists[name]

    def _place(self, name: str) -> Traversable:
        if not name.startswith("common/"):
            return self._folder / f"{name}.yaml"
        if self._shared is None:
            raise ConfigurationError(f"code list {name}: this mapping package has no common folder beside it")
        return self._shared / f"{name.removeprefix('common/')}.yaml"

    @staticmethod
    def _read(kind: type[Part], path: Traversable) -> tuple[Part, str]:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"mapping document {path}: cannot be read ({error})") from error
        if len(content) > DOCUMENT_LIMIT:
            raise ConfigurationError(f"mapping document {path}: {len(content)} bytes, expected {DOCUMENT_LIMIT} at most")
        try:
            return kind.model_validate(yaml.load(content, _StrictLoader)), hashlib.sha256(content).hexdigest()
        except yaml.YAMLError as error:
            raise ConfigurationError(f"mapping document {path}: {error}") from error
        except ValidationError as error:
            places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigurationError(f"mapping document {path}: {places}") from error


class _StrictLoader(yaml.CSafeLoader):
    """YAML without surprises: words stay text (``NO`` is Norway), and no key is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]  # type: ignore[no-untyped-call]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"the key {sorted(twice)} stands twice in one place {node.start_mark}")
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null" or letter in "tf"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
