"""What a run leaves behind: tables of what was metered and traded, from which every indicator is computed.

The border. The community is everything behind one connection point; the utility is outside. A member is a home, or
a battery that belongs to all. In every slot and for every member, to the Wh,

    generation + discharged + bought + imported = consumption + charged + sold + exported,

where bought and sold are trades with other members and imported and exported are with the utility. In memory a
member column is an int64 array (members, slots); on disk `members.parquet` has a row for each slot and member.
`simulation.results_files` reads and writes the folder.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Self

import numpy as np

from matching.book import Ints
from matching.errors import WattbookError
from matching.exact import exact_sum

UTILITY = "utility"
"""The utility's name among the parties of trades; no member may have it."""

UNITS = {"_wh": "Wh", "_nano": "nano-credit", "price": "nano-credit per Wh", "slot": "Unix seconds UTC"}

SLOT_COLUMNS = (
    "slot",
    "price",
    "traded_wh",
    "traded_nano",
    "imported_wh",
    "exported_wh",
    "stored_wh",
    "retail_price",
    "feed_in_price",
)
"""Columns of the slots, each an int64 array:

slot: start of the slot. price: mean price of the slot's trades between members, rounded down, 0 in memory and null
on disk where nothing traded. traded_wh, traded_nano: their energy and money. imported_wh, exported_wh: the
community's net flow at its connection point, of which one is always zero. stored_wh: in all batteries at the
slot's end. retail_price, feed_in_price: the utility's.
"""

MEMBER_COLUMNS = (
    "consumption_wh",
    "generation_wh",
    "charged_wh",
    "discharged_wh",
    "lost_wh",
    "stored_wh",
    "bought_wh",
    "sold_wh",
    "imported_wh",
    "exported_wh",
    "amount_nano",
    "fee_nano",
    "utility_nano",
    "from_generation_wh",
    "from_storage_wh",
    "from_initial_wh",
    "from_utility_wh",
)
"""Columns of the members, each an int64 array (members, slots):

consumption_wh, generation_wh: metered. charged_wh, discharged_wh: at the terminals of the member's storages; what
an electric vehicle takes on its way counts as discharged and consumed at its departure. lost_wh: lost in the
storages. stored_wh: what they can still give, at the slot's end. bought_wh, sold_wh: traded with members.
imported_wh, exported_wh: from and to the utility. amount_nano: received (+) or paid (-) in trades with members.
fee_nano: grid fee paid for them. utility_nano: received from (+) or paid to (-) the utility.

The last four say where the slot's consumption came from and add up to it: the community's own generation of this
slot; the community's own generation stored before; what was in the storages when the run began; the utility,
through storages or not.
"""


class BrokenRunError(WattbookError):
    """Energy or money does not add up: a defect of the simulation, never of its input."""

    code = "simulation.broken"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was run.

    Attributes:
        scenario: name of the scenario, variant included, e.g. `groene-mient/battery`.
        strategy: how the members priced their orders.
        design: the market's design; empty if there was no market.
        seed: of everything drawn at random.
        slot_s: length of a slot, seconds.
        time_zone: IANA name of the community's local time.
        members: the members' names, in the order of the rows of the member columns.
        storages: names of the members that are a battery of the community's, not a home.
        initial_stored_wh: for each member what its storages could give when the run began.
        grid_fee: paid to the utility by the buyer of a Wh from another member, nano-credit.
        parameters: everything else that was set, as JSON can hold it.
    """

    scenario: str
    strategy: str
    design: str
    seed: int
    slot_s: int
    time_zone: str
    members: tuple[str, ...]
    storages: tuple[str, ...] = ()
    initial_stored_wh: tuple[int, ...] = ()
    grid_fee: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The run as `run.json` holds it, with the units and the version that made it."""
        return {**asdict(self), "units": UNITS, "version": version("wattbook")}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The run that `to_json` recorded."""
        fields = {name: record[name] for name in cls.__dataclass_fields__}
        for name in ("members", "storages", "initial_stored_wh"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


@dataclass(frozen=True, slots=True, eq=False)
class TradeTable:
    """Who traded with whom: columns of one length, summed over the run, or by slot.

    Attributes:
        seller, buyer: positions among the run's members; the number of members stands for the utility.
        quantity_wh, amount_nano: energy and what the buyer paid for it, grid fee excluded.
        slot: start of the slot, or None if summed over the run.
    """

    seller: Ints
    buyer: Ints
    quantity_wh: Ints
    amount_nano: Ints
    slot: Ints | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """A run's tables; see `SLOT_COLUMNS` and `MEMBER_COLUMNS`.

    Attributes:
        info: what was run.
        slots: the slots' columns by name.
        members: the members' columns by name.
        trades: summed over the run.
        trades_by_slot: the same by slot, where the run is at most a month long, else None.

    Raises:
        BrokenRunError: energy or money does not add up in some slot.
    """

    info: RunInfo
    slots: Mapping[str, Ints]
    members: Mapping[str, Ints]
    trades: TradeTable
    trades_by_slot: TradeTable | None = None

    def __post_init__(self) -> None:
        """Check that energy and money add up."""
        shape = (len(self.info.members), len(self.slots["slot"]))
        for name in MEMBER_COLUMNS:
            if self.members[name].shape != shape or self.members[name].dtype != np.int64:
                raise BrokenRunError(f"column '{name}' is not int64 of shape {shape}")
        check_conserved(self.slots, self.members, self.info.initial_stored_wh)

    def column(self, name: str, member: str) -> Ints:
        """One member's column, an entry a slot."""
        row: Ints = self.members[name][self.info.members.index(member)]
        return row


