"""Why a plan cannot be: which limit is in the way, by how much, in people's words.

The same model is solved once more with what a plan keeps closed opened (`Model.elastic`): energy that is missing
in a store, and flow beyond the connection's limits, both as little as possible, a missing Wh as late as possible.
What remains is the least that any plan would be short, so the number in the message is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.scheduler.model import Blocks
from agents.scheduler.outlook import Floats, Outlook
from agents.scheduler.store import Store
from matching.errors import WattbookError

TOLERANCE_WH = 1e-3
SOLVER_WH = 1e-7
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One goal that cannot be met.

    Attributes:
        store: number of the store it is about, or None for the connection.
        position: the slot at whose end it shows.
        short_wh: by how much, rounded up, Wh.
        words: all of it as a sentence for people.
    """

    store: int | None
    position: int
    short_wh: int
    words: str


class InfeasibleError(WattbookError):
    """No plan keeps all limits.

    Attributes:
        shortfalls: what cannot be met, and by how much, the earliest first.
    """

    code = "scheduler.infeasible"

    def __init__(self, shortfalls: tuple[Shortfall, ...]) -> None:
        super().__init__("; ".join(shortfall.words for shortfall in shortfalls))
        self.shortfalls = shortfalls


def explain(blocks: Blocks, values: Floats, outlook: Outlook, stores: Sequence[Store]) -> InfeasibleError:
    """The error that says what is short in this solution of the elastic model."""
    shortfalls = []
    for block, way, limits in (
        (Blocks.OVER, "import", outlook.import_limit_wh),
        (Blocks.SPILLED, "export", outlook.export_limit_wh),
    ):
        beyond = values[blocks.columns(block)]
        if (beyond > TOLERANCE_WH).any():
            worst = int(np.argmax(beyond))
            words = (
                f"the connection would have to {way} {_kwh(float(limits[worst] + beyond[worst]))} in the slot at "
                f"{outlook.clock(worst)}: {_kwh(float(beyond[worst]))} more than its limit of "
                f"{_kw(int(limits[worst]), outlook.slot_s)}"
            )
            shortfalls.append(Shortfall(None, worst, _up(float(beyond[worst])), words))
    for number, store in enumerate(stores):
        missing = values[blocks.columns(blocks.charge(number) + 3)]
        late = np.flatnonzero(missing > TOLERANCE_WH)
        if late.size:
            # what is missing for one goal may be spread over neighbouring slots
            run = late[: np.argmax(np.append(np.diff(late) > 1, True)) + 1]
            short = float(missing[run].sum())
            until = slice(int(run[-1]) + 1)
            charge, level = (values[blocks.columns(blocks.charge(number) + offset)][until] for offset in (0, 2))
            level = level - np.cumsum(missing[until])  # what is really there
            goal = f"{store.name} cannot be {store.goal} by {outlook.clock(int(run[-1]) + 1)}"
            words = f"{goal}: {_kwh(short)} short, {_cause(charge, level, outlook, store)}"
            shortfalls.append(Shortfall(number, int(run[-1]), _up(short), words))
    return InfeasibleError(tuple(sorted(shortfalls, key=lambda shortfall: shortfall.position)))


def _cause(charge: Floats, level: Floats, outlook: Outlook, store: Store) -> str:
    """What kept the store from charging more in these slots, of which the last is when it had to be ready."""
    end = len(charge) - 1
    able = np.flatnonzero(store.charge_limit_wh[: end + 1] > 0)
    if not able.size:
        return f"it is not connected before {outlook.clock(end + 1)}"
    since = outlook.clock(int(able[0]))
    spare = able[charge[able] < store.charge_limit_wh[able] - TOLERANCE_WH]
    if not spare.size:
        power = _kw(int(store.charge_limit_wh[able].max()), outlook.slot_s)
        return f"charging at its limit of {power} from {since} on"
    if (level[spare] >= store.most_wh[spare] - TOLERANCE_WH).any():
        return f"as it holds at most {_kwh(float(store.most_wh[spare].max()))}"
    power = _kw(int(outlook.import_limit_wh[spare].max()), outlook.slot_s)
    return f"as the connection's limit of {power} leaves no more from {since} on"


def relaxed(blocks: Blocks, values: Floats, stores: Sequence[Store]) -> tuple[Store, ...]:
    """The stores with goals lowered to what the elastic model found possible, so that there is a plan.

    A missing Wh is taken out of the next use after it shows, and until then out of the level wanted.
    """
    possible = []
    for number, store in enumerate(stores):
        missing = np.ceil(values[blocks.columns(blocks.charge(number) + 3)] - SOLVER_WH).astype(np.int64)
        use, least = store.use_wh.copy(), store.least_wh.copy()
        owed = 0
        for position in range(store.slots):
            owed += int(missing[position])
            dropped = min(owed, int(use[position]))
            use[position] -= dropped
            owed -= dropped
            least[position] = max(int(least[position]) - owed, 0)
        possible.append(replace(store, use_wh=use, least_wh=least))
    return tuple(possible)


def _kwh(energy_wh: float) -> str:
    return f"{energy_wh / 1_000:.1f} kWh" if energy_wh >= 50 else f"{energy_wh:.0f} Wh"


def _kw(limit_wh: int, slot_s: int) -> str:
    return f"{limit_wh * HOUR_S / slot_s / 1_000:.1f} kW"


def _up(energy_wh: float) -> int:
    return int(np.ceil(energy_wh - TOLERANCE_WH))
