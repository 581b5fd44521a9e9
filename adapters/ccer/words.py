"""The words of the registry's two sides: the public lists as they are known, the account side as we simulate it.

The account side is simulated, our own shape: of it only the names of services, the workflow and the two persons that
every instruction needs are public. Its codes of business, of states and of refusals are ours.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

ZONE: Final = "Asia/Shanghai"


class Tab(IntEnum):
    """A public list, by its ``dataType``; 6 and 7 are valid and always empty."""

    PROJECTS_IN_NOTICE = 1
    REGISTERED_PROJECTS = 2
    REDUCTIONS_IN_NOTICE = 3
    REGISTERED_REDUCTIONS = 4
    ISSUED_REDUCTIONS = 5


SECONDARY_ID: Final = MappingProxyType(
    {
        Tab.PROJECTS_IN_NOTICE: "projectInfoId",
        Tab.REGISTERED_PROJECTS: "projectInfoId",
        Tab.REDUCTIONS_IN_NOTICE: "certificationId",
        Tab.REGISTERED_REDUCTIONS: "certificationId",
        Tab.ISSUED_REDUCTIONS: "ccerId",
    }
)
"""The id that an item's detail cannot be asked for without, beside its ``applyId``."""

ITEM_IDS: Final = ("applyId", "projectInfoId", "certificationId", "ccerId")
"""The four ids that a question for a detail echoes."""

NO_NOTICE_NUMBER: Final = "公示编号为空"
"""What the registry says where the secondary id is missing."""


class Business(StrEnum):
    """What moves units (业务类型). The first five are commanded; the others are seen only."""

    TO_TRADING_ACCOUNT = "01"
    TO_TRADING_PLATFORM = "02"
    TRANSFER = "03"
    OFFSET = "04"
    VOLUNTARY = "05"
    ISSUANCE = "11"
    DELIVERY = "12"
    FROM_TRADING_PLATFORM = "13"
    FORCED = "14"
    FREEZE = "15"
    UNFREEZE = "16"


BUSINESS_NAMES: Final = MappingProxyType(
    {
        Business.TO_TRADING_ACCOUNT: "转移至交易账户",
        Business.TO_TRADING_PLATFORM: "转移至交易平台",
        Business.TRANSFER: "持有量转移",
        Business.OFFSET: "抵销",
        Business.VOLUNTARY: "自愿注销",
        Business.ISSUANCE: "签发",
        Business.DELIVERY: "交易交收",
        Business.FROM_TRADING_PLATFORM: "CCER转出",
        Business.FORCED: "强制注销",
        Business.FREEZE: "司法冻结",
        Business.UNFREEZE: "解除冻结",
    }
)


class State(StrEnum):
    """What an instruction is (状态)."""

    AWAITS_CONFIRMATION = "待确认"
    PROCESSING = "处理中"
    DONE = "已完成"
    REFUSED = "已驳回"
    LAPSED = "已失效"


class Code(StrEnum):
    """The registry's codes of refusal, and why."""

    MALFORMED = "3001"
    OUTSIDE_HOURS = "3002"
    WRONG_DAY = "3003"
    NOT_AVAILABLE = "3004"
    UNITS_FROZEN = "3005"
    ACCOUNT_FROZEN = "3006"
    NO_SUCH_ACCOUNT = "3007"
    NO_SUCH_UNITS = "3008"
    BENEFICIARY = "3009"
    NOT_PERMITTED = "3010"
    SAME_OPERATOR = "3011"
    NO_SUCH_INSTRUCTION = "3012"
    NO_CERTIFICATE = "3013"
    NOT_CONFIRMED_IN_TIME = "3021"
    REFERENCE_USED = "4001"
    NO_SESSION = "401"


SAID: Final = MappingProxyType(
    {
        Code.MALFORMED: "参数错误",
        Code.OUTSIDE_HOURS: "当前不在业务受理时段",
        Code.WRONG_DAY: "业务日期不是当前工作日",
        Code.NOT_AVAILABLE: "可用数量不足",
        Code.UNITS_FROZEN: "持有量已冻结",
        Code.ACCOUNT_FROZEN: "账户已冻结",
        Code.NO_SUCH_ACCOUNT: "对方账户不存在",
        Code.NO_SUCH_UNITS: "号段不存在或不属于该账户",
        Code.BENEFICIARY: "受益方信息不符合要求",
        Code.NOT_PERMITTED: "操作员无此权限",
        Code.SAME_OPERATOR: "发起与确认不得为同一操作员",
        Code.NO_SUCH_INSTRUCTION: "指令不存在",
        Code.NO_CERTIFICATE: "凭证尚未生成",
        Code.NOT_CONFIRMED_IN_TIME: "超过时限未确认",
        Code.REFERENCE_USED: "外部流水号重复",
        Code.NO_SESSION: "登录已失效",
    }
)
"""What the registry says with a code."""

REFUSALS: Final = frozenset(Code) - {
    Code.REFERENCE_USED,
    Code.NO_SESSION,
    Code.NO_SUCH_INSTRUCTION,
    Code.NO_CERTIFICATE,
}
"""The codes after which a submission has provably done nothing. ``REFERENCE_USED`` says that one came before."""

REDEEMED: Final = frozenset({Business.OFFSET, Business.VOLUNTARY})
"""Business that takes units out of circulation for a beneficiary."""

BENEFICIARY_LIMIT: Final = 100
"""How many characters a beneficiary's name may have."""
