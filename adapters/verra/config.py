"""Settings of the Verra market."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from adapters._platts.client import PLATFORM, Address, PlattsConfig, Word

ACCOUNTS_PATH: Final = "/ci-raas-prod/raas-account-api/v1"
PAGE_SIZE_LIMIT: Final = 200
BENEFICIARY_LIMIT: Final = 256


class VerraConfig(PlattsConfig):
    """The registry's three words on the platform, and our account there; the rest is the platform's.

    The account's settings are of a simulated shape. Their defaults are placeholders, which the stand-in accepts.
    """

    # A wrong secret must not be told with the error.
    model_config = ConfigDict(hide_input_in_errors=True)

    registry: Word = "VERRA"
    standard_id: Word = "150000000000001"
    standard_acronym: Word = "VCS"
    accounts_url: Address = Field(
        default=f"{PLATFORM}/raas-account-api/v1", description="Where the account API is; simulated."
    )
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,18}$")] = Field(
        default="90420", description="The number of our omnibus account; empty where only the public reports are read."
    )
    client_id: Word = Field(default="hkcv-omnibus", description="One half of the account's credentials.")
    client_secret: SecretStr = Field(
        default=SecretStr("the-omnibus-client-secret"), min_length=1, description="The other half."
    )
    page_size: int = Field(
        default=PAGE_SIZE_LIMIT, ge=1, le=PAGE_SIZE_LIMIT, description="How many rows of an account list to ask for."
    )
