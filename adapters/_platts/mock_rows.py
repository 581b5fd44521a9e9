"""How the stand-in writes the platform's rows, and the keys of its five public reports.

The keys and their order are those captured in July 2026. They are the platform's, whichever registry is asked: a
registry leaves null what it does not use, and most of a row is null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from json.encoder import encode_basestring
from typing import Any, Final


class NumberText(str):
    """A number of the wire in its own text, written without quotes: ``NumberText("235604.0")``."""

    __slots__ = ()


class Absent(Enum):
    """Stands for a key that a row lacks, where others have it."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Value = str | int | bool | NumberText | Absent | None
"""A value of a row. Numbers with a decimal point are ``NumberText``: no float is ever made."""

Row = dict[str, Value]

_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: encode_basestring,
    NumberText: str,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _value: "null",
}


class Form:
    """A report's keys in their order, with the values that all its rows have: a row only fills in the rest.

    Args:
        keys: the keys, separated by white space.
        constants: values that every row has unless it says otherwise; the other keys are null.

    Raises KeyError when a constant has no such key.
    """

    def __init__(self, keys: str, constants: Mapping[str, Value]) -> None:
        self._places = {key: (place, f'"{key}":') for place, key in enumerate(keys.split())}
        self._parts = [f"{label}null" for _place, label in self._places.values()]
        for key, value in constants.items():
            place, label = self._places[key]
            self._parts[place] = label + _WRITERS[type(value)](value)

    def filled(self, row: Mapping[str, Value]) -> bytes:
        """A row as JSON in UTF-8. Raises KeyError for an unknown key and for a value that is none of ``Value``."""
        # In one loop and without a call for each key: pages of 400 rows of 70 keys are most of a mock's work.
        parts, places = self._parts.copy(), self._places
        for key, value in row.items():
            place, label = places[key]
            parts[place] = "" if value is ABSENT else label + _WRITERS[type(value)](value)
        return f"{{{','.join(filter(None, parts))}}}".encode()


PROJECT_KEYS: Final = """
    id entityId esUpdatedOn standardId standardName accountId accountName modifiedDate auxiliaries status
    publicStateNameEn projectId projectName projectDescription environmentalCategory piusListed projectStartDate
    projectActivationDate projectPublicVisibility statePublicVisibility projectSubmittedDate
    projectRegistrationDate projectEndDate masterProjectId masterProjectName projectType vcsProjectId
    validatorName validatorId ragRating stateCode units countryId countryName city stateProvince gridReference
    latitude longitude accountExternalIdentifier certification additionalCertification additionalGoalInfo
    complianceEligibility projectSubmissionId submissionDate startDate latitudeLongitude sectoralScope
    unitsIssuedInPermanenceBufferAccount unitsIssuedInCorrespondingAdjustmentReserveAccount
    unitsIssuedInCountrySopReserveAccount electricityGenerated plasticCredits exanteQuantity
    unitsGhgEmissionReduction unitsIssued unitsInOmgeAccount unitsInAppFundAccount hcloaName corrAdjustmentName
    projectCategory projectActivityType considerAccountPrivate authorizedRepresentative methodologies
    ccbStandardTypeId ccbStandardTypeName periodOfValidityStart verraProjectRegistrationDate regionId regionName
    area website proponents afoluNames avgAnnualVolVcu otherGhgProgramName otherGhgProgramId
    registeredOtherGhgProgram jnrProgramProjectName creditPeriodStartDate creditPeriodEndDate sdContributions
    projectSize projectSizeId creditPeriodTerm creditPeriod jurisdictionalStatus jurisdictionalStatusId
    jnrScenario jnrScenarioId dateOfInactivity linkedVcsProjectId registeredInVcs
    estimatedAnnualCarbonDioxideRemovals estimatedEmissionsAnnualReduction projectMaterialTypes
    projectEndOfLifeSelections
"""

ISSUANCE_KEYS: Final = """
    id entityId esUpdatedOn standardId standardName accountId accountName modifiedDate auxiliaries projectId
    vcsProjectId projectName publicProjectId publicProjectName projectType externalAccountId vintage
    holdingQuantity serialNo unitType unitClass issuanceRequestedDate unitMeasurementName issueDate
    publicVisibility validatorId issuancePublicVisibility projectSubmissionId additionalCertification
    unitsIssuedInPermanenceBufferAccount unitsIssuedInCorrespondingAdjustmentReserveAccount
    unitsIssuedInCountrySopReserveAccount exanteQuantity omgeQuantity adaptationFundQuantity location
    complianceEligibility additionalGoalInfo hcloaName corrAdjustmentName periodStartDate periodEndDate
    verifierName holdingQuantityAcc holdingQuantityArec projectCategory projectActivityType
    considerAccountPrivate regionId regionName countryId countryName stateProvince city sectoralScope
    methodologies stateCode stateName goalId goals jnrScenarioId jnrScenarioName jurisdictionalStatusId
    jurisdictionalStatusName creditingPeriodDuration creditingPeriodTerm projectMaterialTypes
    projectEndOfLifeSelections creditingPeriodDurationStartDate creditingPeriodDurationEndDate
"""

