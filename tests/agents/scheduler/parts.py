"""Small outlooks and stores for the tests of this package."""

from zoneinfo import ZoneInfo

import numpy as np

from agents.scheduler.outlook import Outlook
from agents.scheduler.store import PPM, Shape, Store

ZONE = ZoneInfo("Europe/Amsterdam")
FIRST_SLOT = 1_718_352_000
"""Friday 14 June 2024, 10:00 in Amsterdam."""
SLOT_S = 3_600
WIDE_WH = 10_000


def outlook(
    load_wh: list[int],
    import_price: list[int],
    *,
    generation_wh: list[int] | None = None,
    export_price: list[int] | None = None,
    import_limit_wh: int = WIDE_WH,
    export_limit_wh: int = WIDE_WH,
    curtailable: bool = False,
    first_slot: int = FIRST_SLOT,
) -> Outlook:
    slots = len(load_wh)
    exported = [min(price, 0) for price in import_price] if export_price is None else export_price
    return Outlook(
        first_slot=first_slot,
        slot_s=SLOT_S,
        zone=ZONE,
        load_wh=np.array(load_wh, dtype=np.int64),
        generation_wh=np.array([0] * slots if generation_wh is None else generation_wh, dtype=np.int64),
        curtailable=curtailable,
        import_price=np.array(import_price, dtype=np.float64),
        export_price=np.array(exported, dtype=np.float64),
        import_limit_wh=np.full(slots, import_limit_wh),
        export_limit_wh=np.full(slots, export_limit_wh),
    )


def battery(
    slots: int,
    *,
    capacity_wh: int = 10,
    power_wh: int = 4,
    efficiency_ppm: int = PPM,
    initial_wh: int = 0,
    wear: int = 0,
    least_wh: list[int] | None = None,
) -> Store:
    return Store(
        name="the battery",
        goal="kept at its reserve",
        shape=Shape(efficiency_ppm, PPM, power_wh, power_wh),
        wear_nano_per_wh=wear,
        initial_wh=initial_wh,
        charge_limit_wh=np.full(slots, power_wh),
        discharge_limit_wh=np.full(slots, power_wh),
        use_wh=np.zeros(slots, dtype=np.int64),
        least_wh=np.array([0] * slots if least_wh is None else least_wh, dtype=np.int64),
        most_wh=np.full(slots, capacity_wh),
    )
