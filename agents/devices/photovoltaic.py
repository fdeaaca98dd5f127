"""A photovoltaic system."""

from dataclasses import dataclass

from agents.devices.series import InvalidDeviceError, Series

HOUR_S = 3_600


@dataclass(frozen=True, slots=True, eq=False)
class Photovoltaic:
    """A photovoltaic system: it generates what the sun gives it, up to its nameplate.

    Attributes:
        number: the device's number in its market.
        metered: its generation, Wh per slot.
        nameplate_w: its nominal power, W.
        curtailable: whether it may be told to generate less.

    Raises:
        InvalidDeviceError: it generated more in some slot than its nameplate allows.
    """

    number: int
    metered: Series
    nameplate_w: int
    curtailable: bool = False

    def __post_init__(self) -> None:
        """Check the series against the nameplate."""
        limit_wh = -(-self.nameplate_w * self.metered.slot_s // HOUR_S)
        highest_wh = int(self.metered.energy_wh.max(initial=0))
        if highest_wh > limit_wh:
            raise InvalidDeviceError(
                "metered", highest_wh, f"must be at most {limit_wh} Wh a slot, with {self.nameplate_w} W"
            )
