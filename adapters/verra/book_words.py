"""The words of the stand-in's book.

Vocabularies (statuses, scopes, labels, methodologies, countries) are the registry's own words, which are facts; the
names of projects, companies and beneficiaries are made of invented syllables and belong to nobody. The numeric ids of
countries and regions are the platform's where they were seen, otherwise invented.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the platform, or none."""

    id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Country:
    """A country as the platform writes it, and its letters in serial numbers."""

    id: str
    name: str
    letters: str
    region: Region


@dataclass(frozen=True, slots=True)
class Scope:
    """A sectoral scope, what its projects are called, and the methodologies they use."""

    number: int
    name: str
    kinds: tuple[str, ...]
    methodologies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """A project status: the platform's word and code, the CSV export's spelling, how often it occurs."""

    word: str
    code: str
    weight: int
    issues: int = 0

    @property
    def exported(self) -> str:
        """The spelling of the CSV export, which differs in one letter for one word."""
        return "Late to verify" if self.word == "Late to Verify" else self.word


_ASIA = Region("150000000000043", "Asia")
_LATIN_AMERICA = Region("150000000000045", "Latin America")
_NORTH_AMERICA = Region("150000000000047", "North America")
_AFRICA = Region("150000000000042", "Africa")
_EUROPE = Region("150000000000044", "Europe")
_MIDDLE_EAST = Region("150000000000046", "Middle East")
_OCEANIA = Region("150000000000048", "Oceania")
NO_REGION: Final = Region(None, None)

COUNTRIES: Final = (
    Country("100000000000013", "India", "IN", _ASIA),
    Country("100000000000002", "China", "CN", _ASIA),
    Country("100000000000003", "Viet Nam", "VN", _ASIA),
    Country("100000000000004", "Indonesia", "ID", _ASIA),
    Country("100000000000005", "Cambodia", "KH", _ASIA),
    Country("100000000000006", "Thailand", "TH", _ASIA),
    Country("100000000000007", "Korea, Republic of", "KR", _ASIA),
    Country("100000000000008", "Brazil", "BR", _LATIN_AMERICA),
    Country("100000000000009", "Peru", "PE", _LATIN_AMERICA),
    Country("100000000000010", "Colombia", "CO", _LATIN_AMERICA),
    Country("100000000000061", "Chile", "CL", _LATIN_AMERICA),
    Country("100000000000001", "United States of America", "US", _NORTH_AMERICA),
    Country("100000000000011", "Kenya", "KE", _AFRICA),
    Country("100000000000012", "Uganda", "UG", _AFRICA),
    Country("100000000000014", "Côte d'Ivoire", "CI", _AFRICA),
    Country("100000000000015", "Namibia", "NA", _AFRICA),
    Country("100000000000016", "Türkiye", "TR", _MIDDLE_EAST),
    Country("100000000000017", "Romania", "RO", _EUROPE),
    Country("100000000000018", "Australia", "AU", _OCEANIA),
    Country("100000000000019", "New Zealand", "NZ", _OCEANIA),
)
COUNTRY_WEIGHTS: Final = (22, 20, 5, 5, 4, 3, 2, 8, 4, 4, 2, 4, 4, 2, 1, 1, 6, 1, 2, 1)

SCOPES: Final = (
    Scope(
        1,
        "Energy industries (renewable/non-renewable sources)",
        ("Wind Power Project", "Bundled Solar Power Project", "Small Hydropower Station", "Biomass Power Plant"),
        (("ACM0002", "NA"), ("AMS-I.D.", "18.0"), ("AMS-I.F.", "NA"), ("ACM0006", "16.0")),
    ),
    Scope(
        3,
        "Energy demand",
        ("Efficient Cookstove Programme", "Home Efficiency Initiative"),
        (("VMR0006", "1.2"), ("AMS-II.G.", "NA"), ("VM0008", "1.1")),
    ),
    Scope(
        7,
        "Transport",
        ("Electric Bus Fleet", "Rapid Transit Line"),
        (("ACM0016", "NA"), ("VM0038", "1.0")),
    ),
    Scope(
        13,
        "Waste handling and disposal",
        ("Landfill Gas Recovery", "Wastewater Methane Recovery"),
        (("ACM0001", "NA"), ("AMS-III.H.", "19.0")),
    ),
    Scope(
        14,
        "Agriculture Forestry and Other Land Use",
        ("REDD+ Project", "Reforestation Project", "Grassland Restoration", "Mangrove Restoration"),
        (("VM0007", "1.3"), ("VM0015", "1.1"), ("AR-ACM0003", "NA"), ("VM0042", "2.0")),
    ),
    Scope(
        15,
        "Livestock, enteric fermentation, and manure management",
        ("Biogas Utilization Project", "Manure Management Project"),
        (("ACM0010", "NA"), ("AMS-III.D.", "21.0")),
    ),
)
SCOPE_WEIGHTS: Final = (40, 15, 2, 8, 30, 5)
LAND_USE: Final = 14
LAND_USE_ACTIVITIES: Final = ("ALM", "ARR", "REDD", "IFM", "ARR; WRC", "REDD; WRC")

