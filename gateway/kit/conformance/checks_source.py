"""S: what an adapter's source may not contain; found by reading it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from gateway.kit.conformance.check import Check, check, require
from gateway.kit.conformance.sources import modules
from gateway.kit.conformance.subject import Subject

CLIENTS: Final = frozenset({"httpx.AsyncClient", "httpx.Client", "aiohttp.ClientSession", "socket.socket"})
NETWORK: Final = ("requests.", "urllib3.", "urllib.request.", "http.client.")
CLOCKS: Final = frozenset({"now", "utcnow", "today", "time", "time_ns", "monotonic"})
CANCELLATION: Final = frozenset({"BaseException", "CancelledError", "asyncio.CancelledError"})
WAITING: Final = frozenset({"stamina", "tenacity", "backoff", "retrying"})

Finder: TypeAlias = Callable[[ast.AST], str | None]
"""Says what is wrong with a part of a module, or None."""


@check("S010", "An adapter imports only the model, the kit, shared platforms and its own package.")
async def imports(subject: Subject) -> None:
    """Whatever else it needs is passed in."""
    parent, own = _package(subject)

    def stranger(node: ast.AST) -> str | None:
        for name in _imported(node):
            parts = name.split(".")
            if parts[0] == "gateway" and (parts[1:2] not in (["model"], ["kit"]) or parts[2:3] == ["conformance"]):
                return f"imports {name}, expected gateway.model or gateway.kit"
            if parent and name.startswith(f"{parent}."):
                beside = name.removeprefix(f"{parent}.").split(".")[0]
                if beside != own and not beside.startswith("_"):
                    return f"imports {name}, expected only its own package and shared platforms"
        return None

    _refuse(subject, stranger)


@check("S020", "An adapter asks no clock of the machine.")
async def no_clock(subject: Subject) -> None:
    """The instant is passed in."""
    _refuse(subject, _asks_clock)


@check("S030", "An adapter reads no environment.")
async def no_environment(subject: Subject) -> None:
    """Its settings are passed in."""

    def environment(node: ast.AST) -> str | None:
        named = _dotted(node) in {"os.environ", "os.environb", "os.getenv"}
        taken = {"os.environ", "os.environb", "os.getenv"} & set(_imported(node))
        return "reads the environment" if named or taken else None

    _refuse(subject, environment)


@check("S040", "An adapter opens no client of its own.")
async def no_client(subject: Subject) -> None:
    """Its line to the market is passed in, with the market's limits on it."""

    def client(node: ast.AST) -> str | None:
        if isinstance(node, ast.Call) and (_dotted(node.func) in CLIENTS or _dotted(node.func).startswith("requests.")):
            return f"opens {_dotted(node.func)}"
        strange = next((name for name in _imported(node) if f"{name}.".startswith(NETWORK)), None)
        return None if strange is None else f"imports {strange}"

    _refuse(subject, client)


@check("S050", "An adapter makes no float.")
async def no_float(subject: Subject) -> None:
    """No float carries a quantity, a price or an instant."""

    def makes_float(node: ast.AST) -> str | None:
        return "calls float(" if isinstance(node, ast.Call) and _dotted(node.func) == "float" else None

    _refuse(subject, makes_float)


@check("S060", "An adapter decodes JSON with the kit's decoder only.")
async def no_bare_json(subject: Subject) -> None:
    """Any other makes floats of numbers and takes the last of two equal keys."""

    def decodes(node: ast.AST) -> str | None:
        if not isinstance(node, ast.Call):
            return None
        name = _dotted(node.func)
        bare = name.endswith(".json") and not node.args and not node.keywords
        return f"calls {name}(" if bare or name in {"json.loads", "json.load", "orjson.loads"} else None

    _refuse(subject, decodes, but=_rehearses)


@check("S070", "An adapter neither catches cancellation nor waits nor tries again by itself.")
async def no_patience(subject: Subject) -> None:
    """Retries belong to the transport, and cancellation to whoever asked for it."""

    def patient(node: ast.AST) -> str | None:
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            return "catches everything, cancellation too"
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            caught = {_dotted(one) for one in ast.walk(node.type)}
            return "catches cancellation" if caught & CANCELLATION else None
        if isinstance(node, ast.Call) and _dotted(node.func) in {"asyncio.sleep", "time.sleep"}:
            return f"calls {_dotted(node.func)}("
        strange = next((name for name in _imported(node) if name.split(".")[0] in WAITING), None)
        return None if strange is None else f"imports {strange}"

    _refuse(subject, patient)


def _refuse(subject: Subject, finder: Finder, but: Callable[[Path], bool] = lambda _path: False) -> None:
    for path, nodes in subject.kept("source", lambda: _parsed(subject)).items():
        if but(path):
            continue
        for node in nodes:
            wrong = finder(node)
            require(wrong is None, f"{path.parent.name}/{path.name}:{getattr(node, 'lineno', 1)} {wrong}")


def _parsed(subject: Subject) -> dict[Path, list[ast.AST]]:
    return {path: list(ast.walk(ast.parse(path.read_text("utf-8"), str(path)))) for path in modules(subject.folder)}


def _rehearses(path: Path) -> bool:
    """A stand-in and its rehearsal write JSON and may look at what they wrote."""
    return path.name.startswith(("mock", "book", "rehearsal"))


def _asks_clock(node: ast.AST) -> str | None:
    if isinstance(node, ast.ImportFrom) and {f"time.{name}" for name in CLOCKS} & set(_imported(node)):
        return "imports a clock of the machine"
    if isinstance(node, ast.Call):
        owner, _, name = _dotted(node.func).rpartition(".")
        if name in CLOCKS and owner.rpartition(".")[2] in {"datetime", "date", "time"}:
            return f"calls {owner}.{name}("
    return None


def _package(subject: Subject) -> tuple[str, str]:
    """The package that holds the adapter's, and the adapter's own name in it."""
    module = subject.manifest.adapter_class.__module__.rpartition(".")[0]
    parent, _, own = module.rpartition(".")
    return parent, own


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield from (f"{node.module}.{one.name}" for one in node.names)


def _dotted(node: ast.AST) -> str:
    """A dotted name as it is written; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else f".{node.attr}"
    return ""


CHECKS: tuple[Check, ...] = (imports, no_clock, no_environment, no_client, no_float, no_bare_json, no_patience)
