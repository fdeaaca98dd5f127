"""Members, devices and the devices' readings against the chain's registry and the meters' signatures."""

from functools import partial

from matching.errors import WattbookError
from node.reconcile.context import Context, hexed
from node.store.records import DeviceRecord, ReadingRecord


def compare_members(context: Context) -> None:
    """The store's members are the chain's."""
    found = sorted(member.account for member in context.store.members())
    expected = context.model.members(context.store.market)
    context.findings.check(
        "store.members", "table members", expected=[hexed(each) for each in expected],
        found=[hexed(each) for each in found],
    )  # fmt: skip


def compare_devices(context: Context) -> None:
    """The store's devices are the chain's whose owners are members, with all their details and readings."""
    devices = context.store.devices()
    owners = set(context.model.members(context.store.market))
    registered = {number for number, device in context.model.devices.items() if device.owner in owners}
    missing = sorted(registered - {device.device for device in devices})
    context.findings.check("store.devices", "table devices", expected=[], found=missing)
    for device in devices:
        _compare_device(context, device)
        where = f"table readings, device {device.device}"
        context.read(where, partial(_check_readings, context, device))
    readings = context.read("table readings", context.store.latest_readings) or []
    strangers = {each.signed.reading.device for each in readings} - {device.device for device in devices}
    context.findings.check("store.readings.devices", "table readings", expected=[], found=sorted(strangers))


def _compare_device(context: Context, device: DeviceRecord) -> None:
    registered = context.model.devices.get(device.device)
    expected = registered and (
        registered.owner,
        registered.technology.name,
        registered.nameplate_w,
        registered.meter_key,
    )
    found = (device.account, device.technology.name, device.nameplate_w, device.meter_key)
    where = f"table devices, device {device.device}"
    context.findings.check("store.device", where, expected=expected, found=found)


def _check_readings(context: Context, device: DeviceRecord) -> None:
    """Every reading of a meter: signed by it, and going on where the one before stopped."""
    previous: ReadingRecord | None = None
    for record in reversed(context.store.latest_readings(device=device.device)):
        reading = record.signed.reading
        where = f"table readings, device {reading.device}, slot {reading.slot}"
        try:
            reading.verify(device.meter_key, record.signed.signature)
            if previous is not None:
                reading.check_follows(previous.signed.reading)
        except WattbookError as error:
            context.findings.require("store.reading", where, False, expected="a genuine reading", found=error)
        previous = record
