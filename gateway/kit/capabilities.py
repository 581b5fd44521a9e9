"""Which capabilities an adapter has, by the signatures of its class.

A name with other parameters, or a plain function where a coroutine is due, is an error when the adapter is loaded, not
a surprise when it is called.
"""

from __future__ import annotations

import inspect

from gateway.kit.contract import CAPABILITIES
from gateway.model.errors import ConfigurationError


def capabilities(adapter_class: type) -> frozenset[str]:
    """The names of the capabilities that a class has, by its signatures.

    Raises ConfigurationError when it has some of a capability's methods and not all, or one with other parameters,
    or a plain one where a coroutine is due.
    """
    return frozenset(one.__name__ for one in CAPABILITIES if _offers(adapter_class, one.__name__, one))


def _offers(adapter_class: type, name: str, protocol: type) -> bool:
    wanted = {key: value for key, value in vars(protocol).items() if inspect.isfunction(value) and key[0] != "_"}
    found = {key: getattr(adapter_class, key) for key in wanted if hasattr(adapter_class, key)}
    if not found:
        return False
    faults = [f"{key} is missing" for key in wanted if key not in found]
    for key, method in found.items():
        if not callable(method):
            faults.append(f"{key} is not a method")
            continue
        faults += _differences(key, wanted[key], method)
    if faults:
        raise ConfigurationError(
            f"{adapter_class.__module__}.{adapter_class.__qualname__} has half of the capability {name}: "
            + "; ".join(faults)
        )
    return True


def _differences(key: str, wanted: object, found: object) -> list[str]:
    assert callable(wanted)
    assert callable(found)
    faults = []
    if inspect.iscoroutinefunction(wanted) != inspect.iscoroutinefunction(found):
        kind = "a coroutine" if inspect.iscoroutinefunction(wanted) else "a plain method"
        faults.append(f"{key} should be {kind}")
    expected = [(p.name, p.kind) for p in inspect.signature(wanted).parameters.values()]
    actual = [(p.name, p.kind) for p in inspect.signature(found).parameters.values()]
    if expected != actual:
        taken, wanted_names = (", ".join(name for name, _ in one) for one in (actual, expected))
        faults.append(f"{key} takes ({taken}), expected ({wanted_names})")
    return faults
