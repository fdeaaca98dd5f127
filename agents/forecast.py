"""Forecasts of what a device will meter, made from nothing but what it has metered."""

from agents.devices.series import Device

DAY_S = 86_400


def persistence(device: Device, slot: int) -> int | None:
    """Energy expected in `slot`, Wh: what the device metered in the slot 24 hours earlier.

    None if the device had no meter then: nothing is known, which is not the same as nothing expected. This is
    the seasonal naive forecast with a season of one day, the reference that better forecasts have to beat.
    """
    return device.metered.at(slot - DAY_S)
