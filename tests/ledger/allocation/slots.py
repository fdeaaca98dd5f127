"""Slots for the tests of allocations: members and their devices in few words, and any slot at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from ledger.allocation import Consumption, Issuance, SlotPart, parts
from ledger.batches import FilledOrder
from ledger.devices import DeviceKind
from ledger.trades import Trade
from matching.orders import CertificatePreference, Side
from tests.ledger.orders import key, signed

UNBUNDLED, BUNDLED, AUTO_RETIRE = CertificatePreference
ANNA, BERT, CORA, DORA = MEMBERS = (1, 2, 3, 4)
LOAD_OF = 100
"""Device number of a member's load, above the member's own."""
CHARGE_OF = 200
STORAGE_OF = 300


def account(member: int) -> bytes:
    return key(member).address


ACCOUNTS = {account(member): member for member in MEMBERS}


def generated(device: int, owner: int, wh: int, *, area: int = 1) -> Issuance:
    return Issuance(device, account(owner), DeviceKind.GENERATOR, area, wh, wh)


def given_back(owner: int, wh: int, certified_wh: int | None = None, *, area: int = 1, lots: int = 0) -> Issuance:
    """What a member's storage gave, all of it with an origin if nothing else is said."""
    certified_wh = wh if certified_wh is None else certified_wh
    return Issuance(STORAGE_OF + owner, account(owner), DeviceKind.STORAGE, area, wh, certified_wh, lots)


def load(owner: int, wh: int, *, number: int = 0, area: int = 1) -> Consumption:
    return Consumption(LOAD_OF + owner + 10 * number, account(owner), DeviceKind.LOAD, area, wh, wh)


def charge(owner: int, wh: int, *, area: int = 1) -> Consumption:
    return Consumption(
        CHARGE_OF + owner, account(owner), DeviceKind.CHARGE, area, wh, wh, storage=STORAGE_OF + owner
    )


_ORDERS: dict[tuple[object, ...], FilledOrder] = {}


def _filled(member: int, side: Side, wh: int, number: int, preference: CertificatePreference) -> FilledOrder:
    """A filled order; signing takes a while, and the same orders are drawn again and again."""
    name = (member, side, wh, number, preference)
    if name not in _ORDERS:
        _ORDERS[name] = FilledOrder(signed(member, side, wh, salt=number, certificates=preference), wh)
    return _ORDERS[name]


def trade(
    number: int,
    seller: int,
    buyer: int,
    wh: int,
    *,
    offered: CertificatePreference = AUTO_RETIRE,
    wanted: CertificatePreference = AUTO_RETIRE,
) -> Trade:
    return Trade(
        number=number,
        seller=_filled(seller, Side.OFFER, wh, number, offered),
        buyer=_filled(buyer, Side.BID, wh, number, wanted),
        quantity_wh=wh,
    )


def gas_of(part: SlotPart) -> int:
    """What the certification of a part needs at most, the transaction itself left out."""
    kinds = {each.device: each.kind for each in part.consumptions}
    return (
        sum(parts.GAS[each.kind] for each in (*part.issuances, *part.consumptions))
        + parts.LOT_GAS * sum(issuance.lots for issuance in part.issuances)
        + sum(parts.MATCH_GAS[kinds[match.consumption]] for match in part.matches)
        + parts.MOVE_GAS * len(part.moves)
    )


@dataclass(frozen=True)
class Slot:
    issuances: Sequence[Issuance]
    consumptions: Sequence[Consumption]
    trades: Sequence[Trade]


_members = st.sampled_from(MEMBERS)
_areas = st.sampled_from((1, 1, 1, 2))
_lots = st.integers(1, 8)
_preferences = st.sampled_from(CertificatePreference)


@st.composite
def slots(draw: st.DrawFn, most_wh: int = 20) -> Slot:
    """Up to six generators and some storages, up to two loads and a battery each, up to eight trades."""
    wh = st.integers(1, most_wh)
    issuances = [
        generated(device, draw(_members), draw(wh), area=draw(_areas)) for device in range(draw(st.integers(0, 6)))
    ]
    consumptions = []
    for member in MEMBERS:
        has_storage = draw(st.sampled_from(((False, False), (False, True), (True, False), (True, True))))
        if has_storage[0]:
            metered = draw(wh)
            issuances.append(
                given_back(member, metered, draw(st.integers(0, metered)), area=draw(_areas), lots=draw(_lots))
            )
        if has_storage[1]:
            consumptions.append(charge(member, draw(wh), area=draw(_areas)))
        consumptions += [
            load(member, draw(wh), number=number, area=draw(_areas)) for number in range(draw(st.integers(0, 2)))
        ]
    trades = [
        trade(
            number, *draw(st.tuples(_members, _members, wh)), offered=draw(_preferences), wanted=draw(_preferences)
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    return Slot(draw(st.permutations(issuances)), draw(st.permutations(consumptions)), trades)
