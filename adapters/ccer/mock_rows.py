"""The stand-in's answers: the public items with the registry's keys, the account side with ours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

from adapters.ccer.book import Book
from adapters.ccer.book_entries import Block, Condition, Flow, Instruction, Opening, Place
from adapters.ccer.book_hours import LOCAL, business_day
from adapters.ccer.words import BUSINESS_NAMES, ITEM_IDS, SAID, SECONDARY_ID

Row = dict[str, Any]

PUBLISHED: Final = {"CCER-14-001-V01": "20231024", "CCER-01-002-V01": "20231024"}
"""When each methodology was published."""


def day_text(day: date) -> str:
    """A day as the registry writes it: eight digits."""
    return f"{day:%Y%m%d}"


def time_text(at: datetime) -> str:
    """An instant as the registry writes it: fourteen digits of its own clock."""
    return f"{at.astimezone(LOCAL):%Y%m%d%H%M%S}"


def ids_of(one: Opening) -> dict[str, str | None]:
    """The four ids of an item: its own, and the secondary one under the key of its list."""
    ids: dict[str, str | None] = dict.fromkeys(ITEM_IDS)
    return ids | {"applyId": one.project.apply_id, SECONDARY_ID[one.tab]: one.secondary_id}


def opening_row(one: Opening) -> Row:
    """An item of a public list."""
    return {
        **ids_of(one),
        "projectName": one.project.name,
        "orgCustomerName": one.project.owner,
        "projectType": one.project.kind,
        "projectTypeName": one.project.kind_name,
        "applyStatus": one.apply_status,
        "statusName": one.status_name,
        "dataType": str(one.tab.value),
    }


def detail_row(one: Opening) -> Row:
    """What the public side tells of one item beyond its row."""
    starts, ends = one.notice
    return {
        "methodologyNum": one.project.methodology,
        "methodologyName": one.project.methodology_name,
        "provinceName": one.project.province,
        "expectYearNum": one.project.yearly,
        "certifiedNum": one.certified,
        "publicStartDate": day_text(starts),
        "publicEndDate": day_text(ends),
    }


def methodology_rows(book: Book) -> list[Row]:
    """The methodologies of the projects."""
    known = {one.methodology: one.methodology_name for one in book.projects}
    return [
        {"methodologyNum": number, "methodologyName": name, "publishDatetime": PUBLISHED[number]}
        for number, name in sorted(known.items())
    ]


def block_row(block: Block, holder: str) -> Row:
    """A line of an account's statement. Its status is null beside the status text, as on the public side."""
    free = block.condition is Condition.FREE
    here = block.place is Place.REGISTRY
    return {
        "holdId": block.block_id,
        "accountNo": block.account,
        "accountName": holder,
        "applyId": block.product.project.apply_id,
        "projectName": block.product.project.name,
        "ccerId": block.product.ccer_id,
        "productCode": block.product.code,
        "produceYear": str(block.product.year),
        "serialNo": block.serial,
        "placeName": block.place.value,
        "holdNum": block.units,
        "availableNum": block.units if free and here else 0,
        "transferNum": block.units if free and block.place is not Place.PLATFORM else 0,
        "tradeNum": block.units if free and not here else 0,
        "freezeNum": block.units if block.condition is Condition.FROZEN else 0,
        "onWayNum": block.units if block.condition is Condition.IN_FLIGHT else 0,
        "status": None,
        "statusName": block.condition.value,
        "freezeReason": block.hold and block.hold.reason,
        "freezeOrgan": block.hold and block.hold.authority,
    }


def flow_row(one: Flow) -> Row:
    """A line of an account's movements."""
    return {
        "flowId": one.flow_id,
        "flowNo": one.number,
        "outFlowNo": one.reference,
        "accountNo": one.account,
        "counterAccountNo": one.counter,
        "businessType": one.business.value,
        "businessTypeName": BUSINESS_NAMES[one.business],
        "directionName": one.way.value,
        "applyId": one.product.project.apply_id,
        "productCode": one.product.code,
        "produceYear": str(one.product.year),
        "serialNo": one.product.serial(one.first, one.last),
        "num": one.units,
        "status": None,
        "statusName": "已完成",
        "beneficiaryName": one.beneficiary,
        "reason": one.reason,
        "freezeOrgan": one.authority,
        "occurTime": time_text(one.at),
        "businessDate": day_text(business_day(one.at)),
    }


def instruction_row(one: Instruction) -> Row:
    """An instruction as its two persons see it."""
    return {
        "flowNo": one.number,
        "outFlowNo": one.asked.reference,
        "accountNo": one.asked.account,
        "businessType": one.asked.business.value,
        "businessTypeName": BUSINESS_NAMES[one.asked.business],
        "status": None,
        "statusName": one.state.value,
        "rejectCode": one.code and one.code.value,
        "rejectReason": one.code and SAID[one.code],
        "makerName": one.maker,
        "checkerName": one.checker,
        "submitTime": time_text(one.submitted_at),
        "confirmTime": one.confirmed_at and time_text(one.confirmed_at),
        "lots": lot_rows(one.serials),
    }


def lot_rows(serials: Iterable[tuple[str, str, int]]) -> list[Row]:
    """The units that were set aside for an instruction."""
    return [{"holdId": block_id, "serialNo": serial, "num": units} for block_id, serial, units in serials]


def certificate_row(one: Instruction, holder: str) -> Row:
    """The registry's proof that units were redeemed."""
    return {
        "certificateNo": one.certificate,
        "outFlowNo": one.asked.reference,
        "flowNo": one.number,
        "businessTypeName": BUSINESS_NAMES[one.asked.business],
        "accountNo": one.asked.account,
        "accountName": holder,
        "beneficiaryName": one.asked.beneficiary,
        "uscc": one.asked.uscc,
        "remark": one.asked.remark,
        "num": sum(units for _, _, units in one.serials),
        "lots": lot_rows(one.serials),
        "completeTime": one.due_at and time_text(one.due_at),
    }
