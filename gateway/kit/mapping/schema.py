"""The JSON Schemas of mapping documents and code lists, for editors and for who writes a document without Python.

``python -m gateway.kit.mapping.schema mappings`` writes them into a folder. They are made from the models that read
the documents. What a schema cannot say (that a field exists, that a required one is filled, that a word of a code list
is one of ours) is checked when a mapping is loaded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gateway.kit.mapping.document import CodeList, MappingDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILES: Final[Mapping[str, type[MappingDocument | CodeList]]] = MappingProxyType(
    {"schema.json": MappingDocument, "codes-schema.json": CodeList}
)


def schema(model: type[MappingDocument | CodeList]) -> dict[str, Any]:
    """The JSON Schema of a kind of document, in the words that stand in the document."""
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True)}


def written(model: type[MappingDocument | CodeList]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema(model), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Writes every schema into a folder."""
    for name, model in FILES.items():
        (folder / name).write_text(written(model), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