HOLDING_KEYS: Final = """
    id entityId esUpdatedOn standardId standardName accountId accountName modifiedDate auxiliaries
    accountPublicVisibility accountStatePublicVisibility accountStateCode publicVisibility unitType
    holdingQuantity holdingQuantityAcc holdingQuantityArec monitoringPeriodStart monitoringPeriodEnd projectId
    projectName publicProjectId publicProjectName vcsProjectId vintage serialNo unitMeasurementName
    unitClassName unitClassCode stateCode status projectSubmissionId projectType verifierName
    additionalCertification location complianceEligibility additionalGoalInfo hcloaName corrAdjustmentName
    sourceCountry destinationCountry transferDate isBuffer projectCategory projectActivityType subAccountId
    subAccountName externalAccountId externalSubAccountId sectoralScope regionId regionName countryId
    countryName stateProvince city methodologies creditingPeriodDuration creditingPeriodTerm issueDate
    projectMaterialTypes projectEndOfLifeSelections sdContributions jnrScenarioId jnrScenarioName
    jurisdictionalStatusId jurisdictionalStatusName statePublicVisibility creditingPeriodDurationStartDate
    creditingPeriodDurationEndDate
"""

RETIREMENT_KEYS: Final = """
    id entityId esUpdatedOn standardId standardName accountId accountName modifiedDate auxiliaries
    accountPublicVisibility accountStatePublicVisibility accountStateCode publicVisibility unitType
    holdingQuantity holdingQuantityAcc holdingQuantityArec monitoringPeriodStart monitoringPeriodEnd projectId
    projectName publicProjectId publicProjectName additionalCertification vintage serialNo unitMeasurementName
    retiredDate beneficialOwner beneficiaryLocation retirementRemarks className classCode additionalInfo
    vcsProjectId projectSubmissionId projectType verifierName location complianceEligibility additionalGoalInfo
    hcloaName corrAdjustmentName actionPurpose projectCategory projectActivityType considerAccountPrivate
    subAccountId subAccountName externalAccountId externalSubAccountId regionId regionName countryId countryName
    stateProvince city sectoralScope methodologies periodStartDate periodEndDate creditPeriodTerm stateCode
    stateNameEn goalId goals jnrScenarioId jnrScenarioName jurisdictionalStatusId jurisdictionalStatusName
    projectMaterialTypes projectEndOfLifeSelections makeBeneficialOwnerPublic retirementReason
    makeRetirementReasonPublic retirementReasonDetails makeRetirementReasonDetailsPublic emailNotification
    statePublicVisibility creditingPeriodDurationStartDate creditingPeriodDurationEndDate
"""

CANCELLATION_KEYS: Final = """
    id entityId esUpdatedOn standardId standardName accountId accountName modifiedDate auxiliaries
    accountPublicVisibility accountStatePublicVisibility accountStateCode publicVisibility unitType
    holdingQuantity holdingQuantityAcc holdingQuantityArec monitoringPeriodStart monitoringPeriodEnd projectId
    projectName publicProjectId publicProjectName trading_name vcsProjectId project_name
    additional_certification vintage serial_no unit_measurement_name retired_date retirement_remarks block_start
    block_end unit_class_name unit_class_code location project_type_name verifier_account_name
    additional_goal_info corresponding_adjustment_status cancellation_purpose cancelling_country
    aquiring_country countryId countryName cancellation_date cancellation_remarks project_submission_id
    monitoring_period_start monitoring_period_end applied_methodology letter_of_auth_hcloa market_eligibility
    projectCategory projectActivityType considerAccountPrivate subAccountId subAccountName externalAccountId
    externalSubAccountId sectoralScope regionId regionName stateProvince city methodologies creditingPeriodTerm
    status cancellationReasonDetails makeCancellationReasonDetailsPublic makeCancellationReasonPublic
    cancellationReason projectMaterialTypes projectEndOfLifeSelections sdContributions jnrScenarioId
    jnrScenarioName jurisdictionalStatusId jurisdictionalStatusName statePublicVisibility
    creditingPeriodDurationStartDate creditingPeriodDurationEndDate
"""
