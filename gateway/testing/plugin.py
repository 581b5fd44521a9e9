"""The pytest plugin: the fixture ``link_market``, in any project where ``carbon-gateway[testing]`` is installed.

It imports nothing of the gateway until a test asks for the fixture, and offers nothing where that extra is missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.testing.linking import LinkMarket

if find_spec("pytest_asyncio") is not None and find_spec("respx") is not None:
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def link_market() -> AsyncIterator[LinkMarket]:
        """A function that links a market with its stand-in until the test ends."""
        from gateway.testing.linking import standing_in

        async with standing_in() as link_it:
            yield link_it
