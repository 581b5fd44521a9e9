"""The unified schema, one frozen record each: what registries publish, what accounts hold, what venues list and trade.

Quantities are integers of ``quantity_unit``; ranges are inclusive; a vintage is a period; ``*_native`` is the market's
own word; prices are integers of a declared scale, money is integer minor units, instants are UTC.
"""

from gateway.model.records.base import PRICE_SCALE, Record
from gateway.model.records.cash import CashBalance, CashMovement
from gateway.model.records.catalogue import Batch, Block, Project
from gateway.model.records.holdings import Holding, Movement
from gateway.model.records.tables import RECORDS, Contradiction, columns, contradictions, measure, required, vocabulary
from gateway.model.records.trading import Listing, Trade

__all__ = [
    "PRICE_SCALE",
    "RECORDS",
    "Batch",
    "Block",
    "CashBalance",
    "CashMovement",
    "Contradiction",
    "Holding",
    "Listing",
    "Movement",
    "Project",
    "Record",
    "Trade",
    "columns",
    "contradictions",
    "measure",
    "required",
    "vocabulary",
]
