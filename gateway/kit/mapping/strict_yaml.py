"""YAML without surprises, for documents that people write: words stay text, no key stands twice, no alias."""

from __future__ import annotations

from typing import Any, Final

import yaml

DEPTH_LIMIT: Final = 20
"""How deep lists and maps may lie inside one another; without it a document could crash the reading library."""


def read_yaml(content: bytes) -> Any:
    """The content of a document, every word as text but ``true`` and ``false``.

    Raises yaml.YAMLError saying where it is broken, too deep, or uses an alias.
    """
    depth = 0
    for event in yaml.parse(content, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"found the alias *{event.anchor}, expected its words written out{event.start_mark}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise yaml.YAMLError(f"found more than {DEPTH_LIMIT} levels inside one another{event.start_mark}")
    return yaml.load(content, _StrictLoader)  # noqa: S506 - a safe loader, made stricter


class _StrictLoader(yaml.CSafeLoader):
    """YAML without surprises: words stay text (``NO`` is Norway), and no key is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(made) != len(node.value):
            keys = [self.construct_object(key) for key, _ in node.value]
            twice = sorted({str(key) for key in keys if keys.count(key) > 1})
            raise yaml.YAMLError(f"the key {', '.join(twice)} stands twice in one place{node.start_mark}")
        return made


_StrictLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null" or letter in "tf"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
