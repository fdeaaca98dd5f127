"""Whether a slot's certificates are all issued, and went where trades and consumption say."""

from collections.abc import Iterable

from ledger.allocation import (
    Allocation,
    BrokenAllocationError,
    Consumption,
    Match,
    Move,
    allocate,
    parts_of,
)
from ledger.allocation.model import InvalidMeteringError
from ledger.audit.findings import Findings
from ledger.audit.guarantees import DAY_S, device_of, kind_of, slot_of
from ledger.audit.model import Model, SlotModel
from ledger.audit.rulebook import hexed, where_of
from ledger.certificates.ids import CertificateKind
from ledger.devices import Device, DeviceKind
from ledger.metered import GIVING
from matching.orders import Side

_GENERATION = 1


def is_over(model: Model, slot: SlotModel, *, expires_at: int, now: int) -> bool:
    """Whether nothing more is to happen to a slot.

    What a day's root commits to is minted whenever somebody wants it; and what devices without a standing request
    metered, whenever it was asked for: neither keeps a slot open.
    """
    if slot.state != "delivered":
        return False
    if now >= expires_at or (slot.market, slot.slot // DAY_S) in model.guarantees.days:
        return True
    if slot.is_unread or slot.is_certified_unread:
        return "certify" in slot.blocks
    is_certified = "certify" in slot.blocks
    is_passed = model.states[slot.market].certified_slot > slot.slot
    for account, (consumption_wh, generation_wh) in _left_wh(model, slot):
        devices = list(model.guarantees.devices_of(account, slot.market, slot.slot))
        if generation_wh > 0 and _awaits_certification(devices, is_certified=is_certified):
            return False
        # A charge is certified even if nothing is matched with it; but storages' slots ascend.
        charges = any(each.kind is DeviceKind.CHARGE and each.standing for each in devices)
        if consumption_wh > 0 and charges and not is_certified and not is_passed:
            return False
    return True


def check_certified(model: Model, slot: SlotModel, findings: Findings) -> None:
    """A slot that was certified: all of its generation was, and where it went."""
    if "certify" not in slot.blocks or slot.is_unread or slot.is_certified_unread:
        return
    _check_metered(model, slot, findings)
    if slot.uniform_price:
        _check_allocation(model, slot, findings)
    else:
        _check_received(slot, findings)


def check_late(model: Model, findings: Findings, *, now: int) -> None:
    """What was issued beyond the delivery rests on late readings: a day after their day, these are anchored."""
    for id_ in model.guarantees.late:
        device, day = device_of(id_), slot_of(id_) // DAY_S
        is_anchored = (device, day) in model.guarantees.anchors or now < (day + 2) * DAY_S
        is_consumption = kind_of(id_) == CertificateKind.CONSUMPTION
        findings.require(
            "certify.consumption" if is_consumption else "certify.generation",
            f"certificate {id_:#x}", is_anchored,
            expected=f"evidence of day {day}, as more was issued than delivered", found="none",
        )  # fmt: skip


def _left_wh(model: Model, slot: SlotModel) -> Iterable[tuple[bytes, list[int]]]:
    return sorted(model.guarantees.metered_wh.get((slot.market, slot.slot), {}).items())


def _awaits_certification(devices: Iterable[Device], *, is_certified: bool) -> bool:
    """Whether the rest of what an account's devices gave is still to be certified."""
    giving = [each.standing for each in devices if each.kind in GIVING]
    return any(giving) and (all(giving) or not is_certified)


def _check_metered(model: Model, slot: SlotModel, findings: Findings) -> None:
    """Where everything is to be certified, nothing is left; consumption that nothing is matched with may be."""
    recorded = {each.device for each in slot.consumptions}
    is_lazy = (slot.market, slot.slot // DAY_S) in model.guarantees.days
    for account, left in _left_wh(model, slot):
        where = f"{where_of(slot)}, account {hexed(account)}"
        devices = list(model.guarantees.devices_of(account, slot.market, slot.slot))
        giving = [each.standing for each in devices if each.kind in GIVING]
        if giving and all(giving) and not is_lazy:
            findings.check("certify.generation", where, expected=0, found=left[_GENERATION])
        taking = [each for each in devices if each.kind not in GIVING]
        if taking and all(each.standing and each.device in recorded for each in taking):
            unrecorded_wh = slot.unrecorded_wh.get(account, 0)
            findings.check("certify.consumption", where, expected=0, found=unrecorded_wh)


def _unrecorded(model: Model, slot: SlotModel) -> Iterable[Consumption]:
    """Consumption that is not on chain, by account: as if one of its loads had taken it all.

    By the rule nothing is matched with it, or it would be on chain. Not so where it may be of several areas.
    """
    recorded = {each.device for each in slot.consumptions}
    for account, amount_wh in sorted(slot.unrecorded_wh.items()):
        taking: list[Device] = [
            each
            for each in model.guarantees.devices_of(account, slot.market, slot.slot)
            if each.kind not in GIVING
        ]
        loads = [each for each in taking if each.kind is DeviceKind.LOAD and each.device not in recorded]
        if amount_wh > 0 and len({each.area for each in loads}) == 1 and all(each.standing for each in taking):
            load = min(loads, key=lambda each: each.device)
            yield Consumption(load.device, account, load.kind, load.area, amount_wh, amount_wh)


def _check_allocation(model: Model, slot: SlotModel, findings: Findings) -> None:
    taken = {each.device: each for each in slot.consumptions}  # later parts name it again
    consumptions = [*taken.values(), *_unrecorded(model, slot)]
    try:
        allocation = allocate(slot.issuances, consumptions, slot.trades)
        parts = parts_of(slot.issuances, consumptions, allocation)
        expected: object = _sorted(
            [move for part in parts for move in part.moves], [match for part in parts for match in part.matches]
        )
    except (BrokenAllocationError, InvalidMeteringError) as error:
        expected = error
    findings.check(
        "certify.allocation", where_of(slot), expected=expected, found=_sorted(slot.moves, slot.matches)
    )


def _sorted(moves: list[Move], matches: list[Match]) -> Allocation:
    return Allocation(
        moves=tuple(sorted(moves, key=lambda each: (each.device, each.account))),
        matches=tuple(sorted(matches, key=lambda each: (each.device, each.consumption))),
    )


def _check_received(slot: SlotModel, findings: Findings) -> None:
    """Other designs' trades are not on chain; but nobody gets certificates of more than it bought."""
    received: dict[bytes, int] = {}
    givers = {issuance.device: issuance.owner for issuance in slot.issuances}
    takers = {consumption.device: consumption.owner for consumption in slot.consumptions}
    given = [(each.device, each.account, each.amount_wh) for each in slot.moves]
    given += [(each.device, takers[each.consumption], each.amount_wh) for each in slot.matches]
    for device, account, amount_wh in given:
        if account != givers.get(device):
            received[account] = received.get(account, 0) + amount_wh
    for account, amount_wh in received.items():
        bought_wh = sum(
            fill.fill_wh
            for fill in slot.fills
            if fill.signed.order.account == account and fill.signed.order.side is Side.BID
        )
        findings.require(
            "certify.bought", f"{where_of(slot)}, account {hexed(account)}", amount_wh <= bought_wh,
            expected=f"at most {bought_wh} Wh", found=amount_wh,
        )  # fmt: skip
