"""The rows that the platform shows of the book, feed by feed.

A function gives what a record fills into the feed's form. What the book does not know is null, as most of a row is on
the registry. The same fact has another key in another feed (``serialNo``, ``serial_no``), on purpose.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from adapters._platts.mock_rows import (
    ABSENT,
    CANCELLATION_KEYS,
    HOLDING_KEYS,
    ISSUANCE_KEYS,
    PROJECT_KEYS,
    RETIREMENT_KEYS,
    Form,
    NumberText,
    Row,
    Value,
)
from adapters.verra.book_entries import Batch, Block, Entry, Project
from adapters.verra.book_words import NO_REGION, SIZES

STANDARD_ID: Final = 150_000_000_000_001
STANDARD_NAME: Final = "Verified Carbon Standard"

_STANDARD: Final[Row] = {"standardId": STANDARD_ID, "standardName": STANDARD_NAME, "city": ""}
_BLOCK: Final[Row] = {
    **_STANDARD,
    "accountPublicVisibility": False,
    "accountStatePublicVisibility": True,
    "accountStateCode": "ACTIVE",
    "publicVisibility": True,
    "statePublicVisibility": True,
    "unitType": "VCU",
}

PROJECT_FORM: Final = Form(
    PROJECT_KEYS,
    {
        **_STANDARD,
        "environmentalCategory": "Carbon",
        "piusListed": "No",
        "projectPublicVisibility": True,
        "statePublicVisibility": True,
        "units": False,
        "latitude": NumberText("0.0"),
        "longitude": NumberText("0.0"),
        "latitudeLongitude": "0.000000/0.000000",
        "considerAccountPrivate": False,
        "authorizedRepresentative": "",
        "website": "",
        "registeredOtherGhgProgram": False,
        "registeredInVcs": False,
        "creditPeriodTerm": "1",
    },
)
ISSUANCE_FORM: Final = Form(
    ISSUANCE_KEYS,
    {
        **_STANDARD,
        "unitType": "VCU",
        "unitClass": "Unit",
        "unitMeasurementName": "tCO2e",
        "publicVisibility": True,
        "issuancePublicVisibility": False,
        "unitsIssuedInPermanenceBufferAccount": 0,
        "unitsIssuedInCorrespondingAdjustmentReserveAccount": 0,
        "unitsIssuedInCountrySopReserveAccount": 0,
        "omgeQuantity": 0,
        "adaptationFundQuantity": 0,
        "considerAccountPrivate": False,
        "stateCode": "ISSUED",
        "stateName": "Issued",
        "creditingPeriodTerm": "1",
    },
)
HOLDING_FORM: Final = Form(
    HOLDING_KEYS,
    {
        **_BLOCK,
        "unitMeasurementName": "tCO2e",
        "unitClassName": "Unit",
        "unitClassCode": "VCU",
        "creditingPeriodTerm": "1",
    },
)
RETIREMENT_FORM: Final = Form(
    RETIREMENT_KEYS,
    {**_BLOCK, "stateCode": "RETIRED", "stateNameEn": "Retired", "creditPeriodTerm": "1"},
)
CANCELLATION_FORM: Final = Form(
    CANCELLATION_KEYS,
    {
        **_BLOCK,
        # What the captures show: what cancelled units leave is an inactivated account.
        "accountStatePublicVisibility": False,
        "accountStateCode": "INACTIVATED",
        "unit_measurement_name": "tCO2e",
        "unit_class_name": "Unit",
        "unit_class_code": "VCU",
        "considerAccountPrivate": False,
        "creditingPeriodTerm": "1",
        "status": "Cancelled",
        "makeCancellationReasonDetailsPublic": False,
    },
)


def project_row(project: Project) -> Row:
    """A row of the feed ``project``."""
    status, code = project.shown_status
    number, size = str(project.number), project.number % len(SIZES)
    region = project.country.region if project.has_region else NO_REGION
    return {
        **_head(project, project.proponent.name),
        "status": status,
        "publicStateNameEn": status,
        "stateCode": code,
        "projectId": project.number,
        "vcsProjectId": number,
        "projectSubmissionId": number,
        "projectName": project.name,
        "projectDescription": f"{project.name}, {project.province}",
        "projectStartDate": _day(project.credit_start),
        "projectRegistrationDate": _day(project.registered),
        "verraProjectRegistrationDate": _day(project.registered),
        "submissionDate": _day(project.submitted),
        "periodOfValidityStart": _day(project.submitted),
        "startDate": _day(project.credit_start),
        "creditPeriodStartDate": _day(project.credit_start),
        "creditPeriodEndDate": _day(project.credit_end),
        "countryId": project.country.id,
        "countryName": project.country.name,
        "regionId": region.id,
        "regionName": region.name,
        "stateProvince": project.province,
        "accountExternalIdentifier": project.proponent.number,
        "proponents": f"{project.proponent.name} (PP)",
        "sectoralScope": project.scope_names,
        "methodologies": _methodologies(project),
        "afoluNames": project.activities,
        "avgAnnualVolVcu": project.annual,
        "sdContributions": project.goals,
        "projectSize": SIZES[size],
        "projectSizeId": f"15000000000006{1 + size}",
    }


def issuance_row(batch: Batch) -> Row:
    """A row of the feed ``issuances``."""
    project = batch.project
    return {
        **_head(batch, batch.account.name),
        **_about(project),
        "externalAccountId": batch.account.number,
        "vintage": batch.vintage,
        "holdingQuantity": NumberText(f"{batch.stated_quantity}.0"),
        "serialNo": batch.shown_serial,
        "issuanceRequestedDate": _instant(batch.issued),
        "issueDate": _instant(batch.issued),
        "projectSubmissionId": str(project.number),
        "additionalCertification": _labels(batch, batch.labels),
        "location": _location(project),
        "periodStartDate": _day(batch.vintage_start),
        "periodEndDate": _day(batch.vintage_end),
        "goals": project.goals,
    }


def holding_row(block: Block) -> Row:
    """A row of the feed ``holdings``."""
    project = block.batch.project
    status, code = block.shown_state
    return {
        **_block(block),
        "serialNo": _serial(block),
        "status": status,
        "stateCode": code,
        "isBuffer": block.buffer,
        "projectSubmissionId": str(project.number),
        "additionalCertification": _labels(block, block.labels),
        "location": _location(project),
        "issueDate": _instant(block.batch.issued),
        "sdContributions": project.goals,
    }


def retirement_row(block: Block) -> Row:
    """A row of the feed ``retirements``."""
    return {
        **_block(block),
        "serialNo": _serial(block),
        "additionalCertification": _labels(block, block.labels),
        "retiredDate": _instant(block.acted),
        "goals": block.batch.project.goals,
        "beneficialOwner": block.beneficiary,
        "makeBeneficialOwnerPublic": block.beneficiary is not None,
        "retirementReason": block.reason,
        "makeRetirementReasonPublic": block.reason is not None,
        "retirementReasonDetails": block.details,
        "makeRetirementReasonDetailsPublic": block.details is not None,
    }


def cancellation_row(block: Block) -> Row:
    """A row of the feed ``cancellations``."""
    batch, project = block.batch, block.batch.project
    return {
        **_block(block),
        "serial_no": _serial(block),
        "block_start": block.first,
        "block_end": block.last,
        "additional_certification": _labels(block, block.labels),
        "trading_name": f"Cancel/Export - {block.account.number}",
        "cancellation_date": _instant(block.acted),
        "retired_date": _instant(block.acted),
        "location": _location(project),
        "project_submission_id": str(project.number),
        "monitoring_period_start": _day(batch.vintage_start),
        "monitoring_period_end": _day(batch.vintage_end),
        "cancellationReason": block.reason,
        "makeCancellationReasonPublic": block.reason is not None,
        "sdContributions": project.goals,
    }


def _head(entry: Entry, account: str) -> Row:
    return {
        "id": str(entry.entity_id),
        "entityId": entry.entity_id,
        "esUpdatedOn": _with_fraction(entry.updated, entry.nanoseconds),
        "modifiedDate": _with_fraction(entry.modified, entry.modified.microsecond * 1_000),
        "accountName": account,
    }


def _block(block: Block) -> Row:
    return {
        **_head(block, block.account.name),
        **_about(block.batch.project),
        "externalAccountId": block.account.number,
        "vintage": block.batch.vintage,
        "holdingQuantity": NumberText(f"{block.stated_quantity}.0"),
    }


def _about(project: Project) -> Row:
    """What the rows of units repeat of their project."""
    region = project.country.region if project.has_region else NO_REGION
    return {
        "projectId": project.number,
        "projectName": project.name,
        "publicProjectId": project.number,
        "publicProjectName": project.name,
        "vcsProjectId": str(project.number),
        "regionId": region.id,
        "regionName": region.name,
        "countryId": project.country.id,
        "countryName": project.country.name,
        "stateProvince": project.province,
        "sectoralScope": project.scope_names,
        "methodologies": _methodologies(project),
        "creditingPeriodDurationStartDate": _day(project.credit_start),
        "creditingPeriodDurationEndDate": _day(project.credit_end),
    }


def _serial(block: Block) -> Value:
    serial = block.shown_serial
    return ABSENT if serial is None else serial


def _location(project: Project) -> str:
    return f"{project.country.name}, {project.province}"


def _methodologies(project: Project) -> str:
    return "; ".join([f"{code} (Version {version})" for code, version in project.methodologies])


def _labels(entry: Entry, labels: tuple[str, ...]) -> str | None:
    """Labels as one text. No label is null in some rows and an empty text in others, as on the registry."""
    if labels:
        return "; ".join(labels)
    return "" if entry.entity_id % 3 == 0 else None


def _day(day: date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00"


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else _with_fraction(instant, 0)


def _with_fraction(instant: datetime, nanoseconds: int) -> str:
    """A naive time with as many digits of a second as it needs, 0 to 9."""
    text = instant.isoformat(timespec="seconds")[:19]
    return text if nanoseconds == 0 else f"{text}.{nanoseconds:09d}".rstrip("0")
