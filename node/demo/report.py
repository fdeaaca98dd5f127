"""What the day came to: the community's indicators, every home's bill, certificates, gas."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.statements.model import Kind, Scope
from ledger.statements.signing import SignedStatement
from matching.orders import Side
from matching.tariff import Tariff
from node.composition import Node
from node.demo.setting import TIME_ZONE, Participant
from simulation.indicators import Bill, CommunityIndicators, Period, bills, community_indicators


@dataclass(frozen=True)
class DayReport:
    """The day in numbers; energies in Wh, money in nano-credits.

    Attributes:
        bills: by name of the home.
        gas: gas used by step name.
        transactions: number of confirmed steps.
        blocks: number of the chain's newest block.
        matched_ppm: the community's 24/7 score, millionths; None if nobody consumed anything.
        statement: digest of the day's signed disclosure.
    """

    indicators: CommunityIndicators
    bills: dict[str, Bill]
    issued_wh: int
    retired_wh: int
    orders: int
    filled_orders: int
    gas: dict[str, int]
    transactions: int
    blocks: int
    matched_ppm: int | None
    statement: bytes


def day_report(node: Node, participants: Sequence[Participant], slots: Sequence[int], tariff: Tariff) -> DayReport:
    """Everything about these slots, which must be certified, from the node's store."""
    period = _period(node, participants, slots)
    signed = _disclosure(node, slots)
    disclosure = signed.statement.disclosure
    assert disclosure is not None  # noqa: S101 - a disclosure statement discloses
    certified = [node.store.certified(slot) for slot in slots]
    intents = [record for slot in slots for record in node.store.intents(slot)]
    gas: dict[str, int] = {}
    for record in intents:
        gas[record.intent.step] = gas.get(record.intent.step, 0) + (record.gas_used or 0)
    orders = [order for slot in slots for order in node.store.orders(slot=slot)]
    names = [participant.name for participant in participants]
    return DayReport(
        indicators=community_indicators(period),
        bills=dict(zip(names, bills(period, tariff), strict=True)),
        issued_wh=sum(issued.certified_wh for each in certified for issued in each.issuances),
        retired_wh=sum(match.amount_wh for each in certified for match in each.matches),
        orders=len(orders),
        filled_orders=sum(order.fill_wh > 0 for order in orders),
        gas=gas,
        transactions=len(intents),
        blocks=node.chain.head().number,
        matched_ppm=disclosure.score_ppm,
        statement=signed.digest,
    )


def _disclosure(node: Node, slots: Sequence[int]) -> SignedStatement:
    """The community's disclosure of these slots, signed by the issuer."""
    scope = Scope(
        account=None,
        market=node.market.id,
        first_slot=slots[0],
        end_slot=slots[-1] + node.market.slot_length_s,
        time_zone=TIME_ZONE,
        transactions=(),
        factors=None,
    )
    return node.services.stating.make(Kind.DISCLOSURE, scope)


def _period(node: Node, participants: Sequence[Participant], slots: Sequence[int]) -> Period:
    rows = {participant.key.address: row for row, participant in enumerate(participants)}
    devices = {device.device: device for device in node.store.devices()}
    consumption, generation, bought, sold, amounts = np.zeros((5, len(rows), len(slots)), dtype=np.int64)
    for column, slot in enumerate(slots):
        for number, record in node.store.readings(slot).items():
            device = devices[number]
            metered = generation if device.generates else consumption
            metered[rows[device.account], column] += record.energy_wh
        slot_record = node.store.slot(slot)
        price = (slot_record.price if slot_record else None) or 0
        for order in node.store.orders(slot=slot):
            row, is_bid = rows.get(order.signed.order.account), order.signed.order.side is Side.BID
            if row is not None:
                (bought if is_bid else sold)[row, column] += order.fill_wh
                amounts[row, column] += (-price if is_bid else price) * order.fill_wh
    return Period(consumption, generation, bought, sold, amounts)
