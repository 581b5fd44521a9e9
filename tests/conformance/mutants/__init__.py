"""The gallery of broken adapters: each must be found by every check that it names, and each check must find one."""

from tests.conformance.mutants import failing, ordering, paging, reading, saying
from tests.conformance.mutants.making import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *saying.MUTANTS,
    *reading.MUTANTS,
    *paging.MUTANTS,
    *failing.MUTANTS,
    *ordering.MUTANTS,
)
