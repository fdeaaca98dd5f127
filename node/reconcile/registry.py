"""Members, devices and the devices' readings against the chain's registry and the meters' signatures."""

from functools import partial

from ledger.devices import DeviceKey
from ledger.evidence.checks import Position, check
from ledger.evidence.evidence import DeviceTerms, Quality
from ledger.evidence.tree import DayTree
from matching.errors import WattbookError
from node.anchoring import trees
from node.reconcile.context import Context, hexed
from node.store.records import DeviceRecord, ReadingRecord

_HOUR_S = 3_600
_MOST_WITHOUT_NAMEPLATE_WH = 2**31 - 1


def compare_members(context: Context) -> None:
    """The store's members are the chain's."""
    found = sorted(member.account for member in context.store.members())
    expected = context.model.members(context.store.market)
    context.findings.check(
        "store.members", "table members", expected=[hexed(each) for each in expected],
        found=[hexed(each) for each in found],
    )  # fmt: skip


def compare_devices(context: Context) -> None:
    """The store's devices are the chain's of its market, with all their details, keys and readings."""
    devices = context.store.devices()
    areas = {number for number, area in context.history.areas.items() if area.market == context.store.market}
    registered = {number for number, found in context.history.devices.items() if found.device.area in areas}
    missing = sorted(registered - {device.device for device in devices})
    context.findings.check("store.devices", "table devices", expected=[], found=missing)
    for device in devices:
        _compare_device(context, device)
        where = f"table readings, device {device.device}"
        context.read(where, partial(_check_readings, context, device))
    readings = context.read("table readings", context.store.latest_readings) or []
    strangers = {each.evidence.device for each in readings} - {device.device for device in devices}
    context.findings.check("store.readings.devices", "table readings", expected=[], found=sorted(strangers))


def compare_anchors(context: Context) -> None:
    """Every day that the store holds for anchored is, with the evidence that the store has now."""
    for day in context.store.anchored_days():
        for tree in trees(day, context.store.day_readings(day)):
            _compare_anchor(context, tree)


def _compare_anchor(context: Context, tree: DayTree) -> None:
    anchors = context.history.anchors.get((tree.device, tree.day), [])
    found = (anchors[-1].root, anchors[-1].leaves) if anchors else None
    where = f"table anchored_days, day {tree.day}, device {tree.device}"
    context.findings.check("store.anchor", where, expected=found, found=(tree.root, tree.size))


def _compare_device(context: Context, device: DeviceRecord) -> None:
    registered = context.history.devices.get(device.device)
    where = f"table devices, device {device.device}"
    expected = registered and (registered.device, registered.closed_day)
    found = (device.details, device.closed_day)
    context.findings.check("store.device", where, expected=expected, found=found)
    keys = [DeviceKey.of(key, from_slot) for from_slot, key in device.keys.spans]
    on_chain = [] if registered is None else registered.keys
    context.findings.check(
        "store.meter_keys", f"table meter_keys, device {device.device}", expected=on_chain, found=keys
    )


def _check_readings(context: Context, device: DeviceRecord) -> None:
    """Every reading that counts: signed by the meter, and going on where the one before stopped.

    Who stood in for a silent meter, and by what key, the chain does not say: of a substitute value, only that
    there is one counts here. The audit with evidence looks at the signatures of these, too.
    """
    terms = _terms(context, device)
    position = Position()
    for record in reversed(context.store.latest_readings(device=device.device)):
        if record.evidence.quality is Quality.SUBSTITUTE:
            position = _after_substitute(position, record)
            continue
        where = f"table readings, device {device.device}, slot {record.evidence.slot}"
        try:
            position = check(record.evidence, terms, position)
        except WattbookError as error:
            context.findings.require("store.reading", where, False, expected="a genuine reading", found=error)


def _after_substitute(position: Position, record: ReadingRecord) -> Position:
    return Position(
        measured=position.measured,
        last_slot=record.evidence.slot,
        substitutes=position.substitutes + 1,
        substituted_wh=position.substituted_wh + record.energy_wh,
    )


def _terms(context: Context, device: DeviceRecord) -> DeviceTerms:
    length_s = context.market.slot_length_s
    return DeviceTerms(
        chain_id=context.domain.chain_id,
        market=context.store.market,
        device=device.device,
        slot_length_s=length_s,
        nameplate_w=device.details.nameplate_w or _MOST_WITHOUT_NAMEPLATE_WH * _HOUR_S // length_s,
        keys=device.keys,
        authority=device.keys,
        register=device.register,
    )
