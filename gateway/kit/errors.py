"""What a market did or failed to do, classed by what the caller does next.

::

    GatewayError
      AdapterError(market, operation, message, code, reference)
        NotSent          provably never left; a read or a command may be tried again
        Unavailable      a read failed; try again
          RateLimited    the same, not before ``retry_after`` seconds
        OutcomeUnknown   a command may have happened; never repeated blindly, asked about by its id
        AccessDenied     credentials or permission; the adapter pauses, a person is told once
        Rejected         the market said no, finally, with its own code
        ContractBreach   the market sent what it never promised; quarantine, report
      WebhookRefused     a pushed event that is not the market's; answered without detail

An adapter raises only these. It retries nothing itself, and never catches cancellation.
"""

from __future__ import annotations

from gateway.model.errors import GatewayError


class AdapterError(GatewayError):
    """Root of what goes wrong between an adapter and its market.

    Args:
        message: what was found and what was expected, in words.
        market: the market's name.
        operation: what was being done, in our words (``read_catalogue holdings``).
        code: the market's own error code, where it gave one.
    """

    def __init__(self, message: str, *, market: str, operation: str, code: str | None = None) -> None:
        self.market = market
        self.operation = operation
        self.code = code
        said = f" [{code}]" if code else ""
        super().__init__(f"{market}, {operation}: {message}{said}")


class NotSent(AdapterError):
    """The request provably never left: nothing happened at the market."""


class Unavailable(AdapterError):
    """A read failed for a reason that may pass."""


class RateLimited(Unavailable):
    """The market asked us to slow down.

    Args:
        retry_after: whole seconds to wait at least; None where the market did not say.
    """

    def __init__(
        self, message: str, *, market: str, operation: str, code: str | None = None, retry_after: int | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, market=market, operation=operation, code=code)


class OutcomeUnknown(AdapterError):
    """A command may have reached the market; only the market can say."""


class AccessDenied(AdapterError):
    """The market does not accept our credentials or does not allow this."""


class Rejected(AdapterError):
    """The market refused a command, finally, with a code on the adapter's list."""


class ContractBreach(AdapterError):
    """The market sent something that its contract does not have."""


class WebhookRefused(GatewayError):
    """A webhook is not to be believed. There is one kind and no detail: whoever forged it learns nothing.

    Args:
        why: for our own log, never for the answer.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("the webhook was refused")