STATUSES: Final = (
    ProjectStatus("Registered", "REGISTERED", 1567, 1500),
    ProjectStatus("Late to Verify", "LATE_TO_VERIFY", 883, 300),
    ProjectStatus("Under development", "PIPELINE_LISTING_UNDER_DEVELOPMENT", 638),
    ProjectStatus("Under validation", "PIPELINE_LISTING_UNDER_VALIDATION", 517),
    ProjectStatus("Withdrawn", "WITHDRAWN", 281, 20),
    ProjectStatus("Rejected by Administrator", "REJECTED_BY_ADMIN", 248),
    ProjectStatus("Inactive", "INACTIVE", 240, 80),
    ProjectStatus("Verification approval requested", "VERIFICATION_APPROVAL_REQUESTED", 201, 100),
    ProjectStatus("Registration requested", "REGISTRATION_REQUESTED", 182),
    ProjectStatus("Registration and verification approval requested", "REGISTRATION_VERIFICATION_APPROVAL_REQ", 109),
    ProjectStatus("Units Transferred from Approved GHG Program", "UNITS_TRANSFERRED", 80, 60),
    ProjectStatus("On Hold - see notification letter", "ON_HOLD", 40, 20),
    ProjectStatus("Registration request denied", "REGISTRATION_REQ_DENIED", 12),
    ProjectStatus("Crediting Period Renewal Requested", "CREDIT_PERIOD_RENEWAL_REQUESTED", 11, 8),
    ProjectStatus(
        "Crediting Period Renewal and Verification Approval Requested",
        "CREDIT_PERIOD_RENEWAL_VERIFICATION_APP_REQUESTED",
        6,
        5,
    ),
    ProjectStatus("Verification approval request denied", "VERIFICATION_APPROVAL_REQUEST_DENIED", 5, 3),
    ProjectStatus("Registration and verification approval request denied", "REGISTRATION_VERIFICATION_REQ_DENIED", 3),
    ProjectStatus("Requantification Requested", "REQUANTIFICATION_REQUESTED", 2, 2),
)
STATUS_OF: Final = {status.word: status for status in STATUSES}

LABEL_SETS: Final[tuple[tuple[str, ...], ...]] = (
    ("CCB-Gold",),
    ("CCBS-Gold",),
    ("CCB-No Distinction",),
    ("CCB-Biodiversity Gold",),
    ("Social Carbon",),
    ("CORSIA – Pilot Phase, 2021-2023 Eligible",),  # noqa: RUF001 - the registry's own dash
    ("CORSIA - Pilot Phase, 2021-2023 Eligible",),
    (
        "Article 6 Authorized – Intl mitigation purposes",  # noqa: RUF001 - the registry's own dash
        "Article 6 Authorized – NDC Use",  # noqa: RUF001 - the registry's own dash
        "Article 6 Authorized – Other purposes",  # noqa: RUF001 - the registry's own dash
        "CORSIA - First Phase, 2024-2026 Scope",
    ),
    ("ICVCM CCP",),
    ("Carbon Dioxide Removals",),
    ("GHG Emissions Reductions",),
)
GOALS: Final = (
    "07: Affordable and Clean Energy; 08: Decent Work and Economic Growth; 13: Climate Action",
    "01: No Poverty; 03: Good Health and Well-being; 05: Gender Equality; 13: Climate Action; 15: Life on Land",
    "13: Climate Action",
)
REASONS: Final = (
    "Retirement for Person or Organization",
    "Environmental Benefit",
    "Corporate Emissions Inventory Accounting",
    "Other",
)
SIZES: Final = ("< 60,000 tCO2-e per year", "60,000 - 100,000 tCO2-e per year", "> 1,000,000 tCO2-e per year")

# Names outside ASCII, so that nothing on the way may take text for ASCII.
_WIDE_NAMES: Final = (
    "星禾谷造林项目 (Xinghegu Afforestation Project)",
    "Projeto Florestal Vale do Ipêlon – Fase II",  # noqa: RUF001 - such names have dashes
    "Programme Foyers Améliorés de Zâlikoué",
    "Dự án Điện gió Lăng Vũ Hạ",
    "Ümitköyü Rüzgâr Santrali",
)
_WIDE_BENEFICIARIES: Final = ("海雲澗貿易有限公司", "Société Vérandole & Fils", "Kähnwitz Möbel GmbH")
_HEADS = ("Var", "Kest", "Dol", "Mir", "Tan", "Sel", "Bru", "Oph", "Quen", "Lor", "Zev", "Ith", "Hal", "Pem", "Nov")
_MIDDLES = ("an", "i", "o", "ar", "e", "u", "en", "al")
_TAILS = ("dor", "wick", "mere", "thal", "quill", "lune", "vash", "mond", "rith", "bek", "stow", "gara")
_FIRMS = ("Carbon Holdings", "Climate Partners Ltd", "Energy Private Limited", "Trading GmbH", "Forestry S.A.", "Inc.")


def invented_word(chance: random.Random) -> str:
    """A word that sounds like a place and is none."""
    return chance.choice(_HEADS) + chance.choice(_MIDDLES) + chance.choice(_TAILS)


def invented_firm(chance: random.Random) -> str:
    """A company that does not exist."""
    return f"{invented_word(chance)}{chance.choice(_TAILS)} {chance.choice(_FIRMS)}"


def invented_beneficiary(chance: random.Random) -> str:
    """For whom units were retired; now and then not in Latin letters."""
    return chance.choice(_WIDE_BENEFICIARIES) if chance.randrange(12) == 0 else invented_firm(chance)


def invented_project(chance: random.Random, scope: Scope) -> str:
    """A project's name; now and then one outside ASCII."""
    if chance.randrange(25) == 0:
        return chance.choice(_WIDE_NAMES)
    return f"{invented_word(chance)} {chance.choice(scope.kinds)}"
