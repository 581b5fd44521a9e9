"""Mapping documents: what they may say, and how they are read.

A mapping is a document, not a program: somebody who knows the market and no Python can read it, check it and mend it.
Every source path is mapped or listed as ignored with a reason; every field names one converter of a closed list and
says what hangs on it (its class); every code list has the row "anything else". There are no expressions.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from zoneinfo import available_timezones

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.model.errors import ConfigurationError
from gateway.model.vocabulary import FieldClass, QuantityUnit, RecordKind

DOCUMENT_LIMIT: Final = 1024 * 1024
"""Bytes of one document at most."""
FAULTS_LIMIT: Final = 20
"""Faults told at once; the rest shows when these are mended."""

NAME: Final = r"^[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)+$"
WORD: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A word of ours; no plus sign, which joins labels in the name of a credit class."""

Document = TypeVar("Document", "MappingDocument", "CodeList")


def _whole(value: object) -> object:
    """A number of a document, where every word is text; anything else is left to the field to refuse."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 4 else value


_SCALE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 12}, {"type": "string", "pattern": "^[0-9]{1,2}$"}]
}
"""As an editor reads it a number, as we do a text."""


class _Part(BaseModel):
    """A part of a document: frozen, and closed to words that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rule(_Part):
    """How one field is read. ``source`` is written ``from`` in the document."""

    source: str = Field(alias="from", min_length=1, description="The path or heading it is read from.")
    field_class: FieldClass = Field(alias="class", description="What hangs on it.")
    optional: StrictBool = Field(default=False, description="The path may be absent from the source altogether.")
    note: str | None = Field(default=None, description="What a reader should know.")


class TextRule(_Rule):
    """The text as it is, outer spaces removed. With ``pattern`` all of it must match."""

    convert: Literal["text"]
    pattern: str | None = None


class WholeUnitsRule(_Rule):
    """A whole number: ``1454054``, ``"1,454,054"``, ``235604.0``. Never rounded; zero only where ``zero`` says so."""

    convert: Literal["whole_units"]
    zero: StrictBool = False


class DateRule(_Rule):
    """A calendar day of 1900 to 2199 in one of the named styles; a time of day behind an ISO day is left out."""

    convert: Literal["date"]
    styles: tuple[Literal["iso", "day_month_year", "excel_serial", "compact", "han", "slashed"], ...] = Field(
        min_length=1, description="compact: 20260715; han: 2026年7月15日; slashed: 2026/7/15."
    )


class InstantRule(_Rule):
    """An instant, kept as UTC. ``iso`` carries its offset; the local styles are read in ``zone``.

    A local time that the zone skips or has twice is refused, not guessed.
    """

    convert: Literal["instant"]
    styles: tuple[Literal["iso", "iso_local", "compact_local", "epoch_milliseconds"], ...] = Field(
        min_length=1, description="iso_local: 2026-07-15 10:30:00; compact_local: 20260715103000."
    )
    zone: str | None = None

    @model_validator(mode="after")
    def _zone_where_needed(self) -> Self:
        local = any(style.endswith("_local") for style in self.styles)
        if local != (self.zone is not None):
            raise ValueError("expected a zone exactly where a style is local")
        if self.zone is not None and self.zone not in available_timezones():
            raise ValueError(f"found the zone {self.zone!r}; expected one of the IANA database, as in Asia/Hong_Kong")
        return self


class ScaledRule(_Rule):
    """A decimal as a whole number of ``10 ** -scale``: with scale 2, ``1,234.5`` is 123450. Never rounded."""

    convert: Literal["scaled"]
    scale: Annotated[int, BeforeValidator(_whole), WithJsonSchema(_SCALE_SCHEMA)] = Field(ge=0, le=12)


class TextsRule(_Rule):
    """Several texts in one: parted by ``separator``, or without one a JSON array of texts."""

    convert: Literal["texts"]
    separator: str | None = Field(default=None, min_length=1)


class YearsRule(_Rule):
    """A year or a span of years (``2024``, ``2003 - 2004``), read as whole calendar years.

    Gives the facts ``first_year``, ``last_year``, ``first_day`` and ``last_day``; ``gives`` fills fields from them.
    """

    convert: Literal["years"]
    gives: dict[str, str] = Field(default_factory=dict)


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
    absent: StrictBool | None = None


class SerialRule(_Rule):
    """A serial number, read by its registry's grammar; ``gives`` fills other fields from what the serial says."""

    convert: Literal["serial"]
    grammar: str
    gives: dict[str, str] = Field(default_factory=dict)


class ConstantRule(_Part):
    """The same word on every row."""

    convert: Literal["constant"]
    value: StrictStr | StrictBool
    field_class: FieldClass = Field(alias="class")
    note: str | None = None