def slot_columns(slots: Ints, members: Mapping[str, Ints], retail: Ints, feed_in: Ints) -> dict[str, Ints]:
    """The slots' columns that follow from the members'.

    Args:
        slots: starts of the slots.
        members: the member columns.
        retail: the utility's retail prices, one a slot.
        feed_in: its feed-in prices, one a slot.
    """
    traded = members["bought_wh"].sum(axis=0)
    money = np.maximum(members["amount_nano"], 0).sum(axis=0)
    net = (members["imported_wh"] - members["exported_wh"]).sum(axis=0)
    columns: dict[str, Ints] = {
        "slot": slots,
        "price": money // np.maximum(traded, 1),
        "traded_wh": traded,
        "traded_nano": money,
        "imported_wh": np.maximum(net, 0),
        "exported_wh": np.maximum(-net, 0),
        "stored_wh": members["stored_wh"].sum(axis=0),
        "retail_price": np.broadcast_to(retail, slots.shape).astype(np.int64),
        "feed_in_price": np.broadcast_to(feed_in, slots.shape).astype(np.int64),
    }
    return columns


def check_conserved(
    slots: Mapping[str, Ints], members: Mapping[str, Ints], initial_stored_wh: tuple[int, ...] | Ints
) -> None:
    """Return if energy and money add up in every slot, for every member and for the community.

    Raises:
        BrokenRunError: they do not; says what and where.
    """
    m = members
    came = m["generation_wh"] + m["discharged_wh"] + m["bought_wh"] + m["imported_wh"]
    went = m["consumption_wh"] + m["charged_wh"] + m["sold_wh"] + m["exported_wh"]
    origins = m["from_generation_wh"] + m["from_storage_wh"] + m["from_initial_wh"] + m["from_utility_wh"]
    before = np.empty_like(m["stored_wh"])
    before[:, 1:] = m["stored_wh"][:, :-1]
    before[:, 0] = np.asarray(initial_stored_wh, dtype=np.int64) if len(initial_stored_wh) else 0
    stored = before + m["charged_wh"] - m["lost_wh"] - m["discharged_wh"]
    signless = ("amount_nano", "utility_nano")
    broken = {
        "an energy or fee below zero": np.logical_or.reduce(
            [m[n] < 0 for n in MEMBER_COLUMNS if n not in signless]
        ),
        "energy that comes and goes": came != went,
        "stored energy": stored != m["stored_wh"],
        "origins of the consumption": origins != m["consumption_wh"],
        "bought and sold energy": m["bought_wh"].sum(axis=0) != m["sold_wh"].sum(axis=0),
        "credits of trades": m["amount_nano"].sum(axis=0) != 0,
        "the connection's flow": (m["imported_wh"] - m["exported_wh"]).sum(axis=0)
        != slots["imported_wh"] - slots["exported_wh"],
    }
    for what, where in broken.items():
        if where.any():
            raise BrokenRunError(f"{what} does not add up at {np.argwhere(where)[0].tolist()} (member, slot)")


def bills_nano(results: Results) -> list[int]:
    """What each member pays for the run, nano-credit; negative if it receives more than it pays.

    Trades with members, grid fee and utility together.
    """
    m = results.members
    paid = m["fee_nano"] - m["amount_nano"] - m["utility_nano"]
    return [exact_sum(row) for row in paid]
