"""One slot's delivery and certificates against the chain."""

from collections.abc import Sequence

from ledger.allocation import BrokenAllocationError, Consumption, Match, Move, allocate, parts_of
from ledger.allocation.model import InvalidMeteringError
from ledger.audit.model import SlotModel
from ledger.metered import GIVING
from ledger.trades import Trade
from node.metered import member_readings, missing_readings
from node.reconcile.context import Context, hexed


def compare_delivery(context: Context, state: SlotModel) -> None:
    """A delivered slot: what members are said to have consumed and generated is what their devices metered."""
    if state.state != "delivered":
        return
    where = f"table readings, slot {state.slot}"
    missing = missing_readings(context.store, state.slot)
    context.findings.check("store.readings.missing", where, expected=[], found=missing)
    metered = {each.account: each for each in member_readings(context.store, state.slot) or []}
    for delivered in state.readings:
        whose = f"{where}, account {hexed(delivered.account)}"
        found = metered.get(delivered.account)
        context.findings.check("store.readings", whose, expected=delivered, found=found)


def compare_certificates(context: Context, state: SlotModel, *, is_noted: bool) -> None:
    """What the certification did, once it is noted, and nothing before."""
    if state.is_certified_unread:
        return
    found = context.store.certified(state.slot)
    where = f"slot {state.slot}"
    taken = {each.device: each.amount_wh for each in _once(state)}
    for rule, table, expected, noted in (
        (
            "store.issuances",
            "issuances",
            {each.device: (each.amount_wh, each.certified_wh) for each in state.issuances},
            {each.device: (each.amount_wh, each.certified_wh) for each in found.issuances},
        ),
        (
            "store.consumptions",
            "consumptions",
            taken,
            {each.device: each.amount_wh for each in found.consumptions},
        ),
        (
            "store.certificate_moves",
            "certificate_moves",
            {
                number: (each.device, hexed(each.account), each.amount_wh)
                for number, each in enumerate(state.moves)
            },
            {each.number: (each.device, hexed(each.account), each.amount_wh) for each in found.moves},
        ),
        (
            "store.matches",
            "matches",
            {number: (each.device, each.consumption, each.amount_wh) for number, each in enumerate(state.matches)},
            {each.number: (each.device, each.consumption, each.amount_wh) for each in found.matches},
        ),
    ):
        context.findings.check(rule, f"table {table}, {where}", expected=expected if is_noted else {}, found=noted)


def compare_allocation(context: Context, state: SlotModel, trades: Sequence[Trade]) -> None:
    """Whether the certificates followed the trades; where there is one price, the chain alone shows it too."""
    if "certify" not in state.blocks or state.is_certified_unread:
        return
    consumptions = [*_once(state), *_unrecorded(context, state)]
    try:
        allocation = allocate(state.issuances, consumptions, trades)
        parts = parts_of(state.issuances, consumptions, allocation)
        moves = [move for part in parts for move in part.moves]
        matches = [match for part in parts for match in part.matches]
        expected: object = _shown(moves, matches)
    except (BrokenAllocationError, InvalidMeteringError) as error:  # what was issued is not what was metered
        expected = error
    where = f"certification of slot {state.slot}"
    context.findings.check("store.allocation", where, expected=expected, found=_shown(state.moves, state.matches))


def is_certification_due(context: Context, state: SlotModel) -> bool:
    """Whether somebody generated something, and all that generates for it is certified without being asked for.

    Where nothing was generated there may be nothing to certify, and no transaction; where some of it has to be
    requested, who reads the chain cannot tell.
    """
    guarantees = context.model.guarantees
    for reading in state.readings:
        devices = guarantees.devices_of(reading.account, state.market, state.slot)
        giving = [device.standing for device in devices if device.kind in GIVING]
        if reading.generation_wh > 0 and giving and all(giving):
            return True
    return False


def _once(state: SlotModel) -> list[Consumption]:
    """The consumption on chain; a certification of several parts may name it several times."""
    return list({each.device: each for each in reversed(state.consumptions)}.values())


def _unrecorded(context: Context, state: SlotModel) -> list[Consumption]:
    """Consumption that is not on chain, as nothing is matched with it."""
    recorded = {each.device for each in state.consumptions}
    readings = context.store.readings(state.slot)
    found = []
    for device in context.store.devices():
        details = device.details
        amount_wh = readings[device.device].energy_wh if device.device in readings else 0
        is_known = device.generates or device.device in recorded or not device.is_metered(state.slot)
        if amount_wh > 0 and details.standing and not is_known:
            where = (details.device, details.owner, details.kind, details.area, amount_wh, amount_wh)
            found.append(Consumption(*where, storage=details.storage))
    return found


def _shown(moves: Sequence[Move], matches: Sequence[Match]) -> tuple[object, object]:
    return (
        sorted((move.device, hexed(move.account), move.amount_wh) for move in moves),
        sorted((match.device, match.consumption, match.amount_wh) for match in matches),
    )