SourceRule = (
    TextRule
    | TextsRule
    | WholeUnitsRule
    | ScaledRule
    | DateRule
    | InstantRule
    | YearsRule
    | CodeRule
    | CodesRule
    | PresenceRule
    | FlagRule
    | SerialRule
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

    mapping: str = Field(pattern=NAME, description="Its name: folder.file.")
    describes: str
    source: str = Field(description="Where this shape is known from.")
    record: RecordKind
    rows: str | None = Field(
        default=None,
        pattern=r"^(?:(?:[^\[\].]+(?:\[\])?\.)*[^\[\].]+)?\[\]$",
        description="In JSON: the path to the rows, as in entities[], data.items[] or positions[].blocks[].",
    )
    recognise: tuple[str, ...] = Field(default=(), description="In a file: the headings that tell it from others.")
    native_key: str | None = Field(default=None, description="The path of the market's own id of a row.")
    quantity_unit: QuantityUnit | None = None
    fields: dict[str, Rule]
    facts: dict[str, Rule] = Field(default_factory=dict, description="Read only to be compared.")
    agree: tuple[Agreement, ...] = ()
    ignored: tuple[Ignored, ...] = ()

    def given(self) -> dict[str, tuple[str, str]]:
        """The fields that a rule fills besides its own: field to the rule's name and its fact."""
        return {
            target: (name, fact)
            for name, rule in self.rules().items()
            if isinstance(rule, SerialRule | YearsRule)
            for target, fact in rule.gives.items()
        }

    def rules(self) -> dict[str, Rule]:
        """Every rule by its name: the record's fields, and the facts that are only compared."""
        return {**self.fields, **self.facts}

    def paths(self) -> frozenset[str]:
        """Every source path that the document knows: mapped, compared or ignored."""
        read = {rule.source for rule in self.rules().values() if not isinstance(rule, ConstantRule)}
        keys = {self.native_key} if self.native_key else set()
        return frozenset(read | keys | {path for one in self.ignored for path in one.paths})


class CodeRow(_Part):
    """One word of the market and what it means in ours."""

    native: str = Field(min_length=1)
    means: str = Field(pattern=WORD)
    note: str | None = None


class CodeList(_Part):
    """A market's vocabulary. Words are compared without regard to case, spaces or the kind of dash."""

    codes: str = Field(pattern=NAME, description="Its name: folder.file.")
    describes: str
    source: str
    rows: tuple[CodeRow, ...] = Field(min_length=1)
    anything_else: Literal["quarantine", "leave_empty"] = Field(
        description="What becomes of a record with any other word."
    )

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        seen: dict[str, str] = {}
        for row in self.rows:
            word = folded(row.native)
            if word in seen:
                raise ValueError(f"the words {seen[word]!r} and {row.native!r} are the same word to a code list")
            seen[word] = row.native
        return self

    def meanings(self) -> dict[str, str]:
        """What each word means, by its folded form."""
        return {folded(row.native): row.means for row in self.rows}


def folded(word: str) -> str:
    """A word as code lists compare it: no case, single spaces, one kind of dash."""
    return " ".join(re.sub("[\u2010-\u2015\u2212]", "-", word).split()).casefold()


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
        document, digest = _read(MappingDocument, self._folder / f"{name}.yaml")
        _require_name(document.mapping, name)
        return document, digest

    def codes(self, name: str) -> tuple[CodeList, str]:
        """A code list: ``project-status`` from the package's own folder, ``common/countries`` from the shared one.

        Raises ConfigurationError as :meth:`document` does.
        """
        if name not in self._lists:
            codes, digest = _read(CodeList, self._place(name))
            _require_name(codes.codes, name)
            self._lists[name] = (codes, digest)
        return self._lists[name]

    def _place(self, name: str) -> Traversable:
        if not name.startswith("common/"):
            return self._folder / f"{name}.yaml"
        if self._shared is None:
            raise ConfigurationError(f"code list {name}: this mapping package has no common folder beside it")
        return self._shared / f"{name.removeprefix('common/')}.yaml"


def _read(kind: type[Document], path: Traversable) -> tuple[Document, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"mapping document {path}: cannot be read ({error.strerror})") from error
    if len(content) > DOCUMENT_LIMIT:
        raise ConfigurationError(f"mapping document {path}: {len(content)} bytes, expected {DOCUMENT_LIMIT} at most")
    try:
        return kind.model_validate(read_yaml(content)), hashlib.sha256(content).hexdigest()
    except yaml.YAMLError as error:
        raise ConfigurationError(f"mapping document {path}: {error}") from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}" for one in error.errors()[:FAULTS_LIMIT]
        )
        raise ConfigurationError(f"mapping document {path}: {places}") from error


def _require_name(said: str, file: str) -> None:
    """A copied document must not go on under its model's name: quarantine and drift are filed by it."""
    expected = file.rpartition("/")[2]
    if said.rpartition(".")[2] != expected:
        raise ConfigurationError(
            f"mapping document {file}.yaml: it calls itself {said!r}, expected a name that ends in {'.' + expected!r}"
        )
