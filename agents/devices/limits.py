"""Checks that devices share, and energy of a power over a slot."""

from agents.devices.series import InvalidDeviceError

HOUR_S = 3_600
MILLION = 1_000_000


def require(field: str, value: object, low: int, high: int | None = None) -> None:
    """Return if a field is an integer within its limits.

    Raises:
        InvalidDeviceError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidDeviceError(field, value, "must be an integer")
    if value < low or (high is not None and value > high):
        limit = f"must be at least {low}" if high is None else f"must be between {low} and {high}"
        raise InvalidDeviceError(field, value, limit)


def slot_energy_wh(power_w: int, slot_s: int) -> int:
    """What a power comes to in a slot, Wh, rounded down."""
    return power_w * slot_s // HOUR_S
