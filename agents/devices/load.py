"""A load that nothing controls."""

from dataclasses import dataclass

from agents.devices.series import Series


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """A fixed load: it consumes what it consumes.

    Attributes:
        number: the device's number in its market.
        metered: its consumption, Wh per slot.
    """

    number: int
    metered: Series
